package identity

import (
	"net"
	"os"
	"strings"
)

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
