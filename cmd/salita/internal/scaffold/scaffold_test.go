package scaffold

import (
	"bytes"
	"errors"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

const checkout = "../../../.."

func testSDK() SDK {
	return SDK{Dir: "/src/salita", GoVersion: "1.26.0", Modules: []Module{{"example.com/a", "v1.0.0"}}, Sums: []byte("sums\n")}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWrittenCodeIsFormatted holds for names of every length, because gofmt
// aligns.
func TestWrittenCodeIsFormatted(t *testing.T) {
	for _, name := range []string{"a", "walks", "dog-walks-2", strings.Repeat("a", sdk.MaxNameLength)} {
		dir := filepath.Join(t.TempDir(), "new")
		names, err := Plugin{Name: name, SDK: testSDK()}.Write(dir)
		must(t, err)
		want := []string{"go.mod", "main.go", "notes.go", "plugin_test.go", "README.md", ".gitignore", "go.sum"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
		for _, file := range names {
			text, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			if strings.Contains(string(text), "{{") || strings.Contains(string(text), "<no value>") {
				t.Errorf("%s is not filled:\n%s", file, text)
			}
			if filepath.Ext(file) != ".go" {
				continue
			}
			formatted, err := format.Source(text)
			must(t, err)
			if !bytes.Equal(text, formatted) {
				t.Errorf("%s of %s is not formatted:\n%s", file, name, cmp.Diff(string(formatted), string(text)))
			}
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	must(t, os.WriteFile(file, []byte("mine"), 0o600))
	if names, err := (Plugin{Name: "walks", SDK: testSDK()}).Write(dir); !errors.Is(err, fs.ErrExist) || len(names) != 0 {
		t.Errorf("wrote %v, %v", names, err)
	}
	if _, err := (Plugin{Name: "walks", SDK: testSDK()}).Write(file); err == nil {
		t.Error("wrote into a file")
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if text, _ := os.ReadFile(file); len(entries) != 1 || string(text) != "mine" {
		t.Errorf("%d entries, the file reads %q", len(entries), text)
	}
	if err := writeNew(file, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file in the way: %v", err)
	}
	empty := t.TempDir()
	if _, err := (Plugin{Name: "walks", SDK: testSDK()}).Write(empty); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestTitle(t *testing.T) {
	for name, want := range map[string]string{"walks": "Walks", "dog-walks": "Dog walks", "a": "A", "x-2": "X 2"} {
		if got := (Plugin{Name: name}).Title(); got != want {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
}

func TestFindSDK(t *testing.T) {
	root := t.TempDir()
	inside := filepath.Join(root, "salita", "cmd", "x")
	must(t, os.MkdirAll(inside, 0o700))
	must(t, os.WriteFile(filepath.Join(root, "salita", "go.mod"), []byte("module "+modulePath+"\n\ngo 1.26\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(root, "salita", "cmd", "go.mod"), []byte("module "+modulePath+"/tools\n"), 0o600))
	want := filepath.Join(root, "salita")
	for _, places := range [][]string{{inside}, {want}, {"", root, inside}, {filepath.Join(inside, "program")}} {
		if got := FindSDK(places...); got != want {
			t.Errorf("from %v: %q", places, got)
		}
	}
	if got := FindSDK("", root); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestReadSDK(t *testing.T) {
	kit, err := ReadSDK(t.Context(), checkout)
	must(t, err)
	if !filepath.IsAbs(kit.Dir) || !strings.HasPrefix(kit.GoVersion, "1.") || len(kit.Sums) == 0 {
		t.Errorf("got %+v", kit)
	}
	needs := map[string]bool{}
	for _, m := range kit.Modules {
		needs[m.Path] = true
	}
	if !needs["github.com/hashicorp/go-plugin"] || needs["github.com/gofiber/fiber/v2"] {
		t.Errorf("the SDK needs %v", kit.Modules)
	}
	if _, err := ReadSDK(t.Context(), t.TempDir()); !errors.Is(err, ErrNoSDK) {
		t.Errorf("an empty folder: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := ReadSDK(t.Context(), checkout); !errors.Is(err, ErrNoGo) {
		t.Errorf("without Go: %v", err)
	}
}

func TestReplacePath(t *testing.T) {
	for dir, want := range map[string]string{"/src/salita": "/src/salita", "/my src/salita": `"/my src/salita"`} {
		if got := (SDK{Dir: dir}).ReplacePath(); got != want {
			t.Errorf("%s is named %s", dir, got)
		}
	}
}
