package plugins

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// routeTable finds the declared route of one plugin that a request fits, by the
// rules of http.ServeMux.
type routeTable struct{ mux *http.ServeMux }

// declaredRoute marks a route of the manifest in the mux, to tell it from the
// redirects that ServeMux makes up by itself.
type declaredRoute struct {
	http.Handler
	permission mesh.Permission
}

// newRouteTable takes the routes of a manifest that was checked; Handle panics
// on others.
func newRouteTable(routes []sdk.Route) *routeTable {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.Pattern, declaredRoute{permission: mesh.Permission(r.Permission)})
	}
	return &routeTable{mux: mux}
}

// match returns the permission that the request needs. path is escaped, as on
// the request line, and without the query. A path that is not in its simplest
// form ("//", "/../", and "%2e%2e" for good measure) fits nothing.
func (t *routeTable) match(method, path string) (mesh.Permission, bool) {
	plain := path
	if strings.IndexByte(path, '%') >= 0 {
		var err error
		if plain, err = url.PathUnescape(path); err != nil {
			return "", false
		}
	}
	if hasDotSegment(plain) {
		return "", false
	}
	handler, _ := t.mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: plain, RawPath: path}})
	route, ok := handler.(declaredRoute)
	return route.permission, ok
}

// hasDotSegment reports a segment that a plugin might take for a way out of a
// folder.
func hasDotSegment(path string) bool {
	if !strings.Contains(path, "/.") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// owner is the plugin that a path belongs to by its first segment.
func owner(path string) string {
	name := strings.TrimPrefix(path, "/")
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name = name[:i]
	}
	return name
}
