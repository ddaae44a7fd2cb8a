package discovery

import (
	"encoding/binary"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// serviceName is what gateways are found under (RFC 6763, section 4).
	serviceName = "_salita._tcp.local."
	// catalogueName is what all services of a network are found under (RFC 6763,
	// section 9).
	catalogueName = "_services._dns-sd._udp.local."
)

// lower is the name with its ASCII letters in lower case, which is all that DNS
// compares without regard to case (RFC 6762, section 16).
func lower(name dnsmessage.Name) string {
	b := name.Data[:name.Length]
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// isInstance reports whether the name is one label and the service's name.
func isInstance(name string) bool {
	label, ok := strings.CutSuffix(name, "."+serviceName)
	return ok && label != "" && !strings.Contains(label, ".")
}

// joinStrings is the data of a TXT record that holds the strings.
func joinStrings(list []string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteByte(byte(len(s)))
		b.WriteString(s)
	}
	return b.String()
}

// splitStrings are the strings in the data of a TXT record, without those that
// its end cuts off.
func splitStrings(text string) []string {
	var list []string
	for text != "" {
		n := int(text[0])
		if n > len(text)-1 {
			break
		}
		list, text = append(list, text[1:1+n]), text[1+n:]
	}
	return list
}

// wireName is the name uncompressed, as it is on the wire.
func wireName(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label != "" {
			out = append(append(out, byte(len(label))), label...)
		}
	}
	return append(out, 0)
}

// wireData is the record's data uncompressed, by which simultaneous probes are
// compared (RFC 6762, section 8.2).
func (r record) wireData() []byte {
	switch r.typ {
	case dnsmessage.TypePTR:
		return wireName(r.target)
	case dnsmessage.TypeSRV:
		out := binary.BigEndian.AppendUint32(nil, r.rank)
		return append(binary.BigEndian.AppendUint16(out, r.port), wireName(r.target)...)
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		return r.addr.AsSlice()
	}
	return []byte(r.text)
}

// absence is the data of an NSEC record that says which types the name has,
// and so that it has no others (RFC 6762, section 6.1). The types are below 256.
func absence(name string, types []dnsmessage.Type) string {
	var bits []byte
	for _, t := range types {
		for len(bits) <= int(t)/8 {
			bits = append(bits, 0)
		}
		bits[t/8] |= 0x80 >> (t % 8)
	}
	data := append(wireName(name), 0, byte(len(bits)))
	return string(append(data, bits...))
}
