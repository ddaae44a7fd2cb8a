package media

import (
	"bufio"
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const uploaderDir = "SALITA_TEST_UPLOADER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(uploaderDir); dir != "" {
		if err := upload(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// upload is the child that is killed: it stores and removes files without end
// and says so on standard output, each time after the answer, and before a
// request to remove.
func upload(dir string) error {
	h, err := New(context.Background(), environment(dir, os.Stderr), Config{})
	if err != nil {
		return err
	}
	s := httptest.NewServer(h)
	say := make(chan string)
	failed := make(chan error)
	for range 3 {
		go func() {
			for {
				if err := uploadOnce(s.URL, say); err != nil {
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

func uploadOnce(url string, say chan<- string) error {
	kind, body := "application/octet-stream", randomBytes()
	if rand.IntN(2) == 0 {
		kind = "multipart/form-data; boundary=b"
		body = nil
		for range 3 {
			body = append(body, "--b\r\nContent-Disposition: form-data; filename=\"image.jpg\"\r\n\r\n"...)
			body = append(append(body, randomBytes()...), "\r\n"...)
		}
		body = append(body, "--b--\r\n"...)
	}
	w, err := http.Post(url+"/media/upload?filename=image.jpg", kind, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer w.Body.Close()
	var answer uploadBody
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil || w.StatusCode != http.StatusCreated {
		return errors.Join(err, fmt.Errorf("upload: status %d", w.StatusCode))
	}
	for _, item := range answer.Items {
		say <- "stored " + item.ID + " " + item.SHA256
	}
	if rand.IntN(3) > 0 {
		return nil
	}
	return removeOnce(url, answer.Items[0].ID, say)
}

func removeOnce(url, id string, say chan<- string) error {
	say <- "removing " + id
	r, err := http.NewRequest("DELETE", url+"/media/"+id, nil)
	if err != nil {
		return err
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusNoContent {
		return fmt.Errorf("remove: status %d", w.StatusCode)
	}
	say <- "removed " + id
	return nil
}

// randomBytes are mostly few and sometimes more than fit into one piece.
func randomBytes() []byte {
	b := make([]byte, rand.IntN(1<<rand.IntN(21)))
	crand.Read(b)
	return b
}

// ledger is what the child told us.
type ledger struct {
	stored   map[string]string // id to checksum
	removing map[string]bool
	removed  map[string]bool
}

func (l *ledger) note(line string) {
	switch word := strings.Fields(line); {
	case len(word) == 3 && word[0] == "stored":
		l.stored[word[1]] = word[2]
	case len(word) == 2 && word[0] == "removing":
		l.removing[word[1]] = true
	case len(word) == 2 && word[0] == "removed":
		l.removed[word[1]] = true
	}
}

// TestKilledAnyTime kills the plugin without warning, again and again, and looks
// each time whether what it had promised is there and nothing else.
func TestKilledAnyTime(t *testing.T) {
	dir := t.TempDir()
	l := &ledger{map[string]string{}, map[string]bool{}, map[string]bool{}}
	for round := range 50 {
		killAfter(t, dir, l, rand.IntN(9), time.Duration(rand.IntN(20_000))*time.Microsecond)
		checkAfterKill(t, dir, l)
		if t.Failed() {
			t.Fatalf("after %d kills", round+1)
		}
	}
	if len(l.stored) < 50 || len(l.removed) == 0 {
		t.Errorf("only %d stored and %d removed", len(l.stored), len(l.removed))
	}
}

// killAfter lets a child work until it said that many things, and a moment more.
func killAfter(t *testing.T, dir string, l *ledger, lines int, moment time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), uploaderDir+"="+dir)
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

func checkAfterKill(t *testing.T, dir string, l *ledger) {
	t.Helper()
	s := startIn(t, dir)
	defer s.stop(t)
	present := map[string]string{}
	hashes := map[string]int{}
	for query := "?limit=200"; query != ""; {
		body := s.list(t, query)
		for _, i := range body.Items {
			if got := hashOf(text(t, s.do(t, "GET", i.URL, nil))); got != i.SHA256 {
				t.Errorf("item %s has checksum %s, want %s", i.ID, got, i.SHA256)
			}
			present[i.ID] = i.SHA256
			hashes[i.SHA256]++
		}
		query = ""
		if body.Next != nil {
			query = "?limit=200&before=" + *body.Next
		}
	}
	for id, sum := range l.stored {
		switch got := present[id]; {
		case got == "" && l.removing[id]:
		case l.removed[id] && got != "":
			t.Errorf("item %s is back after its removal", id)
		case got != sum:
			t.Errorf("item %s was promised with checksum %s and has %q", id, sum, got)
		}
	}
	files, staged := folder(t, s.library)
	if len(staged) != 0 || len(files) != len(present) {
		t.Errorf("%d files for %d items, and in the staging folder %q", len(files), len(present), staged)
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(s.library, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := hashOf(string(content)); hashes[sum] == 0 {
			t.Errorf("nobody knows %s", name)
		}
	}
}
