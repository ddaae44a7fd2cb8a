package mesh

import (
	"fmt"
	"strings"
)

// Permission is the right to do one thing: "<plugin>:<action>", as in
// "media:upload". In a grant either side may be "*", and "*" alone is everything.
type Permission string

// DevicesRead is the gateway's own permission: list devices and follow their
// status.
const DevicesRead Permission = "devices:read"

// ParsePermission checks the form of a permission or of a pattern in a grant.
func ParsePermission(s string) (Permission, error) {
	if s == "*" {
		return Permission(s), nil
	}
	plugin, action, ok := strings.Cut(s, ":")
	if !ok || !isPermissionWord(plugin) || !isPermissionWord(action) {
		return "", fmt.Errorf("permission %q: want \"plugin:action\", such as \"media:upload\", \"media:*\" or \"*\"", s)
	}
	return Permission(s), nil
}

func isPermissionWord(s string) bool {
	if s == "*" {
		return true
	}
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// matches reports whether the pattern p covers the wanted permission.
func (p Permission) matches(want Permission) bool {
	if p == "*" || p == want {
		return true
	}
	pp, pa, ok := strings.Cut(string(p), ":")
	if !ok {
		return false
	}
	wp, wa, ok := strings.Cut(string(want), ":")
	if !ok {
		return false
	}
	return (pp == "*" || pp == wp) && (pa == "*" || pa == wa)
}

// Grant is what a device may do here. An empty grant allows nothing.
type Grant []Permission

// ParseGrant checks each permission; it keeps their order.
func ParseGrant(permissions []string) (Grant, error) {
	g := make(Grant, 0, len(permissions))
	for _, s := range permissions {
		p, err := ParsePermission(s)
		if err != nil {
			return nil, err
		}
		g = append(g, p)
	}
	return g, nil
}

// Allows reports whether the grant covers the permission. An empty permission
// is never allowed: a route without one is a mistake, not a gift.
func (g Grant) Allows(want Permission) bool {
	if want == "" {
		return false
	}
	for _, p := range g {
		if p.matches(want) {
			return true
		}
	}
	return false
}

// Strings spells the grant for the wire.
func (g Grant) Strings() []string {
	out := make([]string, len(g))
	for i, p := range g {
		out[i] = string(p)
	}
	return out
}
