package e2e

import (
	"context"
	"errors"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// block is one fenced block of a document.
type block struct{ language, text string }

// blocks returns a document's fenced blocks, in order.
func blocks(t *testing.T, file string) []block {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	open := false
	for line := range strings.Lines(string(data)) {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open:
			open = false
		case isFence:
			open = true
			all = append(all, block{language: fence})
		case open:
			all[len(all)-1].text += line
		}
	}
	return all
}

// terminal runs commands in one shell after another, each beginning in the
// folder in which the one before ended.
type terminal struct {
	t   *testing.T
	dir string
	env []string
}

// run runs one line as a person would type it, and returns what was printed.
func (s *terminal) run(line string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*patience)
	defer cancel()
	where := filepath.Join(s.t.TempDir(), "where")
	cmd := exec.CommandContext(ctx, "bash", "-c", fmt.Sprintf("set -e\n%s\npwd > %q\n", line, where))
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	dir, err := os.ReadFile(where)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dir = strings.TrimSpace(string(dir))
	return string(out)
}

// home is the environment of a person who has just built Salita.
func home(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := strings.Fields(string(out))
	return append(os.Environ(), "HOME="+dir, "PATH="+bin+":"+os.Getenv("PATH"), "CGO_ENABLED=0",
		"GOCACHE="+cache[0], "GOMODCACHE="+cache[1], "GOPATH="+cache[2])
}

// awaitSettings waits until the plugin works with the settings of the document.
func (g *gateway) awaitSettings() {
	g.t.Helper()
	g.await("the settings apply", func() bool {
		_, body := g.ask("POST", "/dog-walks", `{"text": "more than ten"}`)
		return strings.Contains(body, "between 1 and 10")
	})
}

// TestPluginsDocument does what docs/PLUGINS.md tells people to do: it types
// every command and writes the block into config.hcl, while the gateway runs.
func TestPluginsDocument(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed here: the commands of docs/PLUGINS.md cannot be typed (scripts/install-test-tools installs it)")
	}
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g := &gateway{t: t, name: "Desktop", dir: filepath.Join(dir, ".salita"), address: freeAddress(t), log: &syncBuffer{}}
	g.configure("")
	g.start()
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("log:\n%s", g.log.tail(8000))
		}
	})
	shell := &terminal{t: t, dir: checkout, env: home(t, dir)}

	var said []string
	for _, b := range blocks(t, "../docs/PLUGINS.md") {
		switch b.language {
		case "sh":
			said = append(said, "")
			for line := range strings.Lines(b.text) {
				if line == "salita plugins\n" {
					g.awaitPlugin("dog-walks", "found") // a person is not that fast
				}
				// The test's own programs stand for those that make build makes.
				said[len(said)-1] += shell.run(strings.ReplaceAll(line, "bin/salita", "salita"))
			}
		case "hcl":
			g.configure(b.text)
			g.awaitSettings()
		}
	}
	for i, want := range [][]string{
		{"now holds a plugin", "\nok  "},
		{"dog-walks  ○ Found, not enabled"},
		{`{"text":"3 km","from":"","at":"`, `{"items":[{"text":"3 km"`},
		{"A note has between 1 and 10 characters."},
		{"Dog walks 0.1.0 (dog-walks)", "✓ starts", `"permission": "dog-walks:write"`},
	} {
		if i >= len(said) {
			t.Fatalf("the document has %d blocks of commands", len(said))
		}
		for _, text := range want {
			if !strings.Contains(said[i], text) {
				t.Errorf("block %d does not say %q:\n%s", i+1, text, said[i])
			}
		}
	}
	if shell.dir != filepath.Join(dir, "dog-walks") {
		t.Errorf("the reader ends in %s", shell.dir)
	}
	if _, err := os.Stat(filepath.Join(checkout, "dog-walks")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkout holds something new: %v", err)
	}
}

// TestPluginsDocumentIsTrue compares what the document says with the code: limits
// with their constants, snippets with the language.
func TestPluginsDocumentIsTrue(t *testing.T) {
	const file = "../docs/PLUGINS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("at most %d lower-case letters", sdk.MaxNameLength),
		fmt.Sprintf("at most %d. `ID`", sdk.MaxCapabilities),
		fmt.Sprintf("at most %d. `Pattern`", sdk.MaxRoutes),
		fmt.Sprintf("at most %d attributes", sdk.MaxPaths),
		fmt.Sprintf("at most %d KiB of JSON", sdk.MaxEventBytes>>10),
		fmt.Sprintf("larger than %d MiB", control.MaxMessageBytes>>20),
		control.AttachVariable + "=<name>=<folder>",
		control.Handshake().MagicCookieKey + "=" + control.Handshake().MagicCookieValue,
		sdk.HeaderCallerID, sdk.HeaderCallerName, sdk.HeaderCallerKind, sdk.HeaderReference, sdk.HeaderError,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document does not say %q", want)
		}
	}
	records, snippets := 0, 0
	for _, b := range blocks(t, file) {
		switch {
		case b.language == "go":
			snippets++
			if _, err := format.Source([]byte(b.text)); err != nil {
				t.Errorf("%v in\n%s", err, b.text)
			}
		case strings.HasPrefix(b.text, "{\"salita_log\""):
			records++
			if _, ok := control.ParseLogLine([]byte(strings.TrimSpace(b.text))); !ok {
				t.Errorf("not a record: %s", b.text)
			}
		}
	}
	if records != 1 || snippets < 5 {
		t.Errorf("the document has %d records and %d snippets", records, snippets)
	}
}
