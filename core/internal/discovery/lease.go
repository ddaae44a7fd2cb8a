package discovery

import "time"

const (
	// maxTTL is the longest that a record is believed without being heard again,
	// whatever it says itself.
	maxTTL = 75 * time.Minute
	// refreshes is how often a record that ends is asked for: at 80, 85, 90 and
	// 95 hundredths of its time (RFC 6762, section 5.2).
	refreshes = 4
	// minRefresh is the shortest time that is worth a refresh: gateways say 120 s.
	minRefresh = 10 * time.Second
	// flushGrace is how old a record must be for another one with the cache-flush
	// bit to replace it; younger ones belong to the same announcement (RFC 6762,
	// section 10.2).
	flushGrace = time.Second
)

// lease is how long something heard is believed. The zero lease has ended.
type lease struct {
	heard time.Time
	ttl   time.Duration
	asked int           // refreshes asked for
	late  time.Duration // by which this lease asks later than others on the network
}

func newLease(now time.Time, seconds uint32, random func(n int) int) lease {
	ttl := min(time.Duration(seconds)*time.Second, maxTTL)
	return lease{heard: now, ttl: ttl, late: ttl * time.Duration(random(20)) / 1000}
}

func (l lease) valid() bool            { return !l.heard.IsZero() }
func (l lease) end() time.Time         { return l.heard.Add(l.ttl) }
func (l lease) half() time.Time        { return l.heard.Add(l.ttl / 2) }
func (l lease) old(now time.Time) bool { return now.Sub(l.heard) > flushGrace }

// refresh is when the record should be asked for again; zero when it has been
// often enough, or ends too soon.
func (l lease) refresh() time.Time {
	if !l.valid() || l.asked >= refreshes || l.ttl < minRefresh {
		return time.Time{}
	}
	return l.heard.Add(l.ttl*time.Duration(80+5*l.asked)/100 + l.late)
}

// left is how many seconds the lease still has.
func (l lease) left(now time.Time) uint32 {
	return uint32(max(0, l.end().Sub(now)) / time.Second)
}
