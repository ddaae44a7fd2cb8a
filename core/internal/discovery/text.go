package discovery

import (
	"strings"
	"unicode/utf8"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// textVersion is the version of what a gateway announces; others are not
	// understood (RFC 6763, section 6.7).
	textVersion = "1"
	// maxString is the longest string in a TXT record (RFC 6763, section 6.1).
	maxString = 255
)

// Info is what this gateway announces.
type Info struct {
	// ID is the device's id, the short form of its key hash. Paired devices know
	// it; to anybody else it is a number.
	ID mesh.DeviceID
	// Host is this device's name on the local network, one label and ".local".
	Host string
	// Port is where the gateway listens. Nothing is announced while it is 0.
	Port uint16
	// Pairing says that a pairing window is open. Only then is Name announced:
	// strangers on the network see it.
	Pairing bool
	Name    string
}

// text is the TXT record that announces the gateway.
func (i Info) text() string {
	list := []string{"txtvers=" + textVersion, "id=" + string(i.ID)}
	if i.Pairing {
		list = append(list, "pair=1", cut("name="+mesh.CleanName(i.Name)))
	}
	return joinStrings(list)
}

// cut shortens a string to what a TXT record holds, without halving a character.
func cut(s string) string {
	if len(s) <= maxString {
		return s
	}
	n := maxString
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// label is the name to announce under, "salita" when the host name does not
// make one.
func (i Info) label() string {
	label := strings.ToLower(strings.TrimSuffix(i.Host, ".local"))
	if label == "" || len(label) > maxLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "salita"
	}
	return label
}

// announced is what another gateway's TXT record says.
type announced struct {
	id      mesh.DeviceID
	pairing bool
	name    string
}

// parseText reads a TXT record. It reports false unless it is one of a gateway
// whose announcement we understand.
func parseText(text string) (announced, bool) {
	values := textValues(text)
	a := announced{id: mesh.DeviceID(values["id"]), pairing: values["pair"] == "1"}
	if a.pairing {
		a.name = mesh.CleanName(values["name"])
	}
	return a, understood(values)
}

func understood(values map[string]string) bool {
	return values["txtvers"] == textVersion && isDeviceID(values["id"])
}

// textValues are the values of the keys that we know. Keys are compared without
// regard to case and the first of several counts (RFC 6763, section 6.4).
func textValues(text string) map[string]string {
	values := map[string]string{}
	for _, s := range splitStrings(text) {
		key, value, _ := strings.Cut(s, "=")
		switch key = strings.ToLower(key); key {
		case "txtvers", "id", "pair", "name":
			if _, given := values[key]; !given {
				values[key] = value
			}
		}
	}
	return values
}

// deviceIDLength is the length of a gateway's id: 128 bits in base32.
const deviceIDLength = 26

func isDeviceID(s string) bool {
	return len(s) == deviceIDLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
