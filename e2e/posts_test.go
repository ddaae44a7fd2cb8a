package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// builtPosts builds the posts plugin, once.
var builtPosts = sync.OnceValues(func() (string, error) {
	program := filepath.Join(bin, "posts", "salita-plugin-posts")
	build := exec.Command("go", "build", "-o", program, "./plugins/posts")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the posts plugin: %w\n%s", err, out)
	}
	return program, nil
})

// enablePosts gives the gateway the posts plugin. Devices that pair from now on get
// these permissions.
func (g *gateway) enablePosts(grant string) {
	g.t.Helper()
	program, err := builtPosts()
	if err != nil {
		g.t.Fatal(err)
	}
	g.stop()
	g.install(program)
	g.configure(fmt.Sprintf("pairing {\n  grant = [%s]\n}\nplugin \"posts\" {}\n", grant))
	g.start()
	g.awaitPlugin("posts", "running")
}

// postItem is a post as the API describes it.
type postItem struct {
	ID, Body, URL string
	Author        struct{ ID, Name string }
	CanDelete     bool `json:"can_delete"`
	CommentCount  int  `json:"comment_count"`
	Reactions     map[string]int
	Reacted       []string
}

// writer is a paired device with its token on that gateway.
type writer struct {
	t       *testing.T
	gateway *gateway
	token   string
}

func (g *gateway) pairWriter(name string) writer {
	g.t.Helper()
	return writer{g.t, g, g.pairScript(g.t, name).PeerNode.AccessToken}
}

// call sends a request and checks its status. It returns the body.
func (w writer) call(method, path, body string, status int) []byte {
	w.t.Helper()
	got, answer, err := w.gateway.with(w.token, method, path, strings.NewReader(body))
	if err != nil || got != status {
		w.t.Fatalf("%s %s: %d %s %v, want %d", method, path, got, answer, err, status)
	}
	return answer
}

func (w writer) post(body string) postItem {
	w.t.Helper()
	var p postItem
	if err := json.Unmarshal(w.call("POST", "/posts", body, http.StatusCreated), &p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// posts are the newest posts as the device sees them.
func (w writer) posts() []postItem {
	w.t.Helper()
	var list struct{ Items []postItem }
	if err := json.Unmarshal(w.call("GET", "/posts", "", http.StatusOK), &list); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// TestPosts lets paired devices write to each other on a gateway.
func TestPosts(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	desktop.enablePosts(`"posts:*", "devices:read"`)
	anna, ben := desktop.pairWriter("Anna"), desktop.pairWriter("Ben")
	pairUp(t, desktop, laptop)
	i := slices.IndexFunc(laptop.deviceList(), func(d device) bool { return slices.Contains(d.Capabilities, "posts") })
	if i < 0 {
		t.Errorf("Laptop does not see that Desktop can post: %+v", laptop.deviceList())
	}

	p := anna.post(`{"body":"Dinner at <b>eight</b>? 🎉"}`)
	if p.Body != "Dinner at <b>eight</b>? 🎉" || p.Author.Name != "Anna" || p.Author.ID == "" || p.URL != "/posts/"+p.ID {
		t.Errorf("post is %+v", p)
	}
	ben.call("PUT", p.URL+"/reactions/heart", "", http.StatusOK)
	ben.call("PUT", p.URL+"/reactions/heart", "", http.StatusOK)
	ben.call("POST", p.URL+"/comments", `{"body":"Yes!"}`, http.StatusCreated)
	ben.call("DELETE", p.URL, "", http.StatusForbidden)
	if got := ben.posts(); len(got) != 1 || got[0].Reactions["heart"] != 1 || got[0].CommentCount != 1 || got[0].CanDelete || !slices.Equal(got[0].Reacted, []string{"heart"}) {
		t.Errorf("Ben sees %+v", got)
	}
	if got := anna.posts(); len(got) != 1 || !got[0].CanDelete || len(got[0].Reacted) != 0 {
		t.Errorf("Anna sees %+v", got)
	}

	// The owner writes in the name of the device and may tidy up.
	if status, body := desktop.ask("POST", "/posts", `{"body":"Bring cake"}`); status != http.StatusCreated || !strings.Contains(body, `"author":{"id":"","name":"Desktop"}`) {
		t.Errorf("the owner's post: %d %s", status, body)
	}
	if status, body := desktop.ask("DELETE", p.URL, ""); status != http.StatusNoContent {
		t.Errorf("the owner's delete: %d %s", status, body)
	}

	// What was acknowledged outlives everything.
	for n := range 5 {
		anna.post(fmt.Sprintf(`{"body":"number %d"}`, n))
	}
	desktop.kill()
	desktop.start()
	desktop.awaitPlugin("posts", "running")
	var bodies []string
	for _, p := range ben.posts() {
		bodies = append(bodies, p.Body)
	}
	if want := []string{"number 4", "number 3", "number 2", "number 1", "number 0", "Bring cake"}; !slices.Equal(bodies, want) {
		t.Errorf("after a kill there is %q, want %q", bodies, want)
	}
}

// TestPostsPermissions: whoever may only read cannot change anything, and without
// any permission there is nothing to see.
func TestPostsPermissions(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.enablePosts(`"posts:*"`)
	anna := g.pairWriter("Anna")
	p := anna.post(`{"body":"text"}`)
	g.enablePosts(`"posts:read"`)
	reader := g.pairWriter("Reader")
	g.enablePosts(`"media:*"`)
	stranger := g.pairWriter("Stranger")

	reading := []string{"GET /posts", "HEAD /posts", "GET " + p.URL, "GET " + p.URL + "/comments"}
	changing := []string{
		"POST /posts", "DELETE " + p.URL, "POST " + p.URL + "/comments", "DELETE " + p.URL + "/comments/0000000000000000",
		"PUT " + p.URL + "/reactions/like", "DELETE " + p.URL + "/reactions/like",
	}
	for _, request := range reading {
		method, path, _ := strings.Cut(request, " ")
		reader.call(method, path, "", http.StatusOK)
		stranger.call(method, path, "", http.StatusForbidden)
	}
	for _, request := range changing {
		method, path, _ := strings.Cut(request, " ")
		reader.call(method, path, `{"body":"text"}`, http.StatusForbidden)
		stranger.call(method, path, `{"body":"text"}`, http.StatusForbidden)
		if status, _, err := g.with("", method, path, nil); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %v", request, status, err)
		}
	}
	if got := anna.posts(); len(got) != 1 || got[0].CommentCount != 0 || got[0].Reactions["like"] != 0 {
		t.Errorf("something was changed: %+v", got)
	}
}

// TestIdlePostsMemory looks at what an idle plugin with a database of its own keeps
// for itself. The pages of its program file are not counted: the system maps as many
// as it has room for, and takes them back when it needs it.
func TestIdlePostsMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	g := newGateway(t, "Desktop")
	g.enablePosts(`"posts:*"`)
	for n := range 50 {
		if status, body := g.ask("POST", "/posts", fmt.Sprintf(`{"body":"number %d"}`, n)); status != http.StatusCreated {
			t.Fatal(status, body)
		}
	}
	if status, body := g.ask("GET", "/posts", ""); status != http.StatusOK {
		t.Fatal(status, body)
	}
	pid := family(t, g)[1]
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	kib := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			kib[fields[0]], _ = strconv.Atoi(fields[1])
		}
	}
	t.Logf("resident %d KiB, of its own %d KiB", kib["Rss:"], kib["Anonymous:"])
	if own := kib["Anonymous:"]; own == 0 || own > 16<<10 {
		t.Errorf("an idle plugin keeps %d KiB for itself", own)
	}
}
