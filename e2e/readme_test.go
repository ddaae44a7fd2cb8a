package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeCommands runs what the README tells people to type. A command in
// its shell blocks that this test does not know fails it.
func TestReadmeCommands(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "laptop")
	pairUp(t, laptop, desktop)
	holiday := filepath.Join(desktop.dir, "holiday")
	if err := os.MkdirAll(holiday, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1.jpg", "2.jpg"} {
		if err := os.WriteFile(filepath.Join(holiday, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]func(args []string){
		"make run":  func([]string) {}, // ci runs make test, which builds what make run runs
		"make test": func([]string) {},
		"bin/salita pair": func(args []string) {
			if len(args) > 1 && !strings.HasPrefix(strings.Trim(args[1], "'"), "https://") {
				t.Errorf("the README joins %q", args[1])
			}
		},
		"bin/salita send": func(args []string) {
			laptop.must("send", filepath.Join(holiday, "1.jpg"), filepath.Join(holiday, "2.jpg"), args[len(args)-2], args[len(args)-1])
		},
		"bin/salita open": func(args []string) {
			if out := desktop.must(append(args, "--print")...); !strings.Contains(out, "/open#") {
				t.Errorf("salita open --print says %q", out)
			}
		},
		"bin/salita devices": func(args []string) { desktop.must(args...) },
		"bin/salita plugins": func(args []string) { desktop.must(args...) },
		"bin/salita backup":  func(args []string) { desktop.must(args...) },
		"bin/salita serve":   func([]string) {}, // every gateway of these tests
	}
	for _, line := range shellLines(t, "../README.md") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		run, ok := known[strings.Join(words[:min(2, len(words))], " ")]
		if !ok {
			t.Errorf("the README says %q, and no test runs it", line)
			continue
		}
		run(words[1:])
	}
	if got := len(desktop.deviceList()); got != 0 {
		t.Errorf("after the README's last command Desktop has %d devices", got)
	}
	if got := len(desktop.media()); got != 2 {
		t.Errorf("Desktop holds %d files, want the two photos", got)
	}
}

// shellLines returns the command lines in a document's sh blocks.
func shellLines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	in := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "```sh":
			in = true
		case strings.HasPrefix(line, "```"):
			in = false
		case in && line != "":
			lines = append(lines, line)
		}
	}
	return lines
}

func TestCommandsExplainThemselves(t *testing.T) {
	g := newGateway(t, "Desktop")
	for _, command := range []string{"serve", "open", "pair", "devices", "devices rename", "devices remove", "devices repair", "send", "plugins", "plugins new", "plugins verify", "version"} {
		out := g.must(append(strings.Fields(command), "--help")...)
		if !strings.Contains(out, "Usage:") {
			t.Errorf("salita %s --help says %q", command, out)
		}
	}
	for _, args := range [][]string{{"devices", "--json"}, {"plugins", "--json"}} {
		if out := g.must(args...); !json.Valid([]byte(out)) {
			t.Errorf("salita %v prints %q", args, out)
		}
	}
	for _, args := range [][]string{{"nonsense"}, {"pair", "a", "b"}, {"devices", "rename", "x"}, {"serve", "--port", "1"}} {
		if r := g.cli("", args...); r.code != 2 || !strings.Contains(r.err, "--help") {
			t.Errorf("salita %v: exit %d, %q", args, r.code, r.err)
		}
	}
}

func TestInterruptedPairClosesItsWindow(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	w, opened, err := desktop.openWindow()
	if err != nil {
		t.Fatal(err)
	}
	w.interrupt()
	<-w.done
	r := laptop.join(opened.Link, func() string { return "123456" })
	if r.code == 0 || !strings.Contains(r.out, "This code has expired. Show a new one.") {
		t.Errorf("exit %d, %s%s", r.code, r.out, r.err)
	}
}
