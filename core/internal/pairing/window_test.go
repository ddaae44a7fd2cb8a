package pairing

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestStart(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	l, err := ParseLink(w.Link)
	if err != nil {
		t.Fatal(err)
	}
	if l.Code != w.Code || l.LinkingCode != w.LinkingCode || l.Key != h.key || w.Address != h.address || !slices.Equal(l.Addresses, []string{h.address}) {
		t.Errorf("the link %+v does not say what the window does: %+v", l, w)
	}
	if w.Code == w.LinkingCode {
		t.Error("code and linking code are the same")
	}
	again := opened(t, s)
	if again.Code == w.Code || again.LinkingCode == w.LinkingCode {
		t.Error("two windows share a code")
	}
}

func TestStartWithoutAddresses(t *testing.T) {
	h := newHouse("desktop", 1)
	h.address = "not an address"
	w := opened(t, h.start())
	if w.Address != "desktop.local:6969" {
		t.Errorf("the link leads to %q", w.Address)
	}
	h.name = "not a name"
	if _, err := h.start().Start(context.Background()); sdk.KindOf(err) != sdk.Offline {
		t.Errorf("a link leads nowhere: %v", err)
	}
}

func TestWindowExpires(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newHouse("desktop", 1).start()
			w := opened(t, s)
			if want := time.Now().Add(DefaultWindow); !w.ExpiresAt.Equal(want) {
				t.Errorf("expires %v, want %v", w.ExpiresAt, want)
			}
			j := newJoiner(t, 2)
			pin := "000000"
			if claimed {
				if err := j.hello(s, w.Code); err != nil {
					t.Fatal(err)
				}
				pin = pinOf(t, s, w.Code)
			}
			time.Sleep(DefaultWindow - time.Nanosecond)
			if v, err := s.Window(w.Code); err != nil || v.State.Over() {
				t.Errorf("just before it expires the window is %+v, %v", v, err)
			}
			time.Sleep(time.Nanosecond)
			_, err := j.try(s, w.Code, pin)
			kindIs(t, err, sdk.Expired, mesh.WordsGone)
			v, err := s.Window(w.Code)
			if err != nil || v.State != mesh.PairingExpired || v.PIN != "" || v.Link != "" || v.Error == nil || v.Error.Message != mesh.WordsGone {
				t.Errorf("the expired window is %+v, %v", v, err)
			}
		})
	}
}

func TestRunEndsWindowsAndForgetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse("desktop", 1)
		s, stop := h.run(t)
		defer stop()
		w := opened(t, s)
		time.Sleep(DefaultWindow + sweepEvery)
		synctest.Wait()
		h.mu.Lock()
		if !slices.Equal(h.changed, []string{w.Code}) {
			t.Errorf("told of changes in %v, want %v", h.changed, w.Code)
		}
		h.mu.Unlock()
		time.Sleep(time.Hour)
		_, err := s.Window(w.Code)
		kindIs(t, err, sdk.NotFound, mesh.WordsGone)
		kindIs(t, s.Cancel(w.Code), sdk.NotFound, mesh.WordsGone)
	})
}

func TestOneWindowAtATime(t *testing.T) {
	s := newHouse("desktop", 1).start()
	first := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, first.Code); err != nil {
		t.Fatal(err)
	}
	pin := pinOf(t, s, first.Code)
	if err := j.share(s, pin); err != nil {
		t.Fatal(err)
	}
	second := opened(t, s)
	_, err := s.Confirm(context.Background(), j.key, j.confirm())
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	if v, err := s.Window(first.Code); err != nil || v.State != mesh.PairingFailed || v.Error.Message != mesh.WordsStopped {
		t.Errorf("the window before is %+v, %v", v, err)
	}
	if v, err := s.Window(second.Code); err != nil || v.State != mesh.PairingOpen {
		t.Errorf("the new window is %+v, %v", v, err)
	}
}

func TestCancel(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	for range 2 {
		if err := s.Cancel(w.Code); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingFailed || v.Error.Message != mesh.WordsStopped {
		t.Errorf("the cancelled window is %+v, %v", v, err)
	}
	if !slices.Equal(h.changed, []string{w.Code}) {
		t.Errorf("told of changes in %v, want one", h.changed)
	}
}

func TestTwentyWindowsAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		for range maxStarts {
			opened(t, s)
			time.Sleep(time.Minute)
		}
		if _, err := s.Start(context.Background()); sdk.KindOf(err) != sdk.RateLimited {
			t.Errorf("window 21 within an hour: %v", err)
		}
		time.Sleep(time.Hour - maxStarts*time.Minute)
		opened(t, s)
		if _, err := s.Start(context.Background()); sdk.KindOf(err) != sdk.RateLimited {
			t.Errorf("window 22 within an hour: %v", err)
		}
	})
}

func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		s.SetPolicy(Policy{Window: time.Minute, Attempts: 1, Grant: mesh.Grant{"posts:read"}})
		w := opened(t, s)
		if !w.ExpiresAt.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("expires %v", w.ExpiresAt)
		}
		j := newJoiner(t, 2)
		_, err := j.try(s, w.Code, "12345x") // no number is this
		kindIs(t, err, sdk.Expired, mesh.WordsTooMany)
	})
}

// TestNumbersAreUniform looks for a digit that a place never or nearly always
// has; 6000 draws miss one of 60 cases by chance once in 10^270.
func TestNumbersAreUniform(t *testing.T) {
	var count [6][10]int
	for range 6000 {
		pin := newPIN()
		if _, err := parsePIN(pin); err != nil {
			t.Fatalf("made %q", pin)
		}
		for place, digit := range pin {
			count[place][digit-'0']++
		}
	}
	for place, digits := range count {
		for digit, n := range digits {
			if n == 0 || n > 1200 {
				t.Errorf("digit %d came %d times in place %d", digit, n, place)
			}
		}
	}
}
