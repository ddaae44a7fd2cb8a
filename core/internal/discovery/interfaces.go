package discovery

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"
)

// SystemInterfaces lists the network interfaces of this machine that others may
// be found on: those that are up, speak multicast, have an address and are
// neither the loopback nor a tunnel to a single host.
func SystemInterfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	const wanted, unwanted = net.FlagUp | net.FlagMulticast, net.FlagLoopback | net.FlagPointToPoint
	var list []Interface
	for _, i := range all {
		if i.Flags&wanted != wanted || i.Flags&unwanted != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		if found := prefixes(addresses); len(found) > 0 {
			list = append(list, Interface{Index: i.Index, Name: i.Name, Prefixes: found})
		}
	}
	return list, nil
}

func prefixes(addresses []net.Addr) []netip.Prefix {
	var list []netip.Prefix
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(network.IP)
		if !ok {
			continue
		}
		ones, bits := network.Mask.Size()
		ip = ip.Unmap()
		if bits -= ip.BitLen(); ones >= bits {
			list = append(list, netip.PrefixFrom(ip, ones-bits))
		}
	}
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return slices.Compact(list)
}

// ownAddresses are this machine's addresses, and for a while those that it had
// before: packets from there may still be on their way.
type ownAddresses struct {
	now, before map[netip.Addr]bool
	changed     time.Time
}

func (o *ownAddresses) set(now time.Time, addresses map[netip.Addr]bool) {
	if !maps.Equal(addresses, o.now) {
		o.now, o.before, o.changed = addresses, o.now, now
	} else if now.Sub(o.changed) >= lookGap {
		o.before = nil
	}
}

func (o *ownAddresses) has(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return o.now[a] || o.before[a]
}
