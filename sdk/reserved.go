package sdk

import "slices"

// ReservedNames lists the names that no plugin may have, in alphabetical order:
// the gateway's own first path segments and permission words, so that no plugin
// can stand in for the gateway.
func ReservedNames() []string { return slices.Clone(reservedNames[:]) }

var reservedNames = [...]string{
	"admin", "api", "app", "assets", "auth", "capabilities", "claim", "debug", "device", "devices", "graphql",
	"health", "join", "livez", "login", "metrics", "open", "owner", "pair", "pairing", "peer", "plugin", "plugins",
	"readyz", "salita", "settings", "sign-in", "static", "tokens", "welcome", "well-known", "ws",
}
