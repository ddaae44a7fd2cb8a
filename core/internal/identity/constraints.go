package identity

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// homeNetworks are the addresses that no site on the internet has: RFC 1918,
// RFC 6598 (which private overlay networks use), link-local (RFC 3927 and 4291),
// unique local (RFC 4193) and loopback.
func homeNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("fc00::/7"),
		netip.MustParsePrefix("fe80::/10"),
	}
}

// constrain limits an authority to home networks and to the hosts that are
// this device's own, so that whoever steals its key cannot pose as a site on the
// internet to those who installed it (RFC 5280 section 4.2.1.10).
func constrain(authority *x509.Certificate, hosts []string) {
	authority.PermittedDNSDomainsCritical = true
	// Without the dot that other kinds of names have: "local" is the domain and
	// all below it.
	domains := []string{"local", "localhost"}
	for _, host := range hosts {
		if net.ParseIP(host) == nil && !withinAny(host, domains) && !isPublic(host) {
			domains = append(domains, host)
		}
	}
	authority.PermittedDNSDomains = domains
	for _, network := range homeNetworks() {
		authority.PermittedIPRanges = append(authority.PermittedIPRanges, &net.IPNet{
			IP:   network.Addr().AsSlice(),
			Mask: net.CIDRMask(network.Bits(), network.Addr().BitLen()),
		})
	}
	// A kind of name that is not mentioned would be free. RFC 2606 reserves the
	// domain for not existing.
	authority.PermittedEmailAddresses = []string{"invalid"}
}

// isPublic reports whether the host's name is a domain under which everyone can
// have names: a computer called "photos" must not bring the authority all that
// ends in ".photos".
func isPublic(host string) bool {
	suffix, listed := publicsuffix.PublicSuffix(host)
	return suffix == host && (listed || strings.Contains(host, "."))
}

// permitted are those of the hosts for which the authority may sign.
func permitted(authority *x509.Certificate, hosts []string) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool {
		if ip := net.ParseIP(host); ip != nil {
			return !slices.ContainsFunc(authority.PermittedIPRanges, func(network *net.IPNet) bool { return network.Contains(ip) })
		}
		return !withinAny(host, authority.PermittedDNSDomains)
	})
}

func withinAny(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}
