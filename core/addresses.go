package core

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/salita-mesh/salita/core/internal/identity"
)

// port is the port that the gateway listens on.
func (a *App) port() int {
	if tcp, ok := a.public.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// addresses are where other devices may find this gateway: the address it
// listens on, or, when that is "everywhere", this machine's own, LAN first.
func (a *App) addresses() []string {
	port := strconv.Itoa(a.port())
	var out []string
	for _, host := range a.hosts() {
		out = append(out, net.JoinHostPort(host, port))
	}
	return out
}

// ownAddress is where a browser on this machine finds the gateway.
func (a *App) ownAddress() string {
	host, _, err := net.SplitHostPort(a.config().Server.Address)
	if ip, bad := netip.ParseAddr(host); err != nil || host == "" || bad == nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(a.port()))
}

// hosts are the names and addresses that this gateway goes by.
func (a *App) hosts() []string {
	host, _, err := net.SplitHostPort(a.config().Server.Address)
	if err != nil {
		return nil
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return []string{host}
	}
	hosts := localAddresses()
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1"}
	}
	return hosts
}

// names are the host names that browsers may call this gateway by.
func (a *App) names() []string {
	return slices.Concat(a.hosts(), a.config().Server.Names, identity.LocalHosts(), []string{a.identity.HostName()})
}

// localAddresses lists this machine's addresses that others may reach, IPv4
// first because that is what home networks agree on.
func localAddresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var v4, v6 []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch ip := prefix.Addr(); {
		case ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
		case ip.Is4():
			v4 = append(v4, ip.String())
		default:
			v6 = append(v6, ip.String())
		}
	}
	return append(v4, v6...)
}
