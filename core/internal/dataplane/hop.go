package dataplane

import (
	"net/textproto"
	"strings"
)

// ownPrefix marks the gateway's own headers. They never count as hop-by-hop:
// a client could otherwise take the caller's name off a request by listing it
// in Connection.
const ownPrefix = "Salita-"

// rewritten reports whether a request field is written anew from the request's
// own fields, or, as Expect, answered before the request gets here.
func rewritten(canonical string) bool {
	return canonical == "Host" || canonical == "Content-Length" || canonical == "Expect"
}

// hopByHop reports whether a field is never for the next hop (RFC 9110, 7.6.1).
func hopByHop(canonical string) bool {
	switch canonical {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// nominated lists the further fields that Connection keeps from the next hop;
// nil in nearly every message.
func nominated(connection []string) map[string]bool {
	var names map[string]bool
	for _, line := range connection {
		for token := range strings.SplitSeq(line, ",") {
			name := textproto.CanonicalMIMEHeaderKey(strings.Trim(token, " \t"))
			if name == "" || name == "Close" || hopByHop(name) || rewritten(name) || strings.HasPrefix(name, ownPrefix) {
				continue
			}
			if names == nil {
				names = map[string]bool{}
			}
			names[name] = true
		}
	}
	return names
}
