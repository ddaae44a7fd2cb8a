package sdk

import (
	"fmt"
	"strings"
	"testing"
)

func goodManifest() Manifest {
	return Manifest{
		Name: "media", Version: "1.2.3", Title: "Photos",
		Capabilities: []Capability{{ID: "media.storage", Title: "Can store media", Route: "POST /media/upload"}, {ID: "media", Title: "Has media"}},
		Routes: []Route{
			{Pattern: "GET /media", Permission: "media:read"},
			{Pattern: "GET /media/{id}", Permission: "media:read"},
			{Pattern: "GET /media/{id}/{$}", Permission: "media:read"},
			{Pattern: "POST /media/upload", Permission: "media:upload"},
			{Pattern: "GET /media/fotos/größe/{rest...}", Permission: "media:read_raw-2"},
		},
		Paths: []string{"library", "Cache_dir2", "a-b"},
	}
}

func TestManifestValidate(t *testing.T) {
	if err := goodManifest().Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	route := func(pattern, permission string) func(*Manifest) {
		return func(m *Manifest) { m.Routes = []Route{{pattern, permission}} }
	}
	shortcut := func(pattern string) func(*Manifest) {
		return func(m *Manifest) {
			m.Routes = append(m.Routes, Route{"GET /media/a/b/below/", "media:read"})
			m.Capabilities[0].Route = pattern
		}
	}
	for _, c := range []struct {
		spoil func(m *Manifest)
		want  string
	}{
		{func(m *Manifest) { *m = Manifest{} }, "name"},
		{func(m *Manifest) { m.Name = "Media" }, "name"},
		{func(m *Manifest) { m.Version = "" }, "version: is missing"},
		{func(m *Manifest) { m.Version = strings.Repeat("1", 65) }, "version: longer"},
		{func(m *Manifest) { m.Title = "  " }, "title: is missing"},
		{func(m *Manifest) { m.Title = "a\nb" }, "title"},
		{func(m *Manifest) { m.Title = "a\xffb" }, "title"},
		{func(m *Manifest) { m.Title = "safe\u202egnp" }, "title"},
		{func(m *Manifest) { m.Title = strings.Repeat("x", 10<<20) }, "title: longer"},
		{func(m *Manifest) { m.Capabilities[1].ID = "posts.write" }, "capabilities[1].id"},
		{func(m *Manifest) { m.Capabilities[1].ID = "media." }, "capabilities[1].id"},
		{func(m *Manifest) { m.Capabilities[1].ID = "media.A" }, "capabilities[1].id"},
		{func(m *Manifest) { m.Capabilities[1].ID = "media.storage" }, "is there twice"},
		{func(m *Manifest) { m.Capabilities[0].Title = "" }, "capabilities[0].title"},
		{func(m *Manifest) { m.Capabilities = make([]Capability, 65) }, "capabilities: 65 of them"},
		{func(m *Manifest) { m.Routes = make([]Route, 257) }, "routes: 257 of them"},
		{route("", "media:read"), "routes[0].pattern"},
		{route("/media", "media:read"), "want a method"},
		{route("get /media", "media:read"), "want a method"},
		{route("CONNECT /media", "media:read"), "want a method"},
		{route("GET  /media", "media:read"), "the path must be"},
		{route("GET example.com/media", "media:read"), "the path must be"},
		{route("GET /", "media:read"), "the path must be"},
		{route("GET /mediator", "media:read"), "the path must be"},
		{route("GET /api/devices", "media:read"), "the path must be"},
		{route("GET /media/../api", "media:read"), `".."`},
		{route("GET /media/./x", "media:read"), `"."`},
		{route("GET /media//x", "media:read"), "empty segment"},
		{route("GET /media/{id", "media:read"), "routes[0].pattern"},
		{route("GET /media/{id}{x}", "media:read"), "routes[0].pattern"},
		{route("GET /media/\xff", "media:read"), "UTF-8"},
		{route("GET /media/a b", "media:read"), "space"},
		{route("GET /media/\x00", "media:read"), "unprintable"},
		{route("GET /media/"+strings.Repeat("x", 256), "media:read"), "longer than"},
		{route("GET /media", ""), "routes[0].permission"},
		{route("GET /media", "media"), "routes[0].permission"},
		{route("GET /media", "media:*"), "routes[0].permission"},
		{route("GET /media", "*"), "routes[0].permission"},
		{route("GET /media", "devices:read"), "routes[0].permission"},
		{route("GET /media", "media:"+strings.Repeat("x", 65)), "routes[0].permission"},
		{func(m *Manifest) { m.Routes = append(m.Routes, m.Routes[0]) }, "routes[5].pattern"},
		{shortcut("GET /media/none"), "capabilities[0].route \"GET /media/none\": is not the pattern"},
		{shortcut("POST /media"), "is not the pattern"},
		{shortcut("/media"), "is not the pattern"},
		{shortcut("GET /media/{id}"), "wildcard"},
		{shortcut("GET /media/{id}/{$}"), "wildcard"},
		{shortcut("GET /media/a/b/below/"), "slash"},
		{func(m *Manifest) { m.Paths = []string{""} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{"a", "1a"} }, "paths[1]"},
		{func(m *Manifest) { m.Paths = []string{"-a"} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{"a.b"} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{"\u212a"} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{"größe"} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{strings.Repeat("x", 65)} }, "paths[0]"},
		{func(m *Manifest) { m.Paths = []string{"a", "b", "a"} }, "paths[2] \"a\": is there twice"},
		{func(m *Manifest) { m.Paths = make([]string, 17) }, "paths: 17 of them"},
		{func(m *Manifest) { m.Routes = append(m.Routes, Route{"GET /media/{other}", "media:read"}) }, "routes[5].pattern"},
	} {
		m := goodManifest()
		c.spoil(&m)
		err := m.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
			t.Errorf("want %q in %.300v", c.want, err)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"media": true, "a": true, "a1": true, "my-plugin-2": true, strings.Repeat("x", 32): true,
		"": false, "1a": false, "-a": false, "a-": false, "a--b": false, "A": false, "a_b": false, "a.b": false, "ä": false,
		"a/b": false, "..": false, strings.Repeat("x", 33): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// FuzzManifestValidate makes sure that nothing gets past the rules which the
// gateway would register outside of the plugin's own path.
func FuzzManifestValidate(f *testing.F) {
	f.Add("GET /media/{id}", "media:read")
	f.Add("GET {x}/media", "media:x")
	f.Fuzz(func(t *testing.T, pattern, permission string) {
		m := Manifest{Name: "media", Version: "1", Title: "T", Routes: []Route{{pattern, permission}}}
		if err := m.Validate(); err != nil {
			return
		}
		_, path, _ := strings.Cut(pattern, " ")
		if path != "/media" && !strings.HasPrefix(path, "/media/") {
			t.Fatalf("%q", pattern)
		}
		if !strings.HasPrefix(permission, "media:") || strings.ContainsAny(permission, "* \n") {
			t.Fatalf("%q", permission)
		}
	})
}

func ExampleManifest_Validate() {
	m := Manifest{
		Name: "notes", Version: "1.0.0", Title: "Notes",
		Routes: []Route{{Pattern: "GET /photos", Permission: "notes:read"}},
	}
	fmt.Println(m.Validate())
	// Output: manifest: routes[0].pattern "GET /photos": the path must be /notes or begin with /notes/
}

func ExampleValidName() {
	fmt.Println(ValidName("my-notes"), ValidName("My Notes"))
	// Output: true false
}
