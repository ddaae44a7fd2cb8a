package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

// TestOutcomes follows plugins through the states that they go through.
func TestOutcomes(t *testing.T) {
	type look struct {
		state string
		since time.Duration
	}
	const broken = "It is broken."
	const late = staleFor + time.Second
	tests := map[string]struct {
		end   outcome
		looks []look
		fault string // what the gateway says is wrong
		said  string // the fault as well: it fails
	}{
		"enabled":                  {started(), []look{{"found", 0}, {"starting", 1}, {"running", 2}}, "", "Posts is running."},
		"enabled already":          {started(), []look{{"running", 0}}, "", "Posts is running."},
		"enabled, failed before":   {started(), []look{{"failed", 0}, {"starting", 1}, {"running", 2}}, "", "Posts is running."},
		"enabled, cannot run":      {started(), []look{{"starting", 0}, {"failed", late}}, broken, broken},
		"enabled, crashes":         {started(), []look{{"starting", 0}, {"backoff", late}}, broken, broken},
		"enabled, does not work":   {started(), []look{{"degraded", late}}, broken, broken},
		"enabled, crashed before":  {started(), []look{{"quarantined", 0}, {"quarantined", late}}, broken, broken},
		"disabled":                 {stopped(), []look{{"running", 0}, {"stopping", 1}, {"found", 2}}, "", "Posts is disabled."},
		"disabled and gone":        {stopped(), []look{{"stopping", 0}, {"", 1}}, "", "Posts is disabled."},
		"restarted":                {restarted(), []look{{"running", 0}, {"running", 1}, {"stopping", 2}, {"starting", 3}, {"running", 4}}, "", "Posts is running."},
		"restarted in a blink":     {restarted(), []look{{"running", 0}, {"running", late}}, "", "Posts is running."},
		"restarted, and breaks":    {restarted(), []look{{"running", 0}, {"starting", 1}, {"failed", late}}, broken, broken},
		"restarted, not replaced":  {restarted(), []look{{"running", 0}, {"running", 1}, {"running", late}}, broken, broken},
		"enabled, old settings":    {started(), []look{{"running", 0}}, broken, "Posts is running.\n" + broken},
		"restarted, failed before": {restarted(), []look{{"failed", 0}, {"starting", 1}, {"running", 2}}, "", "Posts is running."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, l := range tt.looks {
				said, done, err := tt.end(client.Plugin{Name: "posts", Title: "Posts", State: l.state, LastError: tt.fault}, l.since)
				last := i == len(tt.looks)-1
				if done != last {
					t.Fatalf("look %d at %q: done %v", i, l.state, done)
				}
				if err != nil {
					said = sdk.AsError(err).Friendly()
				}
				if last && (said != tt.said || (err != nil) != (tt.said == broken)) {
					t.Errorf("said %q, %v", said, err)
				}
			}
		})
	}
}

func TestEveryStateHasWords(t *testing.T) {
	for _, state := range []string{"found", "starting", "running", "degraded", "backoff", "failed", "quarantined", "stopping", "stopped"} {
		if words := inWords(state); words == state {
			t.Errorf("%q has no words", state)
		}
	}
	if got := inWords("asleep"); got != "asleep" {
		t.Errorf("a state of a newer gateway reads %q", got)
	}
}

// fakeGateway answers on the owner's socket of a data folder. It returns the
// folder and what was asked.
func fakeGateway(t *testing.T, answer http.HandlerFunc) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return dir
}

// command runs one command line against a data folder.
func command(t *testing.T, dir string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"--data-dir", dir}, args...), os.Getenv, stdio{os.Stdin, &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestPluginsAreListedInWords(t *testing.T) {
	list := []client.Plugin{
		{Name: "media", Title: "Photos", State: "running", Version: "0.1.0", Abilities: []string{"Store photos and files", "Show them"}},
		{Name: "posts", Title: "Posts", State: "failed", Version: "0.2.0", LastError: "config.hcl, line 3: Expected less."},
		{Name: "x", Title: "x", State: "found"},
		{Name: "y", Title: "Y", State: "quarantined", LastError: "Y stopped unexpectedly."},
	}
	dir := fakeGateway(t, func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(list) })
	code, out, errs := command(t, dir, "plugins")
	want := "" +
		"media  ● Running                         0.1.0  Store photos and files, Show them\n" +
		"posts  ✕ Can't run                       0.2.0\n" +
		"  config.hcl, line 3: Expected less.\n" +
		"x      ○ Found, not enabled\n" +
		"  To use it: salita plugins enable x\n" +
		"y      ✕ Stopped after too many crashes\n" +
		"  Y stopped unexpectedly.\n" +
		"  To try again: salita plugins restart y\n"
	if diff := cmp.Diff(want, out); diff != "" || code != 0 {
		t.Errorf("exit %d, %s (-want +got):\n%s", code, errs, diff)
	}
	code, out, _ = command(t, dir, "plugins", "--json")
	var got []client.Plugin
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || len(got) != 4 {
		t.Errorf("exit %d: %s: %v", code, out, err)
	}
	empty := fakeGateway(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	if code, out, _ := command(t, empty, "plugins"); code != 0 || !strings.Contains(out, "salita-plugin-NAME") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestEnableTellsWhereTheFileIsWrong(t *testing.T) {
	dir := fakeGateway(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/plugins/posts/enable":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"The configuration can't be used.","code":"invalid","reference":"7K3QF"}`)
		case "/api/config":
			fmt.Fprint(w, `{"file":"/c.hcl","error":"/c.hcl:1:8: Unclosed configuration block","restart_needed":[]}`)
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	})
	code, _, errs := command(t, dir, "plugins", "enable", "posts")
	if code != 2 || errs != "/c.hcl:1:8: Unclosed configuration block\n\nNothing was changed.\n" {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

func TestExitCodesOfPlugins(t *testing.T) {
	refuse := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":"No.","code":%q,"reference":"7K3QF"}`, code)
		}
	}
	nobody := t.TempDir()
	for _, tt := range []struct {
		dir  string
		args []string
		code int
	}{
		{nobody, []string{"plugins"}, 3},
		{nobody, []string{"plugins", "restart", "media"}, 3},
		{nobody, []string{"plugins", "enable"}, 2},
		{nobody, []string{"plugins", "enable", "a", "b"}, 2},
		{nobody, []string{"plugins", "enable", "nothing"}, 1}, // no such program
		{fakeGateway(t, refuse(404, "not_found")), []string{"plugins", "restart", "nothing"}, 1},
		{fakeGateway(t, refuse(409, "conflict")), []string{"plugins", "disable", "media"}, 6},
	} {
		if code, out, errs := command(t, tt.dir, tt.args...); code != tt.code {
			t.Errorf("salita %v: exit %d, want %d\n%s%s", tt.args, code, tt.code, out, errs)
		}
	}
}

// TestEnableWithoutAGateway edits the file that the next start reads.
func TestEnableWithoutAGateway(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(t.TempDir()) // no config.hcl of this folder's
	if err := os.Mkdir(filepath.Join(dir, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plugins", "salita-plugin-posts"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.hcl")
	if code, out, errs := command(t, dir, "plugins", "enable", "posts"); code != 0 || !strings.Contains(out, "posts is enabled in "+file) {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if code, out, errs := command(t, dir, "plugins", "disable", "posts"); code != 0 || !strings.Contains(out, "posts is disabled in "+file) {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	got, err := os.ReadFile(file)
	if want := "plugin \"posts\" {\n  enabled = false\n}\n"; err != nil || string(got) != want {
		t.Errorf("file is %q, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("plugin {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, dir, "plugins", "enable", "posts"); code != 2 || !strings.Contains(errs, file+":1:8") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestCompletionOffersPluginsByName(t *testing.T) {
	dir := fakeGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"name":"media","state":"running"},{"name":"posts","state":"found"}]`)
	})
	code, out, _ := command(t, dir, "__complete", "plugins", "enable", "")
	if code != 0 || !strings.Contains(out, "media\t● Running\nposts\t○ Found, not enabled\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errs := command(t, dir, "completion", shell); code != 0 || !strings.Contains(out, "salita") {
			t.Errorf("%s: exit %d: %s", shell, code, errs)
		}
	}
}
