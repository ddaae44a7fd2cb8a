package plugins

import (
	"fmt"
	"slices"

	"github.com/salita-mesh/salita/sdk"
)

// reservedNames are the gateway's own first path segments and permission words:
// a plugin of that name could stand in for the gateway.
func reservedNames() []string {
	return []string{
		"admin", "api", "app", "assets", "auth", "claim", "debug", "device", "devices", "graphql", "health",
		"join", "livez", "login", "metrics", "open", "owner", "pair", "peer", "pairing", "plugin", "plugins",
		"readyz", "salita", "settings", "sign-in", "static", "tokens", "welcome", "well-known", "ws",
	}
}

// checkManifest applies the rules that a manifest cannot know by itself: the
// file it came in and the names that are taken.
func checkManifest(m sdk.Manifest, name string, reserved []string) error {
	if m.Name != name {
		return permanent(fmt.Errorf("manifest: name %q: the program is named %s%s", printable(m.Name, 2*sdk.MaxNameLength), filePrefix, name))
	}
	if err := m.Validate(); err != nil {
		return permanent(err)
	}
	if slices.Contains(reserved, m.Name) {
		return permanent(fmt.Errorf("manifest: name %q: belongs to the gateway itself", m.Name))
	}
	return nil
}
