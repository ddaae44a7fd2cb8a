package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// dialTimeout bounds one attempt at one address, handshake included.
	dialTimeout = 5 * time.Second
	// headStart is what an address gets before the next one is tried beside it.
	headStart = 200 * time.Millisecond
	// maxAddresses bounds how many addresses of one device are tried.
	maxAddresses = 16
	// maxAttempts bounds how many of them are tried at the same time, and so the
	// sockets that one device can cost.
	maxAttempts = 3
)

// dialer opens connections to one device at whichever of its addresses answers
// with the pinned key: the last good one first, the others beside it.
type dialer struct {
	tls *tls.Config

	mu        sync.Mutex
	addresses []string
	good      string
}

func (d *dialer) setAddresses(addresses []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses = addresses
}

func (d *dialer) lastGood() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.good
}

// order returns the addresses to try, the last good one first.
func (d *dialer) order() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	order := make([]string, 0, len(d.addresses)+1)
	if d.good != "" {
		order = append(order, d.good)
	}
	for _, a := range d.addresses {
		if !slices.Contains(order, a) && len(order) < maxAddresses {
			order = append(order, a)
		}
	}
	return order
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	conn, address, err := dialFirst(ctx, d.order(), d.tls)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.good = address
	d.mu.Unlock()
	return conn, nil
}

type attempt struct {
	conn    *tls.Conn
	address string
	err     error
}

// dialFirst returns the first connection whose handshake, pin included,
// succeeds. Attempts start headStart apart, or at once when one before has
// failed, up to maxAttempts side by side; the losers are closed before it
// returns.
func dialFirst(ctx context.Context, addresses []string, config *tls.Config) (*tls.Conn, string, error) {
	if len(addresses) == 0 {
		return nil, "", errors.New("no known address")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	results := make(chan attempt)
	next := time.NewTimer(0)
	defer next.Stop()

	var winner attempt
	var errs []error
	started, pending := 0, 0
	for started < len(addresses) || pending > 0 {
		tick := next.C
		if started == len(addresses) || pending == maxAttempts {
			tick = nil // it keeps until there is room
		}
		select {
		case <-tick:
			go func(address string) { results <- dialOne(ctx, address, config) }(addresses[started])
			started, pending = started+1, pending+1
			next.Reset(headStart)
		case a := <-results:
			pending--
			switch {
			case a.err != nil:
				errs = append(errs, a.err)
				next.Reset(0) // whatever it was set to
			case winner.conn == nil:
				winner = a
				started = len(addresses)
				cancel()
			default:
				a.conn.Close()
			}
		}
	}
	if winner.conn == nil {
		return nil, "", errors.Join(errs...)
	}
	return winner.conn, winner.address, nil
}

func dialOne(ctx context.Context, address string, config *tls.Config) attempt {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return attempt{err: err}
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return attempt{err: err}
	}
	return attempt{conn: conn, address: address}
}
