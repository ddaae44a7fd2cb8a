package plugins

import (
	"fmt"
	"slices"

	"github.com/salita-mesh/salita/sdk"
)

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
