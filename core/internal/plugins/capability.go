package plugins

import (
	"strings"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Call is the one request by which a capability can be used without knowing the
// plugin's routes. It stays good across restarts of the plugin.
type Call struct {
	Match
	Method string
	Path   string // escaped, as on a request line
}

// Capability finds the request behind the capability of that id, such as
// "media.storage". It reports true also while the plugin is not running, as long
// as its manifest is known, and false for a capability that names no route. It
// never waits for a plugin.
func (h *Host) Capability(id string) (Call, bool) {
	name, _, _ := strings.Cut(id, ".")
	call, ok := h.board.look().entries[name].calls[id]
	call.board = h.board
	return call, ok
}

// callsOf are the requests behind the capabilities of a manifest that was
// checked.
func callsOf(m *sdk.Manifest) map[string]Call {
	calls := make(map[string]Call)
	for _, c := range m.Capabilities {
		for _, r := range m.Routes {
			method, path, ok := strings.Cut(r.Pattern, " ")
			if c.Route != "" && r.Pattern == c.Route && ok {
				match := Match{Plugin: m.Name, Permission: mesh.Permission(r.Permission)}
				calls[c.ID] = Call{Match: match, Method: method, Path: strings.TrimLeft(path, " \t")}
			}
		}
	}
	return calls
}
