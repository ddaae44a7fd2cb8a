// Package router decides where a request for a capability goes and whether its
// caller may make it. Permissions are checked here and nowhere else.
package router

import (
	"net/http"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Target carries one request to whatever serves it.
type Target interface {
	http.RoundTripper
}

// Match is a declared route that fits a request.
type Match struct {
	Plugin     string
	Permission mesh.Permission
	Target     Target
}

// Plugins finds the plugin route that a request fits.
type Plugins interface {
	Route(method, path string) (Match, error)
}

// Router is the one place that permits.
type Router struct {
	plugins Plugins
}

// New returns a Router over this device's plugins.
func New(plugins Plugins) *Router { return &Router{plugins: plugins} }

// Route finds the plugin that serves the request and checks that the caller may
// make it. A stranger is told to sign in, whether the route exists or not.
func (r *Router) Route(p auth.Principal, method, path string) (Target, error) {
	if !p.Known() {
		return nil, &sdk.Error{Kind: sdk.SignIn}
	}
	match, err := r.plugins.Route(method, path)
	if err != nil {
		return nil, err
	}
	if err := Permit(p, match.Permission); err != nil {
		return nil, err
	}
	return match.Target, nil
}

// Permit checks that the principal holds the permission.
func Permit(p auth.Principal, permission mesh.Permission) error {
	switch {
	case !p.Known():
		return &sdk.Error{Kind: sdk.SignIn}
	case !p.May(permission):
		return &sdk.Error{Kind: sdk.Forbidden}
	}
	return nil
}

// PermitOwner checks that the principal is the owner.
func PermitOwner(p auth.Principal) error {
	switch {
	case !p.Known():
		return &sdk.Error{Kind: sdk.SignIn}
	case !p.Owner:
		return &sdk.Error{Kind: sdk.Forbidden}
	}
	return nil
}

// PermitKnown checks that the principal is somebody.
func PermitKnown(p auth.Principal) error {
	if !p.Known() {
		return &sdk.Error{Kind: sdk.SignIn}
	}
	return nil
}
