package outbound

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// parse takes the device and the address there out of /devices/ID/... The rest
// keeps its spelling. Only addresses that belong to plugins pass: what the other
// gateway does itself is not for plugins.
func parse(u *url.URL) (mesh.DeviceID, *url.URL, error) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/devices/")
	id, raw, found := strings.Cut(rest, "/")
	device, err := url.PathUnescape(id)
	if !ok || !found || err != nil || device == "" {
		return "", nil, &sdk.Error{Kind: sdk.NotFound}
	}
	raw = "/" + raw
	plain, err := url.PathUnescape(raw)
	if err != nil || !clean(plain) {
		return "", nil, sdk.Errorf(sdk.Invalid, "That address can't be understood.")
	}
	if !forPlugins(plain) {
		return "", nil, sdk.Errorf(sdk.Forbidden, "Plugins can only call plugins on other devices.")
	}
	return mesh.DeviceID(device), &url.URL{Path: plain, RawPath: raw, RawQuery: u.RawQuery}, nil
}

// clean reports a path in its shortest form: what it means must not depend on who
// reads it.
func clean(p string) bool {
	short := path.Clean(p)
	return (p == short || p == short+"/") && !strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
}

// forPlugins reports whether the path is below a name that a plugin can have, or
// is that of one capability.
func forPlugins(p string) bool {
	first, below, _ := strings.Cut(p[1:], "/")
	if first == "capabilities" {
		name, _, _ := strings.Cut(below, ".")
		return sdk.ValidName(name) && !strings.Contains(below, "/")
	}
	return sdk.ValidName(first) && !slices.Contains(sdk.ReservedNames(), first)
}
