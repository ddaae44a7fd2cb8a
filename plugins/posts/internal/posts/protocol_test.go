package posts

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk/sdktest"
)

// TestUnderTheGateway runs the whole plugin over the sockets and calls of a
// gateway, through a stop and a start, and listens to its events.
func TestUnderTheGateway(t *testing.T) {
	plugin := sdktest.Start(t, Plugin("0.0.0"), sdktest.Options{DeviceName: "NAS"})
	phone := plugin.As(anna)
	call := func(method, path, body string, status int) (p postBody) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://plugin"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		w, err := phone.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		answer, err := io.ReadAll(w.Body)
		if err != nil || w.StatusCode != status {
			t.Fatalf("%s %s: %d %s %v, want %d", method, path, w.StatusCode, answer, err, status)
		}
		_ = json.Unmarshal(answer, &p) // not every answer is a post
		return p
	}
	wantEvent := func(name, post string) {
		t.Helper()
		e := plugin.Event()
		if e.Published == nil || e.Published.Name != name || string(e.Published.Data) != `{"id":"`+post+`"}` {
			t.Errorf("event is %+v, want %s of %s", e.Published, name, post)
		}
	}

	p := call("POST", "/posts", jsonOf("text"), http.StatusCreated)
	wantEvent("posts.created", p.ID)
	call("PUT", p.URL+"/reactions/like", "", http.StatusOK)
	wantEvent("posts.changed", p.ID)
	c := call("POST", p.URL+"/comments", jsonOf("a comment"), http.StatusCreated)
	wantEvent("posts.changed", p.ID)
	call("POST", "/posts", "{}", http.StatusBadRequest) // and no event
	call("DELETE", p.URL+"/comments/"+c.ID, "", http.StatusNoContent)
	wantEvent("posts.changed", p.ID)

	before := call("GET", p.URL, "", http.StatusOK)
	plugin.Restart()
	phone = plugin.As(anna)
	after := call("GET", p.URL, "", http.StatusOK)
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(postBody{})); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
	call("DELETE", p.URL, "", http.StatusNoContent)
	wantEvent("posts.deleted", p.ID)
	if err := plugin.Health(); err != nil {
		t.Error(err)
	}
}
