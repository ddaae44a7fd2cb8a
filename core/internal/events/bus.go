// Package events is the gateway's live news: whoever knows of a change publishes
// it, whoever watches follows from where they left off. The bus keeps the last
// events and nothing per watcher, so a slow watcher costs nothing and blocks
// nobody; what it missed shows as a gap. Nothing is stored on disk.
package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxData is the largest data of an event, in bytes.
const MaxData = 32 << 10

// Event is one thing that happened.
type Event struct {
	ID   string          `json:"id"`   // where a watcher continues after it
	Time time.Time       `json:"time"` // when it was published, in UTC
	Name string          `json:"name"` // dotted words in the past tense: "plugin.changed"
	Data json.RawMessage `json:"data"`
}

// Bus keeps the last events in a ring. Create it with New.
type Bus struct {
	run string // tells the events of this run of the gateway from those of others
	now func() time.Time

	mu        sync.Mutex
	ring      []Event
	published uint64        // events so far; the next has this number
	changed   chan struct{} // closed at the next event, or at the end
	closed    bool
}

// New returns a bus that keeps so many events, at least one.
func New(keep int, now func() time.Time) *Bus {
	return &Bus{
		run: strconv.FormatInt(now().UnixNano(), 36), now: now,
		ring: make([]Event, max(keep, 1)), changed: make(chan struct{}),
	}
}

// Publish tells everybody who watches. It never waits for any of them. Data is
// encoded as JSON; more than MaxData of it is an error, and nobody is told.
func (b *Bus) Publish(name string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if len(encoded) > MaxData {
		return fmt.Errorf("publish %s: %d bytes of data, at most %d are allowed", name, len(encoded), MaxData)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.published++
	b.ring[(b.published-1)%uint64(len(b.ring))] = Event{
		ID: b.id(b.published), Time: b.now().UTC(), Name: name, Data: encoded,
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// Close ends every watch once it has read what there is.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.changed)
	}
	return nil
}

// id names the place right after the event with the number.
func (b *Bus) id(number uint64) string { return b.run + "-" + strconv.FormatUint(number, 10) }

// number is the inverse of id; false for an id of another run, or none.
func (b *Bus) number(id string) (uint64, bool) {
	run, text, ok := strings.Cut(id, "-")
	if !ok || run != b.run {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}
