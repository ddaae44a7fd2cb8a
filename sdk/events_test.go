package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

func TestValidEventName(t *testing.T) {
	for name, want := range map[string]bool{
		"posts.created": true, "posts.a.b-c.d_2": true, "posts." + strings.Repeat("x", 58): true,
		"": false, "posts": false, "posts.": false, ".created": false, "posts..a": false, "posts.a.": false,
		"posts.Created": false, "posts.a b": false, "posts.ä": false, "postscript.a": false, "media.a": false,
		"posts." + strings.Repeat("x", 59): false,
	} {
		if got := ValidEventName("posts", name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// reader is a watcher of a feed in a test.
type reader struct {
	got  chan string
	done chan error
	stop context.CancelFunc
}

func spell(w *pluginv1.WatchResponse) string {
	text := ""
	if w.GetDropped() > 0 {
		text = fmt.Sprintf("%d lost, ", w.GetDropped())
	}
	if w.GetHealthChanged() != nil {
		return text + "health"
	}
	return text + w.GetPublished().GetName() + " " + string(w.GetPublished().GetData())
}

// read follows the feed until it ends; gate holds it up before each event.
func read(f *feed, stopped <-chan struct{}, gate func(*pluginv1.WatchResponse) error) *reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{got: make(chan string, 2*maxPending), done: make(chan error, 1), stop: cancel}
	go func() {
		r.done <- f.watch(ctx, stopped, func(w *pluginv1.WatchResponse) error {
			if gate != nil {
				if err := gate(w); err != nil {
					return err
				}
			}
			r.got <- spell(w)
			return nil
		})
	}()
	return r
}

func (r *reader) want(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-r.got; got != w {
			t.Errorf("got %q, want %q", got, w)
		}
	}
}

func (r *reader) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func newTestFeed() (Events, *syncBuffer) {
	log := &syncBuffer{}
	return Events{newFeed("posts", slog.New(slog.NewTextHandler(log, nil)))}, log
}

func TestEventsArriveInOrder(t *testing.T) {
	events, _ := newTestFeed()
	events.Publish("posts.created", map[string]int{"id": 1}) // before anybody reads
	r := read(events.feed, nil, nil)
	r.want(t, `posts.created {"id":1}`)
	events.Publish("posts.deleted", 2)
	events.Publish("posts.deleted", nil)
	r.want(t, "posts.deleted 2", "posts.deleted null")
	events.HealthChanged()
	r.want(t, "health")
	r.end(t)
}

func TestEventsKeepTheNewest(t *testing.T) {
	events, _ := newTestFeed()
	for i := range maxPending + 10 {
		events.Publish("posts.created", i)
		events.HealthChanged()
	}
	r := read(events.feed, nil, nil)
	r.want(t, "health", "10 lost, posts.created 10", "posts.created 11")
	for i := 12; i < maxPending+10; i++ {
		r.want(t, fmt.Sprint("posts.created ", i))
	}
	events.Publish("posts.created", "after")
	r.want(t, `posts.created "after"`)
	r.end(t)
}

func TestEventsAreCountedWhenSendingFails(t *testing.T) {
	events, _ := newTestFeed()
	events.HealthChanged()
	events.Publish("posts.a", 1)
	events.Publish("posts.b", 2)
	broken := errors.New("broken")
	for _, fails := range []string{"health", "posts.a 1"} {
		r := read(events.feed, nil, func(w *pluginv1.WatchResponse) error {
			if spell(w) == fails {
				return broken
			}
			return nil
		})
		if err := <-r.done; !errors.Is(err, broken) {
			t.Errorf("ended with %v", err)
		}
		if fails == "posts.a 1" {
			r.want(t, "health") // the first reader lost it, and it came again
		}
	}
	r := read(events.feed, nil, nil)
	r.want(t, "1 lost, posts.b 2")
	r.end(t)
}

func TestEventsOfALaterWatcher(t *testing.T) {
	events, _ := newTestFeed()
	first := read(events.feed, nil, nil)
	events.Publish("posts.a", 1)
	first.want(t, "posts.a 1")
	second := read(events.feed, nil, nil)
	if err := <-first.done; !errors.Is(err, errReplaced) {
		t.Errorf("the first ended with %v", err)
	}
	events.Publish("posts.b", 2)
	second.want(t, "posts.b 2")
	second.end(t)
	events.Publish("posts.c", 3)
	third := read(events.feed, nil, nil)
	third.want(t, "posts.c 3")
	third.end(t)
}

func TestEventsBeforeTheEndArrive(t *testing.T) {
	events, _ := newTestFeed()
	stopped := make(chan struct{})
	hold := make(chan struct{})
	r := read(events.feed, stopped, func(*pluginv1.WatchResponse) error {
		<-hold
		return nil
	})
	events.Publish("posts.a", 1)
	events.Publish("posts.b", 2)
	close(stopped)
	close(hold)
	r.want(t, "posts.a 1", "posts.b 2")
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestEventsThatBreakARule(t *testing.T) {
	events, log := newTestFeed()
	for _, c := range []struct {
		name string
		data any
		want string
	}{
		{"created", 1, `must be \"posts.<word>\"`},
		{"media.created", 1, "must be"},
		{strings.Repeat("x", 1000), 1, "..."},
		{"posts.created", make(chan int), "unsupported type"},
		{"posts.created", strings.Repeat("x", MaxEventBytes), "16386 bytes"},
	} {
		events.Publish(c.name, c.data)
		if got := log.String(); !strings.Contains(got, "event not published") || !strings.Contains(got, c.want) || len(got) > 2000 {
			t.Errorf("%.40q: the log says %q", c.name, got)
		}
	}
	events.Publish("posts.fine", json.RawMessage(`{}`))
	r := read(events.feed, nil, nil)
	r.want(t, "posts.fine {}")
	r.end(t)
}

func TestZeroEvents(t *testing.T) {
	var env Env
	env.Events.Publish("anything", make(chan int))
	env.Events.HealthChanged()
}

func TestEventsFromManyGoroutines(t *testing.T) {
	events, _ := newTestFeed()
	stopped := make(chan struct{})
	const writers, each = 8, 500
	total, lost := 0, uint64(0)
	r := read(events.feed, stopped, func(w *pluginv1.WatchResponse) error {
		if w.GetPublished() != nil {
			total++
			lost += w.GetDropped()
		}
		return nil
	})
	go func() {
		for range r.got {
		}
	}()
	var work sync.WaitGroup
	for range writers {
		work.Go(func() {
			for i := range each {
				events.Publish("posts.created", i)
				events.HealthChanged()
			}
		})
	}
	work.Wait()
	close(stopped)
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	close(r.got)
	if uint64(total)+lost != writers*each {
		t.Errorf("%d arrived and %d were counted as lost of %d", total, lost, writers*each)
	}
}
