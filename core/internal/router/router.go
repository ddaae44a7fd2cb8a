// Package router decides where a request for a capability goes and whether its
// caller may make it. Permissions are checked here and nowhere else.
package router

import (
	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// Plugins finds the plugin route that a request fits.
type Plugins interface {
	Route(method, path string) (plugins.Match, bool)
	Capability(id string) (plugins.Call, bool)
}

var _ Plugins = (*plugins.Host)(nil)

// Router is the one place that permits.
type Router struct {
	plugins Plugins
}

// New returns a Router over this device's plugins.
func New(plugins Plugins) *Router { return &Router{plugins: plugins} }

// Route finds the plugin that serves the request and checks that the caller may
// make it. The path is escaped, as on the request line. A stranger is told to
// sign in, whether the route exists or not.
func (r *Router) Route(p auth.Principal, method, path string) (plugins.Match, error) {
	if err := PermitKnown(p); err != nil {
		return plugins.Match{}, err
	}
	match, ok := r.plugins.Route(method, path)
	if !ok {
		return plugins.Match{}, &sdk.Error{Kind: sdk.NotFound}
	}
	return match, Permit(p, match.Permission)
}

// Capability finds the request by which a capability is used, and checks that
// the caller may make it.
func (r *Router) Capability(p auth.Principal, id string) (plugins.Call, error) {
	if err := PermitKnown(p); err != nil {
		return plugins.Call{}, err
	}
	call, ok := r.plugins.Capability(id)
	if !ok {
		return plugins.Call{}, &sdk.Error{Kind: sdk.NotFound}
	}
	return call, Permit(p, call.Permission)
}

// PermitKnown checks that the principal is somebody.
func PermitKnown(p auth.Principal) error {
	if !p.Known() {
		return &sdk.Error{Kind: sdk.SignIn}
	}
	return nil
}

// Permit checks that the principal holds the permission.
func Permit(p auth.Principal, permission mesh.Permission) error {
	if err := PermitKnown(p); err != nil {
		return err
	}
	if !p.May(permission) {
		return &sdk.Error{Kind: sdk.Forbidden}
	}
	return nil
}

// PermitOwner checks that the principal is the owner.
func PermitOwner(p auth.Principal) error {
	if err := PermitKnown(p); err != nil {
		return err
	}
	if !p.Owner {
		return &sdk.Error{Kind: sdk.Forbidden}
	}
	return nil
}
