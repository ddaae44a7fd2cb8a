package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
)

// axePath is where npm ci puts the accessibility rules.
const axePath = "node_modules/axe-core/axe.min.js"

// axe runs the rules on what is shown, and lists what breaks one of them.
const axe = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(
  (v) => v.id + ": " + v.help + " " + v.nodes.map((n) => n.html.slice(0, 120)).join(" ")))`

// accessible fails the test for every rule that is broken, where axe-core is
// installed.
func (p *page) accessible(where string) {
	p.t.Helper()
	source, err := os.ReadFile(axePath)
	if errors.Is(err, fs.ErrNotExist) {
		return // TestAxeIsInstalled says so
	}
	if err != nil {
		p.t.Fatal(err)
	}
	// The protocol may add a script where the page's own policy would not.
	eval[bool](p, string(source)+"; true")
	for _, broken := range evalPromise[[]string](p, axe) {
		p.t.Errorf("%s on %s, dark %v: %s", where, p.look.name, p.look.dark, broken)
	}
}

func TestAxeIsInstalled(t *testing.T) {
	if _, err := os.Stat(axePath); err != nil {
		t.Skip("axe-core is not installed, so its rules were not applied; scripts/install-test-tools installs it")
	}
}

// TestAxeFindsFaults: the rules do apply.
func TestAxeFindsFaults(t *testing.T) {
	if _, err := os.Stat(axePath); err != nil {
		t.Skip("axe-core is not installed; scripts/install-test-tools installs it")
	}
	f := newFake(t)
	p := newPage(t, desktop)
	p.open(f.URL + "/")
	p.view("signedout")
	p.accessible("signed out")
	source, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatal(err)
	}
	eval[bool](p, string(source)+`; document.querySelector("[data-view=signedout] h1").style.color = "#ddd"; document.documentElement.removeAttribute("lang"); true`)
	if found := evalPromise[[]string](p, axe); len(found) < 2 {
		t.Errorf("found %s", fmt.Sprint(found))
	}
}
