package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// Limits of events.
const (
	// MaxEventBytes bounds the JSON of one event.
	MaxEventBytes = 16 << 10
	maxEventName  = 64
	// maxPending is how many events wait for a gateway that does not read.
	maxPending = 256
)

// Events lets a plugin tell the gateway what happens, without being asked. The
// zero Events, as in a test's own Env, takes everything and tells nobody. Its
// methods never block and are safe for concurrent use.
type Events struct{ feed *feed }

// Publish tells everybody who watches this device that something happened. The
// name begins with the plugin's own and is in the past tense: "posts.created".
// The data becomes JSON of at most MaxEventBytes. It holds what the watchers need
// to look for more, such as an id; whoever may see the device's events sees it.
//
// Events are news, not records: when the gateway does not read them in time, the
// oldest are dropped and counted. An event that breaks a rule is not sent, and
// the log says so.
func (e Events) Publish(name string, data any) {
	if e.feed == nil {
		return
	}
	if err := e.feed.publish(name, data); err != nil {
		e.feed.log.Error("event not published", "event", clip(name), "error", err)
	}
}

// HealthChanged asks the gateway to call CheckHealth now rather than at its next
// turn, so that other devices learn at once what this one can do.
func (e Events) HealthChanged() {
	if e.feed != nil {
		e.feed.healthChanged()
	}
}

// ValidEventName reports whether the named plugin may publish an event of that
// name: "<plugin>.<word>", where more dotted words may follow, of lower-case
// letters, digits, dashes and underscores, at most 64 bytes in all.
func ValidEventName(plugin, name string) bool {
	words, own := strings.CutPrefix(name, plugin+".")
	if !own || len(name) > maxEventName {
		return false
	}
	for word := range strings.SplitSeq(words, ".") {
		if !validWord(word) {
			return false
		}
	}
	return true
}

// feed holds what the gateway has not read yet. It belongs to the process: a
// new configuration changes nothing.
type feed struct {
	plugin string
	log    *slog.Logger
	ready  chan struct{} // holds a token when there may be something to take

	mu      sync.Mutex
	pending []*pluginv1.Published // oldest first
	dropped uint64                // before the first of them
	health  bool
	watcher chan struct{} // of the watcher in force; closed when another takes over
}

func newFeed(plugin string, log *slog.Logger) *feed {
	return &feed{plugin: plugin, log: log, ready: make(chan struct{}, 1), watcher: make(chan struct{})}
}

func (f *feed) publish(name string, data any) error {
	if !ValidEventName(f.plugin, name) {
		return fmt.Errorf("the name must be %q", f.plugin+".<word>")
	}
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if len(body) > MaxEventBytes {
		return fmt.Errorf("%d bytes of JSON, at most %d are allowed", len(body), MaxEventBytes)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) == maxPending {
		f.pending[0] = nil
		f.pending = f.pending[1:]
		f.dropped++
	}
	f.pending = append(f.pending, &pluginv1.Published{Name: name, Data: body})
	f.wake()
	return nil
}

// healthChanged is kept beside the queue: no flood of events can push it out,
// and a second one while the first waits says nothing new.
func (f *feed) healthChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health = true
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// follow makes the caller the watcher in force, in place of the one before.
func (f *feed) follow() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.watcher)
	f.watcher = make(chan struct{})
	f.wake()
	return f.watcher
}

// take returns the next event for the watcher, or nil when there is none or
// another watcher is in force.
func (f *feed) take(watcher chan struct{}) *pluginv1.WatchResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.watcher != watcher:
		return nil
	case f.health:
		f.health = false
		return &pluginv1.WatchResponse{Event: &pluginv1.WatchResponse_HealthChanged{HealthChanged: &pluginv1.HealthChanged{}}}
	case len(f.pending) > 0:
		next := &pluginv1.WatchResponse{Dropped: f.dropped, Event: &pluginv1.WatchResponse_Published{Published: f.pending[0]}}
		f.dropped = 0
		f.pending[0] = nil
		f.pending = f.pending[1:]
		return next
	}
	return nil
}

// lost takes note of an event that was taken but could not be sent.
func (f *feed) lost(w *pluginv1.WatchResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.GetHealthChanged() != nil {
		f.health = true
		return
	}
	f.dropped += w.GetDropped() + 1
}

// watch sends events until the context ends, another watcher comes, or the
// plugin has stopped and everything was sent.
func (f *feed) watch(ctx context.Context, stopped <-chan struct{}, send func(*pluginv1.WatchResponse) error) error {
	watcher := f.follow()
	for ended := false; ; {
		for next := f.take(watcher); next != nil; next = f.take(watcher) {
			if err := send(next); err != nil {
				f.lost(next)
				return err
			}
		}
		if ended {
			return nil
		}
		select {
		case <-f.ready:
		case <-stopped:
			ended = true // once more, for what came with the end
		case <-watcher:
			f.wake() // the token may have been the other one's
			return errReplaced
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
