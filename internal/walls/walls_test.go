// Package walls holds the one test of the architecture: who may import what.
// Go's own internal folders keep most walls; this says the rest.
package walls

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/salita-mesh/salita/"

type pkg struct {
	ImportPath string
	Imports    []string
}

// listed returns every package of the module with its direct imports, tests
// left out: a test may use what it likes.
func listed(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func under(path string, roots ...string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// program is the folder of the program or plugin that a package belongs to:
// "cmd/salita" for "cmd/salita/internal/x".
func program(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// property is a library that nobody but its owners may import.
type property struct {
	library string
	owners  []string
}

// covers reports whether the import is the library or, unless that is of the
// standard library, below it.
func (p property) covers(path string) bool {
	return path == p.library || strings.Contains(p.library, ".") && under(path, p.library)
}

var only = []property{
	{"github.com/gofiber/fiber/v2", []string{"core/internal/httpapi"}},
	{"github.com/valyala/fasthttp", []string{"core/internal/httpapi"}},
	{"gorm.io", []string{"core/internal/store"}},
	{"github.com/pressly/goose/v3", []string{"core/internal/store"}},
	{"modernc.org/sqlite", []string{"core/internal/store", "plugins"}},
	{"github.com/hashicorp/hcl/v2", []string{"core/internal/config", "sdk"}},
	{"github.com/hashicorp/go-plugin", []string{"core/internal/plugins", "sdk"}},
	{"github.com/gtank/ristretto255", []string{"core/internal/cpace"}},
	{"github.com/spf13/cobra", []string{"cmd"}},
	{"log", []string{"core/internal/plugins"}},                         // http.Server takes no other logger
	{"unsafe", []string{"sdk/internal/wire", "core/internal/sandbox"}}, // generated code; system calls
}

func TestWalls(t *testing.T) {
	for _, p := range listed(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, path := range p.Imports {
			for _, o := range only {
				if o.covers(path) && !under(from, o.owners...) {
					t.Errorf("%s imports %s, which belongs to %v", from, path, o.owners)
				}
			}
			to, ours := strings.CutPrefix(path, module)
			if !ours {
				if from == "core/internal/mesh" && strings.Contains(path, ".") {
					t.Errorf("%s imports %s: the vocabulary needs the standard library only", from, path)
				}
				continue
			}
			switch {
			case under(from, "sdk") && !under(to, "sdk"):
				t.Errorf("%s imports %s: the sdk imports nothing of the gateway's", from, to)
			case under(from, "plugins") && to != "sdk" && !under(to, program(from)):
				t.Errorf("%s imports %s: a plugin imports only sdk and its own", from, to)
			case from == "core/internal/mesh" && to != "sdk":
				t.Errorf("%s imports %s: the vocabulary imports only sdk", from, to)
			case under(to, "cmd", "e2e", "bench") && !under(to, program(from)+"/internal"):
				t.Errorf("%s imports %s: nobody imports a program", from, to)
			}
		}
	}
}
