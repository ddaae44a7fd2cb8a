package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// mdnsPort is the port of multicast DNS (RFC 6762, section 3).
const mdnsPort = 5353

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: mdnsPort}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: mdnsPort}
)

// conn sends and receives packets on the interfaces that it has joined.
type conn interface {
	join(Interface) error
	leave(Interface)
	// send sends to everybody on the interface, or to one address.
	send(i Interface, to netip.AddrPort, data []byte) error
	packets() <-chan packet
	close()
}

// packet is what was received.
type packet struct {
	data      []byte
	from      netip.AddrPort
	index     int  // of the interface
	multicast bool // sent to everybody
}

// membership is which groups an interface has joined.
type membership struct{ v4, v6 bool }

// sockets are one UDP socket for IPv4 and one for IPv6, or one of them where the
// machine has no other.
type sockets struct {
	v4     *ipv4.PacketConn
	v6     *ipv6.PacketConn
	joined map[int]membership
	log    hclog.Logger

	received chan packet
	done     chan struct{}
	readers  sync.WaitGroup
}

var _ conn = (*sockets)(nil)

// openSockets opens the port beside the other programs that use it.
func openSockets(log hclog.Logger) (conn, error) {
	s := &sockets{
		joined: map[int]membership{}, log: log, received: make(chan packet, 64), done: make(chan struct{}),
	}
	err4, err6 := s.open4(), s.open6()
	if s.v4 == nil && s.v6 == nil {
		return nil, errors.Join(err4, err6)
	}
	if err := errors.Join(err4, err6); err != nil {
		log.Info("looking for devices by one version of IP only", "error", err)
	}
	return s, nil
}

func listen(network, host string) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: reusePort}
	return lc.ListenPacket(context.Background(), network, net.JoinHostPort(host, strconv.Itoa(mdnsPort)))
}

func (s *sockets) open4() error {
	c, err := listen("udp4", "0.0.0.0")
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(c)
	if err := errors.Join(
		p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true),
		p.SetMulticastTTL(255), p.SetTTL(255), p.SetMulticastLoopback(true),
	); err != nil {
		c.Close()
		return err
	}
	s.v4 = p
	s.read(func(b []byte) (int, int, net.IP, net.Addr, error) {
		n, control, from, err := p.ReadFrom(b)
		if control == nil {
			return n, 0, nil, from, err
		}
		return n, control.IfIndex, control.Dst, from, err
	})
	return nil
}

func (s *sockets) open6() error {
	c, err := listen("udp6", "::")
	if err != nil {
		return err
	}
	p := ipv6.NewPacketConn(c)
	if err := errors.Join(
		p.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true),
		p.SetMulticastHopLimit(255), p.SetHopLimit(255), p.SetMulticastLoopback(true),
	); err != nil {
		c.Close()
		return err
	}
	s.v6 = p
	s.read(func(b []byte) (int, int, net.IP, net.Addr, error) {
		n, control, from, err := p.ReadFrom(b)
		if control == nil {
			return n, 0, nil, from, err
		}
		return n, control.IfIndex, control.Dst, from, err
	})
	return nil
}

// read passes packets on until the socket is closed. When nobody takes them the
// system drops what comes in.
func (s *sockets) read(next func([]byte) (n, index int, to net.IP, from net.Addr, err error)) {
	s.readers.Go(func() {
		buffer := make([]byte, maxPacket+1)
		for {
			n, index, to, from, err := next(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			udp, ok := from.(*net.UDPAddr)
			if err != nil || !ok {
				if !s.rest() {
					return
				}
				continue
			}
			p := packet{data: append([]byte(nil), buffer[:n]...), from: udp.AddrPort(), index: index, multicast: to.IsMulticast()}
			select {
			case s.received <- p:
			case <-s.done:
				return
			}
		}
	})
}

// rest waits after a failed read; it reports false when the socket is closed.
func (s *sockets) rest() bool {
	select {
	case <-time.After(100 * time.Millisecond):
		return true
	case <-s.done:
		return false
	}
}

func (s *sockets) packets() <-chan packet { return s.received }

// join joins the groups of the versions of IP that the interface speaks, unless
// it has.
func (s *sockets) join(i Interface) error {
	ifi, m := &net.Interface{Index: i.Index, Name: i.Name}, s.joined[i.Index]
	var errs []error
	if s.v4 != nil && i.speaks(true) && !m.v4 {
		err := s.v4.JoinGroup(ifi, group4)
		m.v4 = err == nil
		errs = append(errs, err)
	}
	if s.v6 != nil && i.speaks(false) && !m.v6 {
		err := s.v6.JoinGroup(ifi, group6)
		m.v6 = err == nil
		errs = append(errs, err)
	}
	s.joined[i.Index] = m
	return errors.Join(errs...)
}

func (s *sockets) leave(i Interface) {
	ifi, m := &net.Interface{Index: i.Index, Name: i.Name}, s.joined[i.Index]
	// The interface is gone, most often, and with it the membership.
	if m.v4 {
		_ = s.v4.LeaveGroup(ifi, group4)
	}
	if m.v6 {
		_ = s.v6.LeaveGroup(ifi, group6)
	}
	delete(s.joined, i.Index)
}

func (s *sockets) send(i Interface, to netip.AddrPort, data []byte) error {
	if to.IsValid() {
		return s.sendTo(to, data)
	}
	ifi, m := &net.Interface{Index: i.Index, Name: i.Name}, s.joined[i.Index]
	var errs []error
	if m.v4 && i.speaks(true) {
		err := s.v4.SetMulticastInterface(ifi)
		if err == nil {
			_, err = s.v4.WriteTo(data, nil, group4)
		}
		errs = append(errs, err)
	}
	if m.v6 && i.speaks(false) {
		err := s.v6.SetMulticastInterface(ifi)
		if err == nil {
			_, err = s.v6.WriteTo(data, nil, &net.UDPAddr{IP: group6.IP, Port: mdnsPort, Zone: i.Name})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *sockets) sendTo(to netip.AddrPort, data []byte) error {
	address := net.UDPAddrFromAddrPort(to)
	switch {
	case to.Addr().Is4() && s.v4 != nil:
		_, err := s.v4.WriteTo(data, nil, address)
		return err
	case to.Addr().Is6() && s.v6 != nil:
		_, err := s.v6.WriteTo(data, nil, address)
		return err
	}
	return net.ErrClosed
}

func (s *sockets) close() {
	close(s.done)
	if s.v4 != nil {
		s.v4.Close()
	}
	if s.v6 != nil {
		s.v6.Close()
	}
	s.readers.Wait()
}
