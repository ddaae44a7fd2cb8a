package events

import (
	"context"
	"errors"
)

// ErrClosed ends a watch when the gateway stops.
var ErrClosed = errors.New("no more events")

// Watch is one watcher's place in the news. It is not safe for use by several
// goroutines.
type Watch struct {
	bus  *Bus
	next uint64 // the number of events before the one to read
	lost bool   // the first read tells of a gap
}

// Watch follows the events after the one with the id, or those from now on when
// it is "". When there is no telling what came after that id, because it is too
// old or of an earlier run, the watch begins with a gap.
func (b *Bus) Watch(after string) *Watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if after == "" {
		return &Watch{bus: b, next: b.published}
	}
	number, known := b.number(after)
	if !known || number > b.published {
		return &Watch{bus: b, next: b.published, lost: true}
	}
	return &Watch{bus: b, next: number}
}

// Place is the id after which the watch continues.
func (w *Watch) Place() string { return w.bus.id(w.next) }

// Next waits for the next event. Lost reports that events before it are missing;
// then there may be no event at all, and the watcher should look at everything
// anew. The error is ErrClosed or that of the context.
func (w *Watch) Next(ctx context.Context) (e *Event, lost bool, err error) {
	for {
		e, lost, changed, err := w.take()
		if e != nil || lost || err != nil {
			return e, lost, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// take returns what is there, or the channel to wait on.
func (w *Watch) take() (e *Event, lost bool, changed <-chan struct{}, err error) {
	b := w.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	lost, w.lost = w.lost, false
	if kept := uint64(len(b.ring)); b.published-w.next > kept {
		lost, w.next = true, b.published-kept
	}
	switch {
	case w.next < b.published:
		event := b.ring[w.next%uint64(len(b.ring))]
		w.next++
		return &event, lost, nil, nil
	case lost:
		return nil, true, nil, nil
	case b.closed:
		return nil, false, nil, ErrClosed
	}
	return nil, false, b.changed, nil
}
