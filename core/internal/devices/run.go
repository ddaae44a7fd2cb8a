package devices

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// beat is how often the clock and the network are looked at.
	beat = 2 * time.Second
	// checkGap is the least time between two checks of one device that sightings
	// and calls bring about, so that nobody can have it checked all the time.
	checkGap = time.Second
	// saveDelay gathers what is to be stored.
	saveDelay = 200 * time.Millisecond
	// farewell bounds the goodbye to the others.
	farewell = time.Second
)

// Run checks every gateway at once and then so often that no two checks of one
// are more than Interval apart, at times that drift so that gateways do not fall
// into step. It also checks them when this machine wakes from sleep or changes
// its network, and single ones when there is a sign of them. When ctx ends it
// tells those that are there, stores what is left and returns.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, loop := range []func(context.Context){s.rounds, s.watch, s.checks, s.saves} {
		running.Go(func() { loop(ctx) })
	}
	<-ctx.Done()
	last := context.WithoutCancel(ctx)
	s.leave(last)
	running.Wait()
	s.save(last)
	return nil
}

func (s *Service) rounds(ctx context.Context) {
	for spread := time.Duration(0); ; {
		begin := time.Now()
		s.round(ctx, spread)
		var ok bool
		if spread, ok = s.pause(ctx, begin); !ok {
			return
		}
	}
}

// pause waits for the next round and says over how much time to spread it; it
// reports false when ctx ends first. Wait and spread together are no longer than
// an interval.
func (s *Service) pause(ctx context.Context, begin time.Time) (time.Duration, bool) {
	for {
		interval := s.schedule.Load().Interval
		wait := time.Duration((0.8 + 0.1*rand.Float64()) * float64(interval))
		select {
		case <-ctx.Done():
			return 0, false
		case <-s.rescheduled:
			begin = time.Now()
		case <-s.wake:
			return 0, true
		case <-time.After(time.Until(begin.Add(wait))):
			return interval / 10, true
		}
	}
}

// watch feels the pulse of this machine and lets time pass in the list.
func (s *Service) watch(ctx context.Context) {
	start := time.Now()
	read := func() reading {
		return reading{wall: s.Now().Round(0), mono: time.Since(start), network: s.Network()}
	}
	last := read()
	for sleep(ctx, beat) {
		now := read()
		why := last.compare(now)
		last = now
		if why == "" {
			s.settle()
			continue
		}
		s.Log.Info("looking for devices anew", "because", why)
		s.lookAnew()
	}
}

// lookAnew checks everything now, over new connections: the old ones may lead
// nowhere without saying so.
func (s *Service) lookAnew() {
	for _, id := range s.due(false) {
		s.Caller.Refresh(id)
	}
	s.mu.Lock()
	for _, e := range s.entries {
		e.overtake(time.Now())
	}
	s.mu.Unlock()
	notify(s.wake)
}

// CheckSoon has one device checked as soon as may be. It never blocks.
func (s *Service) CheckSoon(id mesh.DeviceID) {
	s.mu.Lock()
	e, ok := s.entries[id]
	wanted := ok && e.Reachable()
	if wanted {
		e.wanted = true
	}
	s.mu.Unlock()
	if wanted {
		notify(s.kick)
	}
}

// checks checks the devices that CheckSoon names.
func (s *Service) checks(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
		for _, id := range s.takeWanted() {
			running.Go(func() { s.checkNow(ctx, id) })
		}
	}
}

// takeWanted lists the devices to check, without those whose check goes on.
func (s *Service) takeWanted() []mesh.DeviceID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []mesh.DeviceID
	for id, e := range s.entries {
		if e.wanted && !e.checking {
			e.wanted, e.checking = false, true
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Service) checkNow(ctx context.Context, id mesh.DeviceID) {
	_ = s.check(ctx, id, time.Time{})
	sleep(ctx, checkGap)
	s.mu.Lock()
	again := false
	if e, ok := s.entries[id]; ok {
		e.checking, again = false, e.wanted
	}
	s.mu.Unlock()
	if again {
		notify(s.kick)
	}
}

// saves stores what changed, a moment later, so that a round is one write.
func (s *Service) saves(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.unsaved:
		}
		if !sleep(ctx, saveDelay) {
			return
		}
		s.save(ctx)
	}
}

// leave tells the gateways that are there that this one is going, so that nobody
// waits for a timeout to find out.
func (s *Service) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, min(farewell, s.schedule.Load().Timeout))
	defer cancel()
	var telling sync.WaitGroup
	defer telling.Wait()
	for _, d := range s.List() {
		if !d.Reachable() || d.Status != mesh.StatusAvailable {
			continue
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		telling.Go(func() {
			defer func() { <-s.slots }()
			s.sayGoodbye(ctx, d.Device)
		})
	}
}

func (s *Service) sayGoodbye(ctx context.Context, d mesh.Device) {
	err := s.Caller.Leaving(ctx, d)
	if err != nil && ctx.Err() == nil {
		// The kept connection may have been gone; a second goodbye does no harm.
		err = s.Caller.Leaving(ctx, d)
	}
	if err != nil {
		s.Log.Debug("device was not told that this one stops", "device", d.ID, "error", err)
	}
}
