package posts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

const writerDir = "SALITA_TEST_WRITER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		fmt.Fprintln(os.Stderr, write(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// write is the child that is killed. It writes without end and says on standard
// output what was acknowledged, and before each removal that it asks for one.
func write(dir string) error {
	h, err := New(context.Background(), environment(dir, os.Stderr))
	if err != nil {
		return err
	}
	server := httptest.NewServer(h)
	say := make(chan string)
	failed := make(chan error)
	for n := range 3 {
		w := &writer{url: server.URL, id: fmt.Sprint("device-", n), say: say}
		go func() {
			for {
				if err := w.once(); err != nil {
					failed <- err
				}
			}
		}()
	}
	for {
		select {
		case line := <-say:
			if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
				return err
			}
		case err := <-failed:
			return err
		}
	}
}

type writer struct {
	url, id string
	say     chan<- string
}

// once writes a post, comments on it, reacts, and takes some of it back.
func (w *writer) once() error {
	text := fmt.Sprint(rand.Uint64(), " ", strings.Repeat("x", rand.IntN(1900)))
	post, err := w.call("POST", "/posts", jsonOf(text), http.StatusCreated)
	if err != nil {
		return err
	}
	w.say <- "post " + post.ID + " " + strings.TrimSpace(text)
	if _, err := w.call("POST", post.URL+"/comments", jsonOf("a comment"), http.StatusCreated); err != nil {
		return err
	}
	w.say <- "commented " + post.ID
	if _, err := w.call("PUT", post.URL+"/reactions/like", "", http.StatusOK); err != nil {
		return err
	}
	w.say <- "liked " + post.ID
	if rand.IntN(3) > 0 {
		return nil
	}
	w.say <- "removing " + post.ID
	if _, err := w.call("DELETE", post.URL, "", http.StatusNoContent); err != nil {
		return err
	}
	w.say <- "removed " + post.ID
	return nil
}

func (w *writer) call(method, path, body string, status int) (answer postBody, err error) {
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set(sdk.HeaderCallerID, w.id)
	r.Header.Set(sdk.HeaderCallerName, url.PathEscape("a device"))
	r.Header.Set(sdk.HeaderCallerKind, "device")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		return answer, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if status != http.StatusNoContent {
		err = json.NewDecoder(resp.Body).Decode(&answer)
	}
	return answer, err
}

// promise is what the child said about one post.
type promise struct {
	text                                string
	commented, liked, removing, removed bool
}

type ledger map[string]*promise

func (l ledger) note(line string) {
	words := strings.Fields(line)
	id := words[1]
	switch p := l[id]; words[0] {
	case "post":
		l[id] = &promise{text: strings.Join(words[2:], " ")}
	case "commented":
		p.commented = true
	case "liked":
		p.liked = true
	case "removing":
		p.removing = true
	case "removed":
		p.removed = true
	}
}

// TestKilledAnyTime kills the plugin without warning, again and again, and looks
// each time whether everything is there that was acknowledged.
func TestKilledAnyTime(t *testing.T) {
	kills := 20
	if os.Getenv("SALITA_LONG") != "" {
		kills = 300
	}
	dir := t.TempDir()
	l := ledger{}
	for round := range kills {
		killAfter(t, dir, l, rand.IntN(30), time.Duration(rand.IntN(20_000))*time.Microsecond)
		checkAfterKill(t, dir, l)
		if t.Failed() {
			t.Fatalf("after %d kills", round+1)
		}
	}
	removed := 0
	for _, p := range l {
		if p.removed {
			removed++
		}
	}
	t.Logf("%d posts acknowledged, %d removals", len(l), removed)
	if len(l) < kills || removed == 0 {
		t.Errorf("only %d posts and %d removals in %d rounds", len(l), removed, kills)
	}
}

// killAfter lets a child work until it said that many things, and a moment more.
func killAfter(t *testing.T, dir string, l ledger, lines int, moment time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		time.AfterFunc(moment, func() { cmd.Process.Kill() })
	})
	said := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n >= lines {
			kill()
		}
		line, err := said.ReadString('\n')
		if err != nil { // a line that was cut was not said
			break
		}
		l.note(line)
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v\n%s", err, trouble.String())
	}
}

func checkAfterKill(t *testing.T, dir string, l ledger) {
	t.Helper()
	s := startIn(t, dir)
	defer s.stop(t)
	present := map[string]postBody{}
	for query := "?limit=200"; query != ""; {
		body := s.list(t, anna, query)
		for _, p := range body.Items {
			present[p.ID] = p
		}
		query = ""
		if body.Next != nil {
			query = "?limit=200&before=" + *body.Next
		}
	}
	for id, want := range l {
		got, there := present[id]
		switch {
		case !there && want.removing:
		case there && want.removed:
			t.Errorf("post %s is back after its removal", id)
		case !there, got.Body != want.text:
			t.Errorf("post %s was acknowledged and is lost or changed", id)
		case want.commented && got.Comments != 1, want.liked && got.Reactions[store.Like] != 1:
			t.Errorf("post %s has %d comments and %v; acknowledged: %+v", id, got.Comments, got.Reactions, want)
		}
	}
}
