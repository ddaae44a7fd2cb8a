package web

import (
	"bytes"
	"compress/gzip"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// pages are the addresses that people open.
var pages = []string{"/", "/add", "/join", "/open", "/trust"}

func TestLookup(t *testing.T) {
	for _, p := range pages {
		a, ok := Lookup(p)
		if !ok || a.ContentType != "text/html; charset=utf-8" || !bytes.HasPrefix(a.Body, []byte("<!doctype html>")) || a.CSP != pagePolicy {
			t.Errorf("%s: %v, %q, %q", p, ok, a.ContentType, a.CSP)
		}
	}
	for p, contentType := range map[string]string{
		"/assets/salita.css":    "text/css; charset=utf-8",
		"/assets/icon.svg":      "image/svg+xml",
		"/assets/home.js":       "text/javascript; charset=utf-8",
		"/assets/page/words.js": "text/javascript; charset=utf-8",
	} {
		a, ok := Lookup(p)
		if !ok || a.ContentType != contentType || len(a.Body) == 0 || a.CSP != assetPolicy {
			t.Errorf("%s: %v, %q, %q", p, ok, a.ContentType, a.CSP)
		}
	}
}

func TestLookupKnowsNoOtherSpelling(t *testing.T) {
	for _, p := range []string{
		"", "//", "/index.html", "/home", "/home.html", "/add/", "/add.html", "/ADD", "add", "/open?x=1", "/join#x",
		"/assets", "/assets/", "/assets/page", "/assets/page/", "/assets/../add", "/assets//home.js", "/assets/./home.js",
		"/assets/page/words.test.mjs", "/assets/package.json", "/static/home.html", "/assets/%68ome.js", "/assets/home.js\x00",
		"/../web.go", "/assets/..%2fhome.html", `/assets\home.js`,
	} {
		if a, ok := Lookup(p); ok || a.Body != nil {
			t.Errorf("%q is there", p)
		}
	}
}

func TestPathsAreWhatLookupKnows(t *testing.T) {
	paths := Paths()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(load())), slices.Sorted(slices.Values(paths))); diff != "" {
		t.Error(diff)
	}
	for _, p := range paths {
		if _, ok := Lookup(p); !ok {
			t.Errorf("%s is listed, and not there", p)
		}
		if strings.Contains(p, "test") || path.Ext(p) == ".mjs" {
			t.Errorf("%s ships a test", p)
		}
	}
}

func TestETagsAreDistinctAndStrong(t *testing.T) {
	seen := make(map[string]string)
	for p, a := range load() {
		if len(a.ETag) < 18 || a.ETag[0] != '"' || a.ETag[len(a.ETag)-1] != '"' || strings.Contains(a.ETag[1:len(a.ETag)-1], `"`) {
			t.Errorf("%s: %s is not a strong entity tag", p, a.ETag)
		}
		if other, ok := seen[a.ETag]; ok {
			t.Errorf("%s and %s have the same tag", p, other)
		}
		seen[a.ETag] = p
		if a.ETag != etag(slices.Clone(a.Body)) || a.ETag == etag(append(slices.Clone(a.Body), ' ')) {
			t.Errorf("%s: the tag does not follow the body", p)
		}
	}
}

func TestReadRefusesAnUnknownType(t *testing.T) {
	if _, err := read(fstest.MapFS{"static/x.exe": {}}); err == nil {
		t.Error("no error")
	}
	if _, err := read(fstest.MapFS{}); err == nil {
		t.Error("nothing embedded, and no error")
	}
}

// TestBudget keeps the pages quick on a slow phone: compressed, all of them
// together weigh less than one photo's thumbnail.
func TestBudget(t *testing.T) {
	const budget = 60 << 10 // bytes
	var all bytes.Buffer
	z := gzip.NewWriter(&all)
	for _, p := range slices.Sorted(slices.Values(Paths())) {
		a, _ := Lookup(p)
		z.Write(a.Body)
	}
	z.Close()
	if all.Len() > budget {
		t.Errorf("%d bytes compressed, more than %d", all.Len(), budget)
	}
}
