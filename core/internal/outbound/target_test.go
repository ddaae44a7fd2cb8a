package outbound

import (
	"net/url"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, device, path string }{
		{"/devices/d1/media", "d1", "/media"},
		{"/devices/d1/media/", "d1", "/media/"},
		{"/devices/d1/media/a%2Fb?q=%20", "d1", "/media/a%2Fb?q=%20"},
		{"/devices/d%2F1/media/gr%C3%B6%C3%9Fe", "d/1", "/media/gr%C3%B6%C3%9Fe"},
		{"/devices/d1/capabilities/media.storage", "d1", "/capabilities/media.storage"},
		{"/devices/d1/capabilities/media", "d1", "/capabilities/media"},
		{"/devices/d1/my-plugin/api/health", "d1", "/my-plugin/api/health"},
	} {
		u, err := url.ParseRequestURI(c.in)
		if err != nil {
			t.Fatal(err)
		}
		device, target, err := parse(u)
		if err != nil || string(device) != c.device || target.RequestURI() != c.path {
			t.Errorf("%s: %s %v, %v", c.in, device, target, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	refused := map[string]sdk.Kind{
		"/": sdk.NotFound, "/devices/": sdk.NotFound, "/devices/d1": sdk.NotFound, "/devices//media": sdk.NotFound, "/device/d1/media": sdk.NotFound,
		"/devices/d1/": sdk.Forbidden, "/devices/d1//": sdk.Forbidden, "/devices/d1//media": sdk.Invalid,
		"/devices/d1/media//x": sdk.Invalid, "/devices/d1/media/../api": sdk.Invalid, "/devices/d1/media/.": sdk.Invalid,
		"/devices/d1/media/%2e%2e/api": sdk.Invalid, "/devices/d1/media%2F..%2Fapi": sdk.Invalid, "/devices/d1/media/%00": sdk.Invalid,
		"/devices/d1/media/a%0d%0ab": sdk.Invalid, "/devices/d1/media%5c..%5capi": sdk.Invalid, "/devices/d1/%2Fmedia": sdk.Invalid,
		"/devices/d1/Media": sdk.Forbidden, "/devices/d1/.well-known/x": sdk.Forbidden, "/devices/d1/favicon.ico": sdk.Forbidden,
		"/devices/d1/capabilities": sdk.Forbidden, "/devices/d1/capabilities/": sdk.Forbidden,
		"/devices/d1/capabilities/media.storage/": sdk.Forbidden, "/devices/d1/capabilities/media.storage/x": sdk.Forbidden,
		"/devices/d1/%61pi/devices": sdk.Forbidden,
	}
	for _, name := range sdk.ReservedNames() {
		if name != "capabilities" {
			refused["/devices/d1/"+name] = sdk.Forbidden
			refused["/devices/d1/"+name+"/x"] = sdk.Forbidden
		}
	}
	for in, kind := range refused {
		u, err := url.ParseRequestURI(in)
		if err != nil {
			t.Fatal(err)
		}
		if device, target, err := parse(u); sdk.KindOf(err) != kind {
			t.Errorf("%s: %s %v, %v", in, device, target, err)
		}
	}
}

// FuzzParse makes sure that no spelling leads to the gateway's own paths.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"/devices/d/media/x", "/devices/d/%2e%2e/api", "/devices/d/media/..%2fapi", "/devices/d/capabilities/a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := url.ParseRequestURI(in)
		if err != nil {
			return
		}
		_, target, err := parse(u)
		if err != nil {
			return
		}
		again, err := url.ParseRequestURI(target.RequestURI())
		if err != nil || again.Path != target.Path {
			t.Fatalf("%q is sent as %q: %v", in, target.RequestURI(), err)
		}
		first, _, _ := strings.Cut(again.Path[1:], "/")
		if !sdk.ValidName(first) || strings.Contains(again.Path+"/", "/../") || strings.HasPrefix(again.Path, "//") {
			t.Fatalf("%q leads to %q", in, again.Path)
		}
	})
}
