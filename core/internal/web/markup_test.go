package web

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// element is one start tag of a page.
type element struct {
	tag   string
	attrs map[string]string
	in    []string // the tags around it, the outermost first
	text  string   // what is directly in it
}

func (e element) has(attr string) bool { _, ok := e.attrs[attr]; return ok }

var void = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// parse reads a page strictly: every element that needs it is closed, in the
// right order.
func parse(page []byte) ([]element, error) {
	var all []element
	var open []int // indexes into all
	z := html.NewTokenizer(strings.NewReader(string(page)))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				return nil, z.Err()
			}
			if len(open) > 0 {
				return nil, fmt.Errorf("<%s> is not closed", all[open[len(open)-1]].tag)
			}
			return all, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			e := element{tag: token.Data, attrs: make(map[string]string)}
			for _, i := range open {
				e.in = append(e.in, all[i].tag)
			}
			for _, a := range token.Attr {
				e.attrs[a.Key] = a.Val
			}
			all = append(all, e)
			if kind == html.StartTagToken && !slices.Contains(void, e.tag) {
				open = append(open, len(all)-1)
			}
		case html.EndTagToken:
			tag := z.Token().Data
			if len(open) == 0 || all[open[len(open)-1]].tag != tag {
				return nil, fmt.Errorf("</%s> closes nothing", tag)
			}
			open = open[:len(open)-1]
		case html.TextToken:
			if len(open) > 0 {
				all[open[len(open)-1]].text += z.Token().Data
			}
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	for _, bad := range []string{"<p>", "</p>", "<p><b></p></b>", "<main><p></main>"} {
		if _, err := parse([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if got, err := parse([]byte(`<!doctype html><p>a<br><img alt="">b</p>`)); err != nil || len(got) != 3 || got[0].text != "ab" {
		t.Errorf("%v, %v", got, err)
	}
}

// eachPage runs a test on the elements of every page.
func eachPage(t *testing.T, check func(t *testing.T, elements []element)) {
	t.Helper()
	for _, p := range pages {
		t.Run(p, func(t *testing.T) {
			a, _ := Lookup(p)
			elements, err := parse(a.Body)
			if err != nil {
				t.Fatal(err)
			}
			check(t, elements)
		})
	}
}

func TestPagesFitTheirPolicy(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		for _, e := range elements {
			if e.tag == "style" || e.tag == "script" && (e.text != "" || e.attrs["src"] == "") {
				t.Errorf("<%s> is written into the page", e.tag)
			}
			if slices.Contains([]string{"iframe", "object", "embed", "base", "frame"}, e.tag) {
				t.Errorf("<%s> is not allowed", e.tag)
			}
			for name, value := range e.attrs {
				if name == "style" || strings.HasPrefix(name, "on") || name == "srcdoc" || name == "action" {
					t.Errorf("<%s %s=%q>", e.tag, name, value)
				}
			}
		}
	})
}

func TestPagesAreWholeAndNamed(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		count := make(map[string]int)
		for _, e := range elements {
			count[e.tag]++
			if e.tag == "html" && e.attrs["lang"] != "en" {
				t.Error("no language")
			}
			if e.tag == "title" && !slices.Contains(e.in, "svg") && !strings.HasSuffix(e.text, " · Salita") {
				t.Errorf("title %q", e.text)
			}
			if e.tag == "meta" && e.attrs["name"] == "viewport" && strings.Contains(e.attrs["content"], "scalable") {
				t.Error("the page cannot be enlarged")
			}
		}
		for _, once := range []string{"html", "head", "body", "main", "title", "header", "noscript"} {
			if count[once] != 1 {
				t.Errorf("<%s> %d times", once, count[once])
			}
		}
	})
}

func TestIDsAreUniqueAndReferencesResolve(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		ids := make(map[string]bool)
		for _, e := range elements {
			if id, ok := e.attrs["id"]; ok {
				if ids[id] || id == "" {
					t.Errorf("id %q twice", id)
				}
				ids[id] = true
			}
		}
		for _, e := range elements {
			for _, attr := range []string{"for", "aria-labelledby", "aria-describedby", "aria-controls"} {
				for _, id := range strings.Fields(e.attrs[attr]) {
					if !ids[id] {
						t.Errorf("<%s %s=%q> leads nowhere", e.tag, attr, id)
					}
				}
			}
			if id, ok := strings.CutPrefix(e.attrs["href"], "#"); ok && !ids[id] {
				t.Errorf("#%s leads nowhere", id)
			}
		}
	})
}

func TestEverythingCanBeUsedWithoutEyesOrMouse(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		labelled := make(map[string]bool)
		for _, e := range elements {
			labelled[e.attrs["for"]] = true
		}
		for _, e := range elements {
			switch e.tag {
			case "img":
				if !e.has("alt") {
					t.Error("an image without a text for those who cannot see it")
				}
			case "input", "textarea", "select":
				if !labelled[e.attrs["id"]] || e.attrs["id"] == "" {
					t.Errorf("a field without a label: %v", e.attrs)
				}
			case "button":
				if e.attrs["type"] == "" {
					t.Errorf("a button without a type: %v", e.attrs)
				}
			case "svg":
				if e.attrs["aria-hidden"] != "true" {
					t.Errorf("a drawing that is read out: %v", e.attrs)
				}
			case "section":
				if !e.has("data-view") && !e.has("aria-labelledby") {
					t.Errorf("a section without a name: %v", e.attrs)
				}
			}
			if n := e.attrs["tabindex"]; n != "" && n != "0" && n != "-1" {
				t.Errorf("tabindex %s", n)
			}
		}
	})
}

// TestViewsHaveAHeadingToGoTo: the scripts move the focus to it.
func TestViewsHaveAHeadingToGoTo(t *testing.T) {
	eachPage(t, func(t *testing.T, elements []element) {
		view := ""
		headed := make(map[string]bool)
		for _, e := range elements {
			if name, ok := e.attrs["data-view"]; ok {
				view = name
				if (view == "loading") == e.has("hidden") {
					t.Errorf("view %s: only loading is there before the script has run", view)
				}
			}
			if (e.tag == "h1" || e.tag == "h2") && e.attrs["tabindex"] == "-1" {
				headed[view] = true
			}
		}
		for _, e := range elements {
			if name := e.attrs["data-view"]; name != "" && name != "loading" && !headed[name] {
				t.Errorf("view %s has no heading with tabindex", name)
			}
		}
	})
}
