package web

import (
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var imported = regexp.MustCompile(`(?m)^(?:import|export)\s[^;]*?from\s+'([^']*)'|^import\s+'([^']*)'|\bimport\(`)

// imports returns the paths that a module imports, resolved.
func imports(t *testing.T, at string, body []byte) []string {
	t.Helper()
	var out []string
	for _, m := range imported.FindAllSubmatch(body, -1) {
		target := string(m[1]) + string(m[2])
		if !strings.HasPrefix(target, "./") && !strings.HasPrefix(target, "../") {
			t.Errorf("%s imports %q: only files beside it can be had", at, target)
			continue
		}
		out = append(out, path.Join(path.Dir(at), target))
	}
	return out
}

// TestWhatPagesLoadIsThere follows every script, style, image and import, and
// finds files that nothing uses.
func TestWhatPagesLoadIsThere(t *testing.T) {
	// The gateway makes these itself.
	used := map[string]bool{"/trust/salita.crt": true, "/trust/salita.mobileconfig": true}
	var follow func(from, to string)
	follow = func(from, to string) {
		if used[to] {
			return
		}
		used[to] = true
		a, ok := Lookup(to)
		if !ok {
			t.Errorf("%s uses %s, which is not there", from, to)
			return
		}
		if path.Ext(to) == ".js" {
			for _, next := range imports(t, to, a.Body) {
				follow(to, next)
			}
		}
	}
	for _, p := range pages {
		used[p] = true
		a, _ := Lookup(p)
		elements, err := parse(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range elements {
			for _, attr := range []string{"href", "src"} {
				if to := e.attrs[attr]; to != "" && !strings.HasPrefix(to, "#") {
					follow(p, to)
				}
			}
		}
	}
	for _, p := range Paths() {
		if !used[p] {
			t.Errorf("%s is used by nothing", p)
		}
	}
}

// foreign finds an address of another machine, with or without its scheme. A
// comment in a script begins with two slashes and a space.
var foreign = regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp):|["'(=]\s*//|url\(`)

// TestNothingComesFromElsewhere: the pages work with the internet cut off.
func TestNothingComesFromElsewhere(t *testing.T) {
	for _, p := range Paths() {
		a, _ := Lookup(p)
		body := strings.ReplaceAll(string(a.Body), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := foreign.FindString(body); found != "" {
			t.Errorf("%s holds %q", p, found)
		}
	}
}

func TestForeignFindsThem(t *testing.T) {
	for _, bad := range []string{`src="https://x"`, `fetch('//x')`, `url(x)`, `href=//x`, `new WebSocket("wss://x")`} {
		if !foreign.MatchString(bad) {
			t.Errorf("%s passes", bad)
		}
	}
	if foreign.MatchString("// a comment\nlet x = 1; // another") {
		t.Error("a comment does not pass")
	}
}

// forbidden are the ways to make markup or code of a text, and the places where
// a page could keep a secret.
var forbidden = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|setHTML|` +
	`document\.write|\beval\b|new Function|\blocalStorage\b|\bsessionStorage\b|\bindexedDB\b|document\.cookie|` +
	`access_token|session_token|\bcaches\b|console\.`)

func TestScriptsOnlyWriteText(t *testing.T) {
	for _, p := range Paths() {
		if path.Ext(p) != ".js" {
			continue
		}
		a, _ := Lookup(p)
		if found := forbidden.Find(a.Body); found != nil {
			t.Errorf("%s uses %s", p, found)
		}
	}
}

var filled = regexp.MustCompile(`byId\('([^']+)'\)|stamp\('([^']+)'\)`)

// TestScriptsFindTheirElements: every id that a page's scripts ask for is on
// that page.
func TestScriptsFindTheirElements(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		var ids []string
		modules := make(map[string]bool)
		var follow func(string)
		follow = func(p string) {
			if modules[p] {
				return
			}
			modules[p] = true
			a, _ := Lookup(p)
			for _, next := range imports(t, p, a.Body) {
				follow(next)
			}
		}
		for _, e := range elements {
			ids = append(ids, e.attrs["id"])
			if e.tag == "script" {
				follow(e.attrs["src"])
			}
		}
		if len(modules) == 0 {
			t.Fatal("no scripts")
		}
		for p := range modules {
			a, _ := Lookup(p)
			for _, m := range filled.FindAllSubmatch(a.Body, -1) {
				if id := string(m[1]) + string(m[2]); !slices.Contains(ids, id) {
					t.Errorf("%s asks for #%s", p, id)
				}
			}
		}
	})
}

// TestModules runs the tests that lie beside the modules.
func TestModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed, so the modules' own tests did not run; scripts/install-test-tools installs it")
	}
	out, err := exec.CommandContext(t.Context(), node, "--test").CombinedOutput()
	if err != nil {
		t.Fatalf("node --test: %v\n%s", err, out)
	}
	if passed := regexp.MustCompile(`(?m)^\S+ pass (\d+)$`).FindSubmatch(out); passed == nil || string(passed[1]) == "0" {
		t.Fatalf("node ran no test:\n%s", out)
	}
}
