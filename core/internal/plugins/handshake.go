package plugins

import (
	"fmt"
	"strconv"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/salita-mesh/salita/sdk/control"
)

// handshake is the line by which a go-plugin process says where it listens:
//
//	core version|plugin version|network|address|protocol|certificate
type handshake struct {
	core, version    int
	network, address string
	protocol         string
	certificate      string
}

// looksLikeHandshake reports whether a line begins as a handshake does, with
// two numbers. Anything else is just text that a plugin printed.
func looksLikeHandshake(line string) bool {
	core, rest, ok := strings.Cut(line, "|")
	if !ok || !isNumber(core) {
		return false
	}
	version, _, ok := strings.Cut(rest, "|")
	return ok && isNumber(version)
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}

// parseHandshake reads a line that looks like a handshake and says what is
// wrong with one that cannot be used.
func parseHandshake(line string) (handshake, error) {
	parts := strings.Split(line, "|")
	if len(parts) < 5 {
		return handshake{}, protocolError("the handshake %q is cut short", printable(line, 200))
	}
	h := handshake{network: parts[2], address: parts[3], protocol: parts[4]}
	h.core, _ = strconv.Atoi(parts[0])
	h.version, _ = strconv.Atoi(parts[1])
	if len(parts) > 5 {
		h.certificate = parts[5]
	}
	return h, h.check()
}

// minCertificate is the length from which go-plugin takes the sixth field for a
// certificate; with a shorter one it would wait for TLS in vain.
const minCertificate = 50

func (h handshake) check() error {
	switch {
	case h.core != goplugin.CoreProtocolVersion:
		return protocolError("its go-plugin protocol is version %d, this gateway's is %d: rebuild the plugin", h.core, goplugin.CoreProtocolVersion)
	case h.version > control.ProtocolVersion:
		return protocolError("its plugin protocol is version %d, this gateway's is %d: upgrade the gateway", h.version, control.ProtocolVersion)
	case h.version < control.ProtocolVersion:
		return protocolError("its plugin protocol is version %d, this gateway's is %d: upgrade the plugin", h.version, control.ProtocolVersion)
	case h.protocol != string(goplugin.ProtocolGRPC):
		return protocolError("it speaks %q, want %q", printable(h.protocol, 40), goplugin.ProtocolGRPC)
	case len(h.certificate) <= minCertificate:
		return protocolError("it offers no certificate for a protected connection")
	}
	return nil
}

// protocolError is a plugin that does not speak as it must. It would do the
// same again.
func protocolError(format string, args ...any) error {
	return permanent(fmt.Errorf("plugin protocol: "+format, args...))
}
