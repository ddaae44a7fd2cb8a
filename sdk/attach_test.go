package sdk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// attachable starts the plugin as a person would and returns the folder that it
// asks gateways to use.
func attachable(t *testing.T, runtime string) (*exec.Cmd, string) {
	t.Helper()
	cmd := command(t, "--attach")
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+runtime)
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), control.AttachVariable+"=")
		if !ok {
			continue
		}
		folders, err := control.ParseAttach(strings.TrimSuffix(value, " salita serve"))
		must(t, err)
		go func() {
			for lines.Scan() {
			}
		}()
		return cmd, folders["notes"]
	}
	t.Fatal("it does not say how to attach")
	return nil, ""
}

// attach waits for the plugin to listen.
func attach(t *testing.T, dir string) *control.Attached {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		a, err := control.Attach(ctx, dir)
		if err == nil {
			t.Cleanup(func() { _ = a.Close() })
			return a
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sa")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func configureAttached(t *testing.T, a *control.Attached, dir, text string) (control.Endpoint, string) {
	t.Helper()
	data := t.TempDir()
	endpoint, _, err := a.Configure(t.Context(), control.Config{Source: []byte(text)}, control.Environment{SocketDir: dir, DataDir: data})
	must(t, err)
	return endpoint, data
}

func TestAttachByHand(t *testing.T) {
	cmd, dir := attachable(t, shortDir(t))
	a := attach(t, dir)
	m, err := a.Manifest(t.Context())
	if err != nil || m.Name != "notes" || !a.Has(control.FeatureWatch) {
		t.Errorf("manifest %+v, %v", m, err)
	}
	endpoint, data := configureAttached(t, a, dir, `text = "hello"`)
	must(t, a.CheckHealth(t.Context()))
	if got := getOver(t, endpoint, "/notes/text"); got != "hello" {
		t.Errorf("got %q", got)
	}
	must(t, a.Shutdown(t.Context(), time.Second))
	must(t, cmd.Wait())
	<-a.Gone()
	if _, err := os.Stat(filepath.Join(data, "cancelled")); err != nil {
		t.Errorf("it did not work in its data folder: %v", err)
	}
}

func TestAttachTwoByHand(t *testing.T) {
	runtime := shortDir(t)
	_, dir := attachable(t, runtime)
	attach(t, dir)
	second := command(t, "--attach")
	second.Env = append(second.Env, "XDG_RUNTIME_DIR="+runtime)
	out, err := second.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "another one waits") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAttachAgainAfterKill(t *testing.T) {
	runtime := shortDir(t)
	cmd, dir := attachable(t, runtime)
	a := attach(t, dir)
	configureAttached(t, a, dir, "")
	must(t, cmd.Process.Kill())
	<-a.Gone()
	_ = cmd.Wait()
	if err := a.CheckHealth(t.Context()); err == nil {
		t.Error("a dead plugin is healthy")
	}
	if _, err := control.Attach(t.Context(), dir); err == nil {
		t.Error("attached to nobody")
	}
	_, again := attachable(t, runtime)
	if again != dir {
		t.Errorf("it waits in %s, before in %s", again, dir)
	}
	endpoint, _ := configureAttached(t, attach(t, dir), dir, `text = "again"`)
	if got := getOver(t, endpoint, "/notes/text"); got != "again" {
		t.Errorf("got %q", got)
	}
}

func TestAttachEndsOnSignals(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd, dir := attachable(t, shortDir(t))
		a := attach(t, dir)
		_, data := configureAttached(t, a, dir, "")
		must(t, cmd.Process.Signal(sig))
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
		if _, err := os.Stat(filepath.Join(data, "cancelled")); err != nil {
			t.Errorf("%v: the context of New did not end: %v", sig, err)
		}
	}
}

// greetings is a plugin that tells who made it.
func greetings(text string) sdk.Plugin[struct{}] {
	return sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{
			Name: "hello", Version: "1", Title: "Hello",
			Routes: []sdk.Route{{Pattern: "GET /hello", Permission: "hello:read"}},
		},
		New: func(context.Context, sdk.Env, struct{}) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }), nil
		},
	}
}

func TestServe(t *testing.T) {
	dir := filepath.Join(shortDir(t), "p")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sdk.Serve(ctx, greetings("hello"), dir, slog.New(slog.DiscardHandler)) }()
	for range 2 { // a gateway comes, goes, and comes again
		a := attach(t, dir)
		endpoint, _ := configureAttached(t, a, dir, "")
		if got := getOver(t, endpoint, "/hello"); got != "hello" {
			t.Errorf("got %q", got)
		}
		must(t, a.Close())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := sdk.Serve(t.Context(), greetings(""), filepath.Join(dir, "no", "such"), nil); err == nil {
		t.Error("served in a folder that cannot be")
	}
}

func TestAttachRefusesOpenFolders(t *testing.T) {
	dir := filepath.Join(shortDir(t), "p")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sdk.Serve(ctx, greetings(""), dir, nil) }()
	attach(t, dir)
	refused := func(path, want string) {
		t.Helper()
		if _, err := control.Attach(ctx, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	link := filepath.Join(shortDir(t), "link")
	must(t, os.Symlink(dir, link))
	refused(link, "not a folder")
	must(t, os.Chmod(dir, 0o755))
	refused(dir, "others may enter")
	must(t, os.Chmod(dir, 0o700))
	must(t, os.Chmod(filepath.Join(dir, "control.sock"), 0o666))
	refused(dir, "others may enter")
	refused(t.TempDir(), "no such file")
	cancel()
	<-done
}

func TestAttachGivesUpOnSilence(t *testing.T) {
	dir := shortDir(t)
	// A socket that accepts and never answers.
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "control.sock"))
	must(t, err)
	defer l.Close()
	must(t, os.Chmod(filepath.Join(dir, "control.sock"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := control.Attach(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestParseAttach(t *testing.T) {
	got, err := control.ParseAttach("notes=/run/a,hello=/run/b/")
	if err != nil || len(got) != 2 || got["notes"] != "/run/a" || got["hello"] != "/run/b" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := control.ParseAttach(""); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, value := range []string{"notes", "notes=", "notes=relative", "=/a", "Notes=/a", "a=/x,a=/y", "a=/x,", ",", "../x=/a"} {
		if got, err := control.ParseAttach(value); err == nil || !strings.Contains(err.Error(), "SALITA_ATTACH") {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
}
