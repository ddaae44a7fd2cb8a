package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/salita-mesh/salita/sdk"
)

// TestEdits shows the file before and after, byte for byte.
func TestEdits(t *testing.T) {
	tests := map[string]struct {
		before  string
		enabled bool
		after   string
	}{
		"empty file":      {"", true, "plugin \"posts\" {}\n"},
		"no newline last": {"# mine", true, "# mine\n\nplugin \"posts\" {}\n"},
		"newline last":    {"log {}\n", true, "log {}\n\nplugin \"posts\" {}\n"},
		"empty line last": {"log {}\n\n", true, "log {}\n\nplugin \"posts\" {}\n"},
		"lines of another system": {
			"log {\r\n  level = \"info\"\r\n}\r\n", true,
			"log {\r\n  level = \"info\"\r\n}\r\n\r\nplugin \"posts\" {}\r\n",
		},
		"another plugin": {
			"plugin \"media\" {\n  enabled = false\n}\n", true,
			"plugin \"media\" {\n  enabled = false\n}\n\nplugin \"posts\" {}\n",
		},
		"nothing to disable": {"log {}\n", false, "log {}\n"},
		"said so, with a remark": {
			"plugin \"posts\" {\n  enabled = false # too loud\n  env     = [\"LANG\"]\n}\n", true,
			"plugin \"posts\" {\n  enabled = true # too loud\n  env     = [\"LANG\"]\n}\n",
		},
		"said in quotes": {
			"plugin \"posts\" { enabled = \"true\" }", false,
			"plugin \"posts\" { enabled = false }",
		},
		"an empty block on one line": {
			"plugin \"posts\" {} # ours\n", false,
			"plugin \"posts\" {\n  enabled = false\n} # ours\n",
		},
		"a setting on one line": {
			"\tplugin \"posts\" { env = [\"LANG\"] }", false,
			"\tplugin \"posts\" {\n\t  enabled = false\n\t  env = [\"LANG\"]\n\t}",
		},
		"a block with remarks": {
			"# above\nplugin \"posts\" { # beside\n  # inside\n  config {\n    limit = 7 # deep\n  }\n}\n# below\n", false,
			"# above\nplugin \"posts\" { # beside\n  enabled = false\n  # inside\n  config {\n    limit = 7 # deep\n  }\n}\n# below\n",
		},
		"a remark of two lines": {
			"plugin \"posts\" { /* one\n two */\n\tsha256 = \"" + strings.Repeat("a", 64) + "\"\n}\n", false,
			"plugin \"posts\" { /* one\n two */\n\tenabled = false\n\tsha256 = \"" + strings.Repeat("a", 64) + "\"\n}\n",
		},
		"an empty block on two lines": {
			"plugin posts {\n}\n", false,
			"plugin posts {\n  enabled = false\n}\n",
		},
		"enabled inside config is not ours": {
			"plugin \"posts\" {\n  config {\n    enabled = true\n  }\n}\n", false,
			"plugin \"posts\" {\n  enabled = false\n  config {\n    enabled = true\n  }\n}\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := setEnabled([]byte(tt.before), "posts", tt.enabled)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.after, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func (w *world) source(t *testing.T, change ...func(*Options)) *Source {
	t.Helper()
	opts := Options{Env: func(key string) string { return w.env[key] }, WorkDir: w.work}
	for _, f := range change {
		f(&opts)
	}
	s, err := NewSource(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEnableWithoutAnyFileMakesOneInTheDataFolder(t *testing.T) {
	w := newWorld(t)
	data := filepath.Join(w.home, "new", "data") // not there yet
	s := w.source(t, func(o *Options) { o.DataDir = data })
	file, changed, err := s.SetEnabled("posts", true)
	if err != nil || !changed || file != filepath.Join(data, fileName) {
		t.Fatalf("%s, %v, %v", file, changed, err)
	}
	if got := read(t, file); got != "plugin \"posts\" {}\n" {
		t.Errorf("file is %q", got)
	}
	if info, _ := os.Stat(file); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if r := s.Read(); r.Err != nil || r.File != file || !r.Config.enables("posts") {
		t.Errorf("read %+v", r)
	}
}

func TestEditKeepsModeAndLinks(t *testing.T) {
	w := newWorld(t)
	kept := filepath.Join(w.home, "kept.hcl")
	w.write(t, kept, sample)
	if err := os.Chmod(kept, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(w.work, fileName)
	if err := os.Symlink(kept, link); err != nil {
		t.Fatal(err)
	}
	s := w.source(t)
	file, changed, err := s.SetEnabled("media", false)
	if err != nil || !changed || file != link {
		t.Fatalf("%s, %v, %v", file, changed, err)
	}
	if target, err := os.Readlink(link); err != nil || target != kept {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	info, err := os.Stat(kept)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	want := strings.Replace(sample, "enabled = true", "enabled = false", 1)
	if diff := cmp.Diff(want, read(t, kept)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Once more changes nothing, not even the file's time.
	if _, changed, err := s.SetEnabled("media", false); changed || err != nil {
		t.Errorf("once more: %v, %v", changed, err)
	}
	if entries, _ := os.ReadDir(w.home); len(entries) != 2 { // .salita and kept.hcl
		t.Errorf("left behind: %v", entries)
	}
}

func TestEditRefusals(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	t.Run("a mistake in the file", func(t *testing.T) {
		w.write(t, file, "plugin \"posts\" {\n  enabld = false\n}\n")
		_, _, err := w.source(t).SetEnabled("posts", true)
		var e *Error
		if !errors.As(err, &e) || e.Diagnostics()[0].Line != 2 {
			t.Errorf("error %v", err)
		}
		if got := read(t, file); !strings.Contains(got, "enabld") {
			t.Errorf("file is %q", got)
		}
	})
	t.Run("a wrong name", func(t *testing.T) {
		for _, name := range []string{"", "Posts", "a b", "../x", "x\"} {"} {
			if _, _, err := w.source(t).SetEnabled(name, true); sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("a file that would be too large", func(t *testing.T) {
		w.write(t, file, strings.Repeat("#\n", maxFile/2))
		if _, _, err := w.source(t).SetEnabled("posts", true); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a folder that cannot be written", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		w.write(t, file, "")
		if err := os.Chmod(w.work, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(w.work, 0o700)
		_, _, err := w.source(t).SetEnabled("posts", true)
		if e := sdk.AsError(err); err == nil || !strings.Contains(e.Friendly(), "can't be changed") || e.Hint == "" {
			t.Errorf("error %v", err)
		}
	})
}

// TestEditsAtTheSameMoment checks that nobody's edit is lost in silence.
func TestEditsAtTheSameMoment(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file, "# theirs\n")
	for what, before := range map[string][]byte{"changed": []byte("# old\n"), "appeared": nil} {
		if err := replace(file, before, []byte("# ours\n")); sdk.KindOf(err) != sdk.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := read(t, file); got != "# theirs\n" {
		t.Errorf("file is %q", got)
	}
	os.Remove(file)
	if err := replace(file, []byte("# old\n"), []byte("# ours\n")); err == nil {
		t.Error("a file that is gone was replaced")
	}
	if entries, _ := os.ReadDir(w.work); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// FuzzEdit checks that an edit changes what it should and nothing else: each
// setting, each remark and each plugin's own text stay.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(sample), true)
	f.Add([]byte(sample), false)
	f.Add([]byte("plugin \"media\" { /* a\n b */ # c\n\n config {\n x = <<E\nplugin\nE\n }\n}"), false)
	f.Add([]byte("plugin \"media\" {}\r\nplugin \"posts\" {}"), false)
	f.Add([]byte("plugin \"media\" { enabled = \"true\" }"), false)
	f.Add([]byte("# only a remark"), true)
	f.Add([]byte("log {}\n\n\r\n"), true)
	f.Fuzz(func(t *testing.T, source []byte, enabled bool) {
		if len(source) > 4096 {
			return
		}
		before := Default()
		if decode(source, "f.hcl", &before).HasErrors() || before.enables("media") == enabled {
			return
		}
		edited, err := setEnabled(source, "media", enabled)
		if err != nil {
			t.Fatal(err)
		}
		after := Default()
		if diags := decode(edited, "f.hcl", &after); diags.HasErrors() {
			t.Fatalf("%q became %q: %v", source, edited, diags)
		}
		if after.enables("media") != enabled {
			t.Fatalf("%q became %q", source, edited)
		}
		if !reflect.DeepEqual(withoutPlugin(before), withoutPlugin(after)) {
			t.Errorf("%q became %q\n%s", source, edited, cmp.Diff(withoutPlugin(before), withoutPlugin(after)))
		}
		if diff := cmp.Diff(remarks(source), remarks(edited)); diff != "" {
			t.Errorf("%q became %q\n%s", source, edited, diff)
		}
	})
}

// remarks are the comments in a file.
func remarks(source []byte) (all []string) {
	tokens, _ := hclsyntax.LexConfig(source, "f.hcl", hcl.InitialPos)
	for _, token := range tokens {
		if token.Type == hclsyntax.TokenComment {
			all = append(all, strings.TrimRight(string(token.Bytes), "\r\n"))
		}
	}
	return all
}

// withoutPlugin is the configuration without what an edit of media may change:
// whether it is enabled, and the places of all that follows.
func withoutPlugin(c Config) Config {
	var plugins []Plugin
	for _, p := range c.Plugins {
		if p.Block.Line, p.Block.Column, p.Block.Byte = 0, 0, 0; p.Name == "media" {
			p.Enabled = false
			if reflect.DeepEqual(p, Plugin{Name: "media"}) {
				continue // as good as no block
			}
		}
		plugins = append(plugins, p)
	}
	c.Plugins = plugins
	return c
}
