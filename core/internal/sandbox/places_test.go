package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tree makes files, and links where the text begins with "->", below a folder
// without links in its path.
func tree(t *testing.T, entries map[string]string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("this system has other paths and links")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range entries {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := cutLink(text); ok {
			err = errors.Join(err, os.Symlink(target, path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(text), 0o755))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func cutLink(text string) (target string, ok bool) {
	if len(text) > 2 && text[:2] == "->" {
		return text[2:], true
	}
	return "", false
}

func TestWithout(t *testing.T) {
	root := tree(t, map[string]string{
		"opt/tool/run": "", "opt/salita/bin/salita": "", "opt/salita/data/device.key": "", "opt/salita/lib": "->/usr/lib", "link": "->opt",
	})
	in := func(name string) string { return filepath.Join(root, name) }
	for _, tt := range []struct {
		name, folder string
		hidden       []string
		want         []string
	}{
		{"nothing hidden", in("opt"), nil, []string{in("opt")}},
		{"hidden elsewhere", in("opt/tool"), []string{in("opt/salita")}, []string{in("opt/tool")}},
		{"hidden below", in("opt"), []string{in("opt/salita/data")}, []string{in("opt/salita/bin"), in("opt/tool")}},
		{"through a link", in("link"), []string{in("opt/salita/data")}, []string{in("opt/salita/bin"), in("opt/tool")}},
		{"hidden itself", in("opt"), []string{in("opt")}, nil},
		{"within the hidden", in("opt/salita/bin"), []string{in("opt/salita")}, []string{in("opt/salita/bin")}},
		{"two hidden", in("opt"), []string{in("opt/salita"), in("opt/tool/run")}, nil},
		{"missing", in("nothing"), nil, nil},
		{"a name that begins alike", in("opt/tool"), []string{in("opt/toolbox")}, []string{in("opt/tool")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Without(tt.folder, tt.hidden...)
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	root := tree(t, map[string]string{
		"a/b/file": "", "a/c/file": "",
		"link": "->a/b", "x/here": "", "loop": "->loop", "broken": "->nowhere", "a/up": "->../link/file",
	})
	in := func(name string) string { return filepath.Join(root, name) }
	check := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(t, os.Symlink(in("a"), in("absolute")))
	for _, tt := range []struct {
		path, want string
		links      []string
		err        error
	}{
		{"a/b/file", "a/b/file", nil, nil},
		{"a/./b//file", "a/b/file", nil, nil},
		{"a/b/../c/file", "a/c/file", nil, nil},
		{"link/file", "a/b/file", []string{"link"}, nil},
		{"link/../c/file", "a/c/file", []string{"link"}, nil}, // not "c/file"
		{"a/up", "a/b/file", []string{"a/up", "link"}, nil},
		{"absolute/up", "a/b/file", []string{"absolute", "a/up", "link"}, nil},
		{"loop", "", nil, errTooManyLinks},
		{"broken", "", nil, fs.ErrNotExist},
		{"a/b/file/below", "", nil, fs.ErrNotExist},
	} {
		t.Run(tt.path, func(t *testing.T) {
			got, links, err := Resolve(root + "/" + tt.path)
			if tt.err != nil {
				if err == nil || !errors.Is(err, tt.err) && tt.path != "a/b/file/below" {
					t.Errorf("Resolve = %q, %v, want %v", got, err, tt.err)
				}
				return
			}
			for i, l := range tt.links {
				tt.links[i] = in(l)
			}
			if err != nil || got != in(tt.want) || !slices.Equal(links, tt.links) {
				t.Errorf("Resolve = %q through %v, %v, want %q through %v", got, links, err, in(tt.want), tt.links)
			}
			if real, err := filepath.EvalSymlinks(root + "/" + tt.path); tt.path != "link/../c/file" && (err != nil || real != got) {
				t.Errorf("the standard library says %q, %v", real, err)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		folder, path string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/ab", false},
		{"/a/b", "/a", false},
		{"/", "/a", true},
		{"/a", "/a/..b", true},
		{"/a", "/", false},
		{"/a/", "/a/b/", true},
	} {
		if got := Within(filepath.FromSlash(tt.folder), filepath.FromSlash(tt.path)); got != tt.want {
			t.Errorf("Within(%q, %q) = %v", tt.folder, tt.path, got)
		}
	}
}

func TestInterpreter(t *testing.T) {
	root := tree(t, map[string]string{
		"python/bin/python3.12":   "ELF",
		"python/bin/python3":      "->python3.12",
		"project/.venv/bin/py":    "->../../../python/bin/python3",
		"people/.local/bin/tool":  "ELF",
		"shims/shims/node":        "#!/bin/sh\n",
		"plain":                   "ELF",
		"project/.venv/data/file": "",
	})
	in := func(name string) string { return filepath.Join(root, name) }
	write := func(name, text string) {
		if err := os.WriteFile(in(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("project/.venv/pyvenv.cfg", "version = 3.12\nhome = "+in("python/bin")+"\n")
	for _, tt := range []struct {
		name, text, path string
		want             []string
	}{
		{"no script", "\x7fELF", "", nil},
		{"empty", "", "", nil},
		{"no words", "#!\n", "", nil},
		{"installed", "#!" + in("python/bin/python3") + "\n", "", []string{"python/bin/python3.12", "python"}},
		{"without a newline", "#! " + in("python/bin/python3"), "", []string{"python/bin/python3.12", "python"}},
		{"virtual environment", "#!" + in("project/.venv/bin/py") + " -u\n", "", []string{"project/.venv", "python", "python/bin/python3.12", "python"}},
		{"below .local", "#!" + in("people/.local/bin/tool") + "\n", "", []string{"people/.local/bin/tool"}},
		{"by env", "#!/usr/bin/env node\n", in("none") + ":" + in("shims/shims"), []string{"/usr/bin/env", "shims/shims/node", "shims"}},
		{"by env with options", "#!/usr/bin/env -S A=b node --flag\n", in("shims/shims"), []string{"/usr/bin/env", "shims/shims/node", "shims"}},
		{"by env, not there", "#!/usr/bin/env nowhere-to-be-found\n", in("shims/shims"), []string{"/usr/bin/env"}},
		{"missing", "#!" + in("missing/bin/x") + "\n", "", nil},
		{"relative", "#!bin/x\n", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write("script", tt.text)
			for i, w := range tt.want {
				if !filepath.IsAbs(w) {
					tt.want[i] = in(w)
				}
			}
			if diff := cmp.Diff(tt.want, Interpreter(in("script"), tt.path), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if got := Interpreter(in("missing"), ""); got != nil {
		t.Errorf("of a missing program: %v", got)
	}
}
