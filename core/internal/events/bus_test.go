package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read takes what there is now, as "name" or "(gap)name", until nothing is left.
func read(t *testing.T, w *Watch) string {
	t.Helper()
	var got []string
	for {
		e, lost, _, err := w.take()
		must(t, err)
		if e == nil && !lost {
			return strings.Join(got, " ")
		}
		text := ""
		if lost {
			text = "(gap)"
		}
		if e != nil {
			text += e.Name + string(e.Data)
		}
		got = append(got, text)
	}
}

func TestWatchContinuesWhereItLeftOff(t *testing.T) {
	b := New(3, time.Now)
	early := b.Watch("")
	must(t, b.Publish("a", 1))
	must(t, b.Publish("b", 2))
	if got := read(t, early); got != "a1 b2" {
		t.Errorf("read %q", got)
	}
	place := early.Place()
	must(t, b.Publish("c", 3))
	if got := read(t, b.Watch(place)); got != "c3" {
		t.Errorf("after %s: read %q", place, got)
	}
	if got := read(t, b.Watch("")); got != "" {
		t.Errorf("from now on: read %q", got)
	}
	must(t, b.Publish("d", 4))
	must(t, b.Publish("e", 5))
	if got := read(t, b.Watch(place)); got != "c3 d4 e5" {
		t.Errorf("a full ring: read %q", got)
	}
	must(t, b.Publish("f", 6))
	if got := read(t, b.Watch(place)); got != "(gap)d4 e5 f6" {
		t.Errorf("an overrun ring: read %q", got)
	}
	if got := read(t, early); got != "(gap)d4 e5 f6" {
		t.Errorf("a slow watcher: read %q", got)
	}
}

func TestWatchAfterAnUnknownPlaceBeginsWithAGap(t *testing.T) {
	clock := time.Now()
	before := New(8, func() time.Time { return clock })
	must(t, before.Publish("a", 1))
	stale := before.id(1)
	clock = clock.Add(time.Second)
	b := New(8, func() time.Time { return clock })
	must(t, b.Publish("b", 2))
	for _, id := range []string{stale, "nonsense", "-", b.run + "-", b.run + "-x", b.run + "--1", b.id(99)} {
		w := b.Watch(id)
		if got := read(t, w); got != "(gap)" {
			t.Errorf("after %q: read %q", id, got)
		}
		must(t, b.Publish("later", nil))
		if got := read(t, w); got != "laternull" {
			t.Errorf("after %q and a gap: read %q", id, got)
		}
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(4, time.Now)
		w := b.Watch("")
		go func() {
			time.Sleep(time.Minute)
			_ = b.Publish("late", "x")
		}()
		start := time.Now()
		e, lost, err := w.Next(t.Context())
		must(t, err)
		if lost || e.Name != "late" || !e.Time.Equal(start.Add(time.Minute)) || e.Time.Location() != time.UTC {
			t.Errorf("got %+v, lost %v", e, lost)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without an event: %v", err)
		}

		must(t, b.Publish("last", nil))
		must(t, b.Close())
		must(t, b.Close())
		must(t, b.Publish("too late", nil))
		if e, _, err := w.Next(t.Context()); err != nil || e.Name != "last" {
			t.Errorf("what was there before the end: %+v, %v", e, err)
		}
		if _, _, err := w.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestPublishRefuses(t *testing.T) {
	b := New(4, time.Now)
	w := b.Watch("")
	if err := b.Publish("large", strings.Repeat("x", MaxData)); err == nil {
		t.Error("more than the limit was published")
	}
	if err := b.Publish("odd", func() {}); err == nil {
		t.Error("a function was published")
	}
	must(t, b.Publish("fits", strings.Repeat("x", MaxData-2)))
	if got := read(t, w); !strings.HasPrefix(got, "fits") {
		t.Errorf("read %.40q", got)
	}
}

// TestManyAtOnce checks that each watcher sees the events in order, and all of
// them unless it was told of a gap, while several publish.
func TestManyAtOnce(t *testing.T) {
	const publisherCount, each = 3, 200
	b := New(16, time.Now)
	var watchers, publishers sync.WaitGroup
	for range 4 {
		w := b.Watch("")
		watchers.Go(func() { follow(t, w, publisherCount*each) })
	}
	for p := range publisherCount {
		publishers.Go(func() {
			for n := range each {
				if err := b.Publish(fmt.Sprint("p", p), n+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	must(t, b.Close())
	watchers.Wait()
}

func follow(t *testing.T, w *Watch, all int) {
	last, seen, gaps := map[string]int{}, 0, false
	for {
		e, lost, err := w.Next(t.Context())
		if err != nil {
			if !errors.Is(err, ErrClosed) || !gaps && seen != all {
				t.Errorf("after %d of %d events, gaps %v: %v", seen, all, gaps, err)
			}
			return
		}
		gaps = gaps || lost
		var n int
		if _, err := fmt.Sscan(string(e.Data), &n); err != nil || n <= last[e.Name] {
			t.Errorf("%s: %d after %d, %v", e.Name, n, last[e.Name], err)
		}
		last[e.Name] = n
		seen++
	}
}
