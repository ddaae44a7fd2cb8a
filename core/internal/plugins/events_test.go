package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk/control"
)

// collected are the events that arrived.
type collected struct {
	mu     sync.Mutex
	events []string // "name data dropped"
}

func (c *collected) publish(plugin, name string, data json.RawMessage, dropped uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, fmt.Sprintf("%s %s %s %d", plugin, name, data, dropped))
}

func (c *collected) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.events...)
}

// inFollower runs a follower of the plugin "x" over a stream of the test's own.
func inFollower(t *testing.T, test func(t *testing.T, f *follower, got *collected, checks *int, log *logBuffer)) {
	synctest.Test(t, func(t *testing.T) {
		got, checks, log := &collected{}, 0, &logBuffer{}
		f := newFollower("x", got.publish, func() { checks++ }, testLogger(log))
		test(t, f, got, &checks, log)
	})
}

func told(name, data string, dropped uint64) control.Event {
	return control.Event{Dropped: dropped, Published: &control.Published{Name: name, Data: []byte(data)}}
}

func TestFollowerPassesOnWhatIsSound(t *testing.T) {
	inFollower(t, func(t *testing.T, f *follower, got *collected, checks *int, log *logBuffer) {
		for _, e := range []control.Event{
			told("x.created", `{"id":1}`, 0),
			{HealthChanged: true},
			// The name of another, no JSON, too long, of a kind that nobody knows yet.
			told("y.created", `{}`, 0),
			told("x.created", `{`, 0),
			told("x.created", `"`+strings.Repeat("a", 16<<10)+`"`, 0),
			{Dropped: 7},
			told("x.removed.for_good", `[]`, 2),
			told("x.created", `null`, 0),
		} {
			must(t, f.take(t.Context(), e))
		}
		want := []string{`x x.created {"id":1} 0`, "x x.removed.for_good [] 12", "x x.created null 0"}
		if diff := cmp.Diff(want, got.all()); diff != "" {
			t.Error(diff)
		}
		if *checks != 1 {
			t.Errorf("%d health checks", *checks)
		}
		if n := strings.Count(log.String(), "event of a plugin dropped"); n != 3 {
			t.Errorf("%d complaints:\n%s", n, log)
		}
	})
}

// TestFollowerIsInNoHurry floods the follower: it reads at its own pace, and it
// complains at its own pace too.
func TestFollowerIsInNoHurry(t *testing.T) {
	inFollower(t, func(t *testing.T, f *follower, got *collected, _ *int, log *logBuffer) {
		began := time.Now()
		for range 1000 {
			must(t, f.take(t.Context(), told("x.shouted", "1", 0)))
		}
		if took, want := time.Since(began), 900*eventEvery; took < want || took > want+eventEvery {
			t.Errorf("1000 events took %s, want %s", took, want)
		}
		time.Sleep(time.Hour) // after a rest, a burst is welcome again
		began = time.Now()
		for range eventBurst {
			must(t, f.take(t.Context(), told("nonsense", "1", 0)))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a burst took %s", took)
		}
		if n := strings.Count(log.String(), "dropped"); n != 5 {
			t.Errorf("%d complaints", n)
		}
		must(t, f.take(t.Context(), told("x.told", "1", 0)))
		if all := got.all(); all[len(all)-1] != "x x.told 1 100" {
			t.Errorf("the gap is not told: %s", all[len(all)-1])
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.take(ctx, told("x.told", "1", 0)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFollowerOpensABrokenStreamAgain(t *testing.T) {
	inFollower(t, func(t *testing.T, f *follower, _ *collected, checks *int, log *logBuffer) {
		var opened []time.Duration
		began := time.Now()
		f.run(t.Context(), func(context.Context, func(control.Event) error) error {
			opened = append(opened, time.Since(began))
			if len(opened) == 4 {
				return control.ErrUnsupported
			}
			return errors.New("broken pipe")
		})
		if diff := cmp.Diff([]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}, opened); diff != "" {
			t.Error(diff)
		}
		if *checks != 3 || !strings.Contains(log.String(), "broken pipe") {
			t.Errorf("%d checks, log:\n%s", *checks, log)
		}
	})
	inFollower(t, func(t *testing.T, f *follower, _ *collected, _ *int, log *logBuffer) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		f.run(ctx, func(context.Context, func(control.Event) error) error { return nil })
		if log.String() != "" {
			t.Errorf("an end with the process is no news:\n%s", log)
		}
	})
}

// TestPluginsOwnEvents has a real plugin tell something, shout, and change its
// health.
func TestPluginsOwnEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	got := &collected{}
	b.start(quick(), enabled("good"), func(o *Options) { o.Publish = got.publish })
	b.call("GET", "/good/tell", nil)
	want := []string{`good good.told {"n":0} 0`, `good good.told {"n":1} 0`, `good good.told {"n":2} 0`}
	b.eventually("three events arrive", func() bool { return len(got.all()) >= len(want) })
	if diff := cmp.Diff(want, got.all()); diff != "" {
		t.Error(diff)
	}
	// The next health check would come in an hour.
	b.touch("good", "sick")
	b.call("GET", "/good/changed", nil)
	b.await("good", Degraded)
	b.call("GET", "/good/shout", nil)
	b.eventually("the gap is told", func() bool {
		all := got.all()
		return !strings.HasSuffix(all[len(all)-1], " 0")
	})
	b.restart("good")
	b.call("GET", "/good/tell", nil)
	b.eventually("the new process is heard", func() bool {
		return strings.Contains(strings.Join(got.all(), "\n"), `good good.told {"n":2} 0`+"\n") || strings.HasSuffix(got.all()[len(got.all())-1], `good.told {"n":2} 0`)
	})
}
