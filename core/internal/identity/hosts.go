package identity

import (
	"net"
	"os"
	"slices"
	"strings"
)

// maxHosts bounds the certificate; a handshake carries it.
const maxHosts = 64

// LocalHosts returns the names and addresses under which a browser may call
// this device: localhost, the host name with and without ".local", and the IPv4
// addresses in use. Other IPv6 addresses than ::1 are left out on purpose: with
// privacy extensions (RFC 8981) they change daily, each change would make a new
// certificate, and browsers would ask again whether to trust it.
func LocalHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && host != "" {
		short, _, _ := strings.Cut(host, ".")
		hosts = append(hosts, host, short, short+".local")
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return hosts
	}
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if !ok || network.IP.To4() == nil || network.IP.IsLinkLocalUnicast() {
			continue
		}
		hosts = append(hosts, network.IP.String())
	}
	return hosts
}

// HostName is the name under which this device may announce itself on the local
// network; its certificate is always valid for it. It depends on the key alone,
// so renaming the device does not change the certificate.
func (i *Identity) HostName() string { return "salita-" + string(i.ID()[:8]) + ".local" }

// wantedHosts are the hosts for the certificate: ours and the given ones that
// can stand in one, in a settled order, each once.
func (i *Identity) wantedHosts() []string {
	hosts := []string{i.HostName()}
	for _, host := range i.hosts() {
		if ip := net.ParseIP(host); ip != nil {
			host = ip.String()
		} else if host = strings.ToLower(strings.TrimSuffix(host, ".")); !isHostName(host) {
			continue
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts[1:])
	hosts = slices.Compact(hosts)
	if len(hosts) > maxHosts {
		hosts = hosts[:maxHosts]
	}
	return hosts
}

// isHostName reports whether the name is a plain DNS name (RFC 1123 letters,
// plus the underscore that some computers have).
func isHostName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
