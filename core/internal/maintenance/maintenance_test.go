package maintenance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/store"
)

// fake is the devices, the database and the trail.
type fake struct {
	archived, expired, optimized atomic.Int64
	before                       atomic.Pointer[time.Time]
	swept                        store.Swept
	freed                        int64
	err                          error
	notes                        []string
}

func (f *fake) Archive(context.Context) (int, error) {
	f.archived.Add(1)
	return 0, f.err
}

func (f *fake) Expire(_ context.Context, before time.Time) (store.Swept, error) {
	f.expired.Add(1)
	f.before.Store(&before)
	return f.swept, f.err
}

func (f *fake) Optimize(context.Context) (int64, error) {
	f.optimized.Add(1)
	return f.freed, f.err
}

func (f *fake) note(_ context.Context, a mesh.Activity) { f.notes = append(f.notes, a.Words) }

func (f *fake) service(now func() time.Time) *Service {
	return New(Options{Devices: f, Store: f, Note: f.note, Now: now, Log: hclog.NewNullLogger()})
}

func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.service(time.Now).Run(ctx) }()
		time.Sleep(first - 1)
		if f.archived.Load() != 0 {
			t.Error("worked before the devices could be seen")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if f.archived.Load() != 1 || f.expired.Load() != 1 || f.optimized.Load() != 1 {
			t.Error("after the start the work was not done, or not once")
		}
		if want := time.Now().Add(-grace); f.before.Load().After(want) {
			t.Errorf("sweeps what expired before %v, and it is %v", f.before.Load(), time.Now())
		}
		time.Sleep(10*every + look)
		synctest.Wait()
		if f.archived.Load() != 11 {
			t.Errorf("%d works in ten days", f.archived.Load())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestSleepDoesNotStopTheCalendar: a laptop that is awake for an hour a day is
// tidied once a day all the same, and a clock set back does not stop the work.
func TestSleepDoesNotStopTheCalendar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var slept atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go f.service(func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }).Run(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		for day := range 3 {
			slept.Add(int64(23 * time.Hour))
			time.Sleep(time.Hour)
			synctest.Wait()
			if f.archived.Load() != int64(day+2) {
				t.Errorf("day %d: %d works", day+1, f.archived.Load())
			}
		}
		slept.Add(-int64(1000 * time.Hour))
		time.Sleep(time.Hour)
		synctest.Wait()
		if f.archived.Load() != 5 {
			t.Errorf("after the clock was set back: %d works", f.archived.Load())
		}
		cancel()
		synctest.Wait()
	})
}

func TestTrailInPlainWords(t *testing.T) {
	tests := []struct {
		name  string
		swept store.Swept
		freed int64
		want  []string
	}{
		{name: "nothing to do", freed: worthTelling - 1},
		{"one of each", store.Swept{Tokens: 1, Pairings: 1}, 0, []string{
			"1 expired access was cleared away.", "1 pairing that was never finished was cleared away.",
		}},
		{"many", store.Swept{Tokens: 2, Sessions: 3, Pairings: 4}, 12_345_678, []string{
			"5 expired accesses were cleared away.", "4 pairings that were never finished were cleared away.",
			"Salita tidied its database and gave 12.3 MB back.",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{swept: tt.swept, freed: tt.freed}
			if err := f.service(time.Now).Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, f.notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFailedStepKeepsNoOtherFromItsWork(t *testing.T) {
	f := &fake{err: errors.New("disk full"), swept: store.Swept{Tokens: 1}, freed: worthTelling}
	if err := f.service(time.Now).Work(t.Context()); !errors.Is(err, f.err) {
		t.Errorf("error %v", err)
	}
	if f.archived.Load() != 1 || f.expired.Load() != 1 || f.optimized.Load() != 1 || f.notes != nil {
		t.Errorf("not all was done, or more; notes %v", f.notes)
	}
}
