package plugins

import (
	"strings"
	"testing"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestRouteTable(t *testing.T) {
	table := newRouteTable([]sdk.Route{
		{Pattern: "GET /media", Permission: "media:read"},
		{Pattern: "GET /media/{id}", Permission: "media:read"},
		{Pattern: "DELETE /media/{id}", Permission: "media:delete"},
		{Pattern: "POST /media/upload", Permission: "media:upload"},
		{Pattern: "GET /media/raw/{path...}", Permission: "media:raw"},
		{Pattern: "GET /media/app/", Permission: "media:app"},
	})
	for _, c := range []struct {
		method, path string
		want         mesh.Permission // "" for none
	}{
		{"GET", "/media", "media:read"},
		{"HEAD", "/media/1", "media:read"},
		{"DELETE", "/media/1", "media:delete"},
		{"PUT", "/media/1", ""},
		{"OPTIONS", "/media/1", ""},
		{"POST", "/media/upload", "media:upload"},
		{"GET", "/media/upload", "media:read"},
		{"GET", "/media/a%2Fb", "media:read"},
		{"GET", "/media/a b", "media:read"},
		{"GET", "/media/%E4%B8%96", "media:read"},
		{"GET", "/media/世", "media:read"},
		{"GET", "/media/a/b", ""},
		{"GET", "/media/raw/a/b/c", "media:raw"},
		{"GET", "/media/raw/a%2Fb/c", "media:raw"},
		{"GET", "/media/app/x/y", "media:app"},
		{"GET", "/media/app", "media:read"}, // {id}, not a redirect
		{"GET", "/media/", ""},
		{"GET", "//media", ""},
		{"GET", "/media/../media", ""},
		{"GET", "/media/x/../1", ""},
		{"GET", "/media/./1", ""},
		{"GET", "/media/raw/../upload", ""},
		{"GET", "/media/raw/%2e%2e/secret", ""},
		{"GET", "/media/%", ""},
		{"GET", "", ""},
		{"CONNECT", "/media", ""},
		{"get", "/media", ""},
	} {
		got, ok := table.match(c.method, c.path)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s %s: %q, %v", c.method, c.path, got, ok)
		}
	}
}

func TestOwner(t *testing.T) {
	for path, want := range map[string]string{"/media/x": "media", "/media": "media", "/": "", "": "", "//x": "", "media/x": "media"} {
		if got := owner(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func FuzzRouteTable(f *testing.F) {
	table := newRouteTable([]sdk.Route{{Pattern: "GET /media/{rest...}", Permission: "media:read"}})
	f.Add("GET", "/media/%2e%2e/x")
	f.Fuzz(func(t *testing.T, method, path string) {
		permission, ok := table.match(method, path)
		if ok && (permission != "media:read" || !strings.HasPrefix(path, "/media")) {
			t.Fatalf("%s %q: %q", method, path, permission)
		}
	})
}

func TestCheckManifest(t *testing.T) {
	good := sdk.Manifest{Name: "media", Version: "1", Title: "Photos"}
	for _, c := range []struct {
		manifest sdk.Manifest
		file     string
		want     string
	}{
		{good, "media", ""},
		{good, "photos", "the program is named salita-plugin-photos"},
		{sdk.Manifest{Name: "api", Version: "1", Title: "A"}, "api", "belongs to the gateway itself"},
		{sdk.Manifest{Name: "own", Version: "1", Title: "A"}, "own", "belongs to the gateway itself"},
		{sdk.Manifest{Name: "media", Title: "Photos"}, "media", "version"},
		{sdk.Manifest{Name: "\x1b[2J"}, "media", `"\\x1b[2J"`},
	} {
		err := checkManifest(c.manifest, c.file, []string{"own"})
		if (err == nil) != (c.want == "") || (err != nil && (!strings.Contains(err.Error(), c.want) || !isPermanent(err))) {
			t.Errorf("%+v: %v, want %q", c.manifest, err, c.want)
		}
	}
}
