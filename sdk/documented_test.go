package sdk_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// public are the packages that authors import, and what of them must have an
// example.
var public = map[string][]string{
	".":         {"Main", "Plugin", "Errorf", "Caller", "Host", "Events_Publish", "WriteError", "WriteJSON", "Manifest_Validate", "ReadError"},
	"./sdktest": {"Start", "StartProgram", "Conformance", "Check", "Build"},
	"./control": nil,
}

// TestEverythingIsDocumented wants a sentence at every exported name, fields and
// methods of interfaces included, that begins with the name where it is a
// declaration of its own.
func TestEverythingIsDocumented(t *testing.T) {
	for dir, examples := range public {
		p := parsePackage(t, dir)
		if !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") {
			t.Errorf("%s: the package comment is %.40q", dir, p.Doc)
		}
		checkValues(t, dir, p.Consts)
		checkValues(t, dir, p.Vars)
		checkFuncs(t, dir, p.Funcs)
		for _, typ := range p.Types {
			checkText(t, dir, typ.Name, typ.Doc)
			checkValues(t, dir, typ.Consts)
			checkFuncs(t, dir, typ.Funcs)
			checkFuncs(t, dir, typ.Methods)
			checkMembers(t, dir, typ)
		}
		has := exampleNames(t, dir)
		for _, name := range examples {
			if !slices.Contains(has, "Example"+name) {
				t.Errorf("%s: there is no Example%s", dir, name)
			}
		}
	}
}

func parsePackage(t *testing.T, dir string) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	p, err := doc.NewFromFiles(fset, parseFiles(t, fset, dir, false), "x/"+dir)
	must(t, err)
	return p
}

func parseFiles(t *testing.T, fset *token.FileSet, dir string, tests bool) []*ast.File {
	t.Helper()
	var files []*ast.File
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".":
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") != tests:
			return nil
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, path), nil, parser.ParseComments)
		files = append(files, f)
		return err
	}))
	return files
}

func checkText(t *testing.T, dir, name, text string) {
	t.Helper()
	first, _, _ := strings.Cut(text, "\n\n")
	switch {
	case !ast.IsExported(name):
	case !strings.HasPrefix(text, name+" ") && !strings.HasPrefix(text, "A "+name+" "):
		t.Errorf("%s: %s is documented with %.60q", dir, name, text)
	case !strings.Contains(first, "."):
		t.Errorf("%s: the text of %s is no sentence: %.60q", dir, name, text)
	}
}

func checkFuncs(t *testing.T, dir string, funcs []*doc.Func) {
	t.Helper()
	for _, f := range funcs {
		checkText(t, dir, f.Name, f.Doc)
	}
}

// checkValues wants a text at the group or at each of its members.
func checkValues(t *testing.T, dir string, values []*doc.Value) {
	t.Helper()
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			s := spec.(*ast.ValueSpec)
			if v.Doc == "" && s.Doc.Text() == "" && s.Comment.Text() == "" && ast.IsExported(s.Names[0].Name) {
				t.Errorf("%s: %s has no text", dir, s.Names[0].Name)
			}
		}
	}
}

// checkMembers wants a text at each exported field and method.
func checkMembers(t *testing.T, dir string, typ *doc.Type) {
	t.Helper()
	check := func(fields *ast.FieldList) {
		for _, f := range fields.List {
			for _, name := range f.Names {
				if ast.IsExported(name.Name) && f.Doc.Text() == "" && f.Comment.Text() == "" {
					t.Errorf("%s: %s.%s has no text", dir, typ.Name, name.Name)
				}
			}
		}
	}
	ast.Inspect(typ.Decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			check(n.Fields)
		case *ast.InterfaceType:
			check(n.Methods)
		}
		return true
	})
}

func exampleNames(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for _, e := range doc.Examples(parseFiles(t, token.NewFileSet(), dir, true)...) {
		names = append(names, "Example"+e.Name)
	}
	return names
}
