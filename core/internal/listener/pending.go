package listener

import (
	"container/list"
	"net"
	"sync"
)

// pending are the connections that nobody has handed out yet. There is a fixed
// number of places. When they are taken, the address with most connections
// loses its oldest one: a flood drives out itself, and a device that connects
// once gets through.
type pending struct {
	mu     sync.Mutex
	max    int
	oldest *list.List     // of *candidate
	count  map[string]int // by host; no zeros
	closed bool
}

// candidate is one pending connection.
type candidate struct {
	raw   net.Conn
	host  string
	place *list.Element // nil when it has been removed or dropped
}

func newPending(max int) *pending {
	return &pending{max: max, oldest: list.New(), count: make(map[string]int)}
}

// add takes a place for the connection, or returns nil after close.
func (p *pending) add(raw net.Conn) *candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if p.oldest.Len() >= p.max {
		p.drop(p.victim())
	}
	c := &candidate{raw: raw, host: hostOf(raw.RemoteAddr())}
	c.place = p.oldest.PushBack(c)
	p.count[c.host]++
	return c
}

// remove gives the place back. It reports false if the connection was dropped
// before.
func (p *pending) remove(c *candidate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forget(c)
}

// dropOne makes room although there are places left.
func (p *pending) dropOne() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.oldest.Len() > 0 {
		p.drop(p.victim())
	}
}

// close drops all and lets no more in.
func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for p.oldest.Len() > 0 {
		p.drop(p.oldest.Front().Value.(*candidate))
	}
}

// victim is the oldest connection of the host that has most. There must be one.
func (p *pending) victim() *candidate {
	var found *candidate
	for e := p.oldest.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*candidate); found == nil || p.count[c.host] > p.count[found.host] {
			found = c
		}
	}
	return found
}

// drop ends the connection, which wakes the goroutine that serves it.
func (p *pending) drop(c *candidate) {
	p.forget(c)
	c.raw.Close()
}

func (p *pending) forget(c *candidate) bool {
	if c.place == nil {
		return false
	}
	p.oldest.Remove(c.place)
	c.place = nil
	if p.count[c.host]--; p.count[c.host] == 0 {
		delete(p.count, c.host)
	}
	return true
}

func hostOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return addr.String()
}
