package devices

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// maxChecks bounds how many devices are asked at the same time, and so the
// sockets and memory of a round.
const maxChecks = 256

// Checks begin in step with those that are quick: of those that began within
// slowAfter there are at most maxQuick. Handshakes cost the processor a lot, and
// hundreds at once would make each other late until all seem to be Offline; the
// silent ones cost nothing and hold nobody up.
const (
	maxQuick  = 64
	slowAfter = 100 * time.Millisecond
)

// Round is the outcome of asking every device.
type Round struct {
	Available   []Device
	Offline     []Device
	NeedsRepair []Device
}

// Discover asks all gateways side by side and returns the whole list by status.
// It takes one Timeout and hardly more, unless more than maxChecks of them are
// silent.
func (s *Service) Discover(ctx context.Context) Round {
	s.round(ctx, 0)
	s.save(ctx)
	return s.byStatus()
}

func (s *Service) byStatus() Round {
	var r Round
	for _, d := range s.List() {
		switch d.Status {
		case mesh.StatusAvailable:
			r.Available = append(r.Available, d)
		case mesh.StatusOffline:
			r.Offline = append(r.Offline, d)
		case mesh.StatusNeedsRepair:
			r.NeedsRepair = append(r.NeedsRepair, d)
		}
	}
	return r
}

// round asks every gateway once. Their turns are spread over so much time, so
// that the idle cost of a mesh has no peaks; with none, it is as quick as can be.
func (s *Service) round(ctx context.Context, spread time.Duration) {
	due := s.due(false)
	if len(due) == 0 {
		return
	}
	var g errgroup.Group
	g.SetLimit(maxChecks)
	begin := time.Time{}
	if spread == 0 {
		begin = time.Now()
	}
	for _, id := range due {
		if spread > 0 && !sleep(ctx, time.Duration(rand.Float64()*float64(spread))/time.Duration(len(due))) {
			break
		}
		g.Go(func() error {
			s.check(ctx, id, begin) // its outcome is in the list
			return nil
		})
	}
	g.Wait()
}

// due lists the gateways to ask. Those that did not answer the last time come
// first, because they take the longest; the others in no order.
func (s *Service) due(archived bool) []mesh.DeviceID {
	type candidate struct {
		id     mesh.DeviceID
		silent bool
	}
	var all []candidate
	s.mu.RLock()
	for id, e := range s.entries {
		if e.Reachable() && e.Archived() == archived {
			all = append(all, candidate{id, e.last.Outcome == mesh.Unreached})
		}
	}
	s.mu.RUnlock()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(order(a.silent), order(b.silent)) })
	ids := make([]mesh.DeviceID, len(all))
	for i, c := range all {
		ids[i] = c.id
	}
	return ids
}

func order(silent bool) int {
	if silent {
		return 0
	}
	return 1
}

// Check asks one device right now. It fails with sdk.Offline or
// sdk.NeedsRepair when the device does not answer as it should.
func (s *Service) Check(ctx context.Context, id mesh.DeviceID) (Device, error) {
	d, err := s.Get(id)
	if err != nil {
		return Device{}, err
	}
	if err := s.check(ctx, id, time.Time{}); err != nil {
		return d, err
	}
	return s.Get(id)
}

// flight is a check in progress, which everybody who wants one shares.
type flight struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	// What follows is set before done is closed.
	err       error
	abandoned bool // whoever began it left, or it was overtaken: its end says nothing
}

// check asks one device, or waits for the check of it that goes on. In a round
// it knows when that began.
func (s *Service) check(ctx context.Context, id mesh.DeviceID, round time.Time) error {
	for {
		device, f, mine, err := s.board(ctx, id)
		if err != nil {
			return err
		}
		if mine {
			f.abandoned, f.err = s.fly(f.ctx, device, round)
			s.land(id, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !f.abandoned {
			return f.err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// board joins the check of the device that goes on, or makes one.
func (s *Service) board(ctx context.Context, id mesh.DeviceID) (d mesh.Device, f *flight, mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[id]
	if !ok {
		return d, nil, false, unknown()
	}
	if e.flight != nil {
		return d, e.flight, false, nil
	}
	f = &flight{done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(ctx)
	e.flight = f
	return e.callable(), f, true, nil
}

func (s *Service) land(id mesh.DeviceID, f *flight) {
	s.mu.Lock()
	if e, ok := s.entries[id]; ok && e.flight == f {
		e.flight = nil
	}
	s.mu.Unlock()
	f.cancel()
	close(f.done)
}

// overtakeGap is the least time between two checks that are overtaken. A check
// that finds its device needs far less, so nobody can keep it from being found
// by telling of ever more places.
const overtakeGap = 5 * time.Second

// overtake ends the check that goes on, so that those who wait for it begin anew
// with what is known by now. The caller holds mu.
func (e *entry) overtake(now time.Time) {
	if e.flight != nil && (e.overtaken.IsZero() || now.Sub(e.overtaken) >= overtakeGap) {
		e.overtaken = now
		e.flight.cancel()
	}
}

// fly is the check itself. It is abandoned when ctx ends: then it says nothing
// about the device.
func (s *Service) fly(ctx context.Context, d mesh.Device, round time.Time) (abandoned bool, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return true, ctx.Err()
	}
	select {
	case s.quick <- struct{}{}:
	case <-ctx.Done():
		return true, ctx.Err()
	}
	passed := sync.OnceFunc(func() { <-s.quick })
	defer passed()
	defer time.AfterFunc(slowAfter, passed).Stop()
	timed, cancel := context.WithTimeout(ctx, s.patience(round))
	defer cancel()
	began, clock := s.Now(), time.Now()
	health, err := s.Caller.Health(timed, d)
	if err != nil && ctx.Err() != nil {
		return true, ctx.Err()
	}
	sample := mesh.Sample{Began: began, At: s.Now(), Response: time.Since(clock)}
	switch {
	case err == nil:
		sample.Outcome, sample.Health, sample.Address = mesh.Reached, health, s.Caller.Address(d.ID)
	case sdk.KindOf(err) == sdk.NeedsRepair:
		sample.Outcome = mesh.Refused
	default:
		sample.Response = 0
		s.complain(d.ID, err)
	}
	s.Observe(ctx, d.ID, sample)
	return false, err
}

// patience is how long a check may take. One that had to wait for its turn in a
// round has to end with it, or nearly: a round with more silent devices than
// turns would else go on and on.
func (s *Service) patience(round time.Time) time.Duration {
	timeout := s.schedule.Load().Timeout
	if round.IsZero() {
		return timeout
	}
	return min(timeout, max(timeout/2, timeout+timeout/8-time.Since(round)))
}

// sleep reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
