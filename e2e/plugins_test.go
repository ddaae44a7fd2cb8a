package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// file is the text of the gateway's config.hcl.
func (g *gateway) file() string {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, "config.hcl"))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(data)
}

// dropIn puts the posts plugin into the gateway's plugin folder.
func (g *gateway) dropIn() {
	g.t.Helper()
	program, err := builtPosts()
	if err != nil {
		g.t.Fatal(err)
	}
	g.install(program)
}

// TestPluginWithoutARestart leads one gateway through the life of a plugin.
func TestPluginWithoutARestart(t *testing.T) {
	g := newGateway(t, "Desktop")
	pid := g.cmd.Process.Pid
	posts := func() int {
		status, _ := g.ask(http.MethodGet, "/posts", "")
		return status
	}
	if status := posts(); status != http.StatusNotFound {
		t.Errorf("before there is a plugin: %d", status)
	}

	g.dropIn()
	g.awaitPlugin("posts", "found")
	if out := g.must("plugins"); !strings.Contains(out, "○ Found, not enabled") || !strings.Contains(out, "salita plugins enable posts") {
		t.Errorf("the list says:\n%s", out)
	}
	if status := posts(); status != http.StatusNotFound {
		t.Errorf("not enabled: %d", status)
	}

	// Enabled by an edit, as anybody would do it.
	g.edit(func(file string) string { return file + "\nplugin \"posts\" {}\n" })
	g.awaitPlugin("posts", "running")
	if status := posts(); status != http.StatusOK {
		t.Errorf("running: %d", status)
	}
	if status, _ := g.ask(http.MethodGet, "/media", ""); status != http.StatusOK {
		t.Errorf("the other plugin: %d", status)
	}

	// A wrong edit stops nothing.
	g.edit(replaced("plugin \"posts\" {}", "plugin \"posts\" {\n  enabld = false\n}"))
	g.awaitConfig("a mistake", func(c configState) bool { return c.Error != "" })
	if p := g.pluginState("posts"); p.State != "running" {
		t.Errorf("after a wrong edit it is %+v", p)
	}
	if r := g.cli("", "plugins", "disable", "posts"); r.code != 2 || !strings.Contains(r.err, "config.hcl:17:3") || !strings.Contains(r.err, "enabld") {
		t.Errorf("disable with a wrong file: exit %d\n%s%s", r.code, r.out, r.err)
	}
	g.edit(replaced("enabld", "enabled"))
	g.awaitPlugin("posts", "found")
	if status := posts(); status != http.StatusNotFound {
		t.Errorf("disabled: %d", status)
	}

	// And the same by command.
	if out := g.must("plugins", "enable", "posts"); !strings.Contains(out, "is running.") {
		t.Errorf("enable says %q", out)
	}
	if status := posts(); status != http.StatusOK {
		t.Errorf("after the command: %d", status)
	}
	if !strings.Contains(g.file(), "plugin \"posts\" {\n  enabled = true\n}\n") {
		t.Errorf("the file is\n%s", g.file())
	}
	if out := g.must("plugins", "restart", "posts"); !strings.Contains(out, "is running.") {
		t.Errorf("restart says %q", out)
	}
	if out := g.must("plugins", "disable", "posts"); !strings.Contains(out, "is disabled.") {
		t.Errorf("disable says %q", out)
	}
	g.edit(replaced("plugin \"posts\" {\n  enabled = false\n}\n", ""))
	if err := os.Remove(filepath.Join(g.dir, "plugins", "salita-plugin-posts")); err != nil {
		t.Fatal(err)
	}
	g.awaitPlugin("posts", "")
	if r := g.cli("", "plugins", "enable", "posts"); r.code != 1 || !strings.Contains(r.err, "salita-plugin-posts") {
		t.Errorf("enable without a program: exit %d\n%s", r.code, r.err)
	}
	if g.cmd.Process.Pid != pid || g.cmd.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("the gateway did not live through it")
	}
}

// TestEnableSaysWhyNot is about plugins that cannot be what is asked of them.
func TestEnableSaysWhyNot(t *testing.T) {
	g := newGateway(t, "Desktop")
	dir := filepath.Join(g.dir, "plugins")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"broken": "#!/bin/sh\nexit 3\n", "strange": "#!/no/such/shell\n"} {
		if err := os.WriteFile(filepath.Join(dir, "salita-plugin-"+name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, part := range map[string]string{"broken": "stopped unexpectedly", "strange": "needs another program"} {
		if r := g.cli("", "plugins", "enable", name); r.code != 1 || !strings.Contains(r.err, part) {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.out, r.err)
		}
	}
	// A plugin that refuses new settings goes on with the ones before.
	g.edit(replaced("library", "libary"))
	g.awaitLog("libary", 1)
	if status, _ := g.ask(http.MethodGet, "/media", ""); status != http.StatusOK {
		t.Errorf("media answers %d", status)
	}
}

// TestCheck runs salita check on a dozen wrong inputs, beside a gateway that is
// not to notice.
func TestCheck(t *testing.T) {
	g := newGateway(t, "Desktop")
	program, err := builtPosts()
	if err != nil {
		t.Fatal(err)
	}
	place := t.TempDir()
	if err := os.Symlink(program, filepath.Join(place, "salita-plugin-posts")); err != nil {
		t.Fatal(err)
	}
	dirs := fmt.Sprintf("plugin_dirs = [%q]\n", place)
	for name, tt := range map[string]struct {
		file string
		code int
		said []string // on standard error
	}{
		"good":              {"plugin \"media\" {}\n", 0, nil},
		"nothing":           {"", 0, nil},
		"setting misspelt":  {"server {\n  adress = \":1\"\n}\n", 2, []string{"my.hcl:2:3: ", "  adress = ", "^^^^^^", `Did you mean "address"?`}},
		"block misspelt":    {"sevrer {}\n", 2, []string{"my.hcl:1:1: ", "^^^^^^"}},
		"not closed":        {"device {\n", 2, []string{"my.hcl:1:8: ", "^"}},
		"wrong type":        {"discovery {\n  interval = 60\n}\n", 2, []string{"my.hcl:2:14: ", "^^", "a duration such as"}},
		"wrong grant":       {"pairing {\n  grant = [\"media\"]\n}\n", 2, []string{"my.hcl:2:12: ", "^^^^^^^", "a permission such as"}},
		"plugin twice":      {"plugin \"media\" {}\nplugin \"media\" {}\n", 2, []string{"my.hcl:2:8: ", "^^^^^^^", "line 1"}},
		"settings outside":  {"plugin \"media\" {\n  library = \"/x\"\n}\n", 2, []string{"my.hcl:2:3: ", "^^^^^^^", "config { }"}},
		"plugin's setting":  {"plugin \"media\" {\n  config {\n    libary = \"/x\"\n  }\n}\n", 2, []string{"my.hcl:3:5: ", "    libary = ", "    ^^^^^^", `Did you mean "library"?`}},
		"plugin's type":     {"plugin \"media\" { # ours\n  config {\n    library = [\"/x\"]\n  }\n}\n", 2, []string{"my.hcl:3:15: ", "^", "string required"}},
		"no such plugin":    {"\nplugin \"nothing\" {}\n", 2, []string{"my.hcl:2:8: ", "^^^^^^^^^", "No program salita-plugin-nothing"}},
		"another program":   {"plugin \"media\" {\n  sha256 = \"" + strings.Repeat("ab", 32) + "\"\n}\n", 2, []string{"my.hcl:2:12: ", "^^^^", "set sha256 = "}},
		"certificate":       {"certificate {\n  file = \"/no/such.pem\"\n  key  = \"/no/such.pem\"\n}\n", 2, []string{"my.hcl:2:10: ", "^^^^", "/no/such.pem"}},
		"link out of there": {dirs + "plugin \"posts\" {}\n", 1, []string{"is a link that leaves its folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "my.hcl")
			if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			r := g.cli("", "check", "--config", file)
			if r.code != tt.code || r.out == "" || (r.code == 0) != strings.Contains(r.out, "Everything is fine.") {
				t.Errorf("exit %d, want %d\n%s%s", r.code, tt.code, r.out, r.err)
			}
			for _, said := range tt.said {
				if !strings.Contains(r.err, said) {
					t.Errorf("does not say %q:\n%s", said, r.err)
				}
			}
			var report struct {
				OK       bool
				File     string
				Problems []struct {
					File string
					Line int
				}
			}
			j := g.cli("", "check", "--json", "--config", file)
			if err := json.Unmarshal([]byte(j.out), &report); err != nil || j.code != tt.code || report.OK != (tt.code == 0) || report.File != file {
				t.Fatalf("--json: exit %d: %v\n%s", j.code, err, j.out)
			}
			if tt.code == 2 && (len(report.Problems) == 0 || report.Problems[0].File != file || report.Problems[0].Line == 0) {
				t.Errorf("problems: %+v", report.Problems)
			}
		})
	}
	if p := g.pluginState("media"); p.State != "running" {
		t.Errorf("the gateway's own plugin is %+v", p)
	}
	if n := strings.Count(g.log.String(), "plugin running"); n != 1 {
		t.Errorf("the gateway's plugin started %d times", n)
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, "cache", "check-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
