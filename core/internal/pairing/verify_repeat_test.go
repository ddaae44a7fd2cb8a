package pairing

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// TestLostReply: the same request again, within a minute, is answered for the
// same device with new secrets, by the same program or the next one.
func TestLostReply(t *testing.T) {
	for name, next := range map[string]func(h *house, s *Service) *Service{
		"the same program": func(_ *house, s *Service) *Service { return s },
		"after a restart":  func(h *house, _ *Service) *Service { return h.start() },
		"another window": func(_ *house, s *Service) *Service {
			if _, err := s.Start(t.Context()); err != nil {
				t.Error(err)
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse("desktop", 1)
				s := h.start()
				w, pin := claimed(t, s)
				first, err := verify(s, verifyBy(w, pin))
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					time.Sleep(19 * time.Second)
					s = next(h, s)
					again, err := verify(s, verifyBy(w, pin))
					if err != nil {
						t.Fatal(err)
					}
					if again.Device.ID != first.Device.ID || again.SessionToken == first.SessionToken || again.PeerNode.AccessToken == first.PeerNode.AccessToken {
						t.Error("another device, or the same secrets")
					}
					onlyOne(t, h, again)
				}
				time.Sleep(3 * time.Second)
				s = next(h, s)
				_, err = verify(s, verifyBy(w, pin))
				kindIs(t, err, sdk.Expired, mesh.WordsGone)
			})
		})
	}
}

// TestNotesOfBrowsersExpire with the time in which they are of use.
func TestNotesOfBrowsersExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse("desktop", 1)
		s, stop := h.run(t)
		defer stop()
		w, pin := claimed(t, s)
		if _, err := verify(s, verifyBy(w, pin)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(repeatLife + sweepEvery)
		synctest.Wait()
		if n := len(h.store.recordsOf(mesh.RoleShowing)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
	})
}

// TestAnotherRequestIsNoRepetition: what differs is a guess, and there is one.
func TestAnotherRequestIsNoRepetition(t *testing.T) {
	for name, change := range map[string]func(*VerifyRequest, string){
		"another number":       func(r *VerifyRequest, pin string) { r.PIN = wrong(pin) },
		"another linking code": func(r *VerifyRequest, _ string) { r.LinkingCode = newCode() },
		"another name":         func(r *VerifyRequest, _ string) { r.NodeIdentity.Name = "Mallory" },
		"another id":           func(r *VerifyRequest, _ string) { r.NodeIdentity.NodeID = "mallory" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse("desktop", 1)
			s := h.start()
			w, pin := claimed(t, s)
			reply, err := verify(s, verifyBy(w, pin))
			if err != nil {
				t.Fatal(err)
			}
			guess := verifyBy(w, pin)
			change(&guess, pin)
			for _, service := range []*Service{s, h.start()} {
				_, err = verify(service, guess)
				kindIs(t, err, sdk.Expired, mesh.WordsGone)
				_, err = verify(service, verifyBy(w, pin)) // a second guess would be no better
				kindIs(t, err, sdk.Expired, mesh.WordsGone)
			}
			onlyOne(t, h, reply)
		})
	}
}

// TestGatewaysAndBrowsersKeepTheirAnswers apart.
func TestGatewaysAndBrowsersKeepTheirAnswers(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	j := newJoiner(t, 2)
	gateways := opened(t, s)
	if err := j.hello(s, gateways.Code); err != nil {
		t.Fatal(err)
	}
	if err := j.share(s, pinOf(t, s, gateways.Code)); err != nil {
		t.Fatal(err)
	}
	confirm := j.confirm()
	if _, err := s.Confirm(t.Context(), j.key, confirm); err != nil {
		t.Fatal(err)
	}
	var browsers []VerifyRequest
	for range 2 { // two phones
		w, pin := claimed(t, s)
		req := verifyBy(w, pin)
		if _, err := verify(s, req); err != nil {
			t.Fatal(err)
		}
		browsers = append(browsers, req)
	}
	if n := len(h.store.devices); n != 3 {
		t.Errorf("%d devices", n)
	}
	_, err := verify(s, verifyBy(gateways, "000000"))
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	for _, service := range []*Service{s, h.start()} {
		if _, err := service.Confirm(t.Context(), j.key, confirm); err != nil {
			t.Errorf("the gateway's answer is gone: %v", err)
		}
		for _, req := range browsers {
			if _, err := verify(service, req); err != nil {
				t.Errorf("a phone's answer is gone: %v", err)
			}
		}
	}
	if n := len(h.store.devices); n != 3 {
		t.Errorf("%d devices after repeating", n)
	}
}

// TestRemovedPhoneStaysRemoved: a repeated request does not bring back a phone
// that its owner removed meanwhile.
func TestRemovedPhoneStaysRemoved(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	reply, err := verify(s, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	h.store.remove(reply.Device.ID)
	honoured := len(h.tokens.published)
	for _, service := range []*Service{s, h.start()} {
		_, err = verify(service, verifyBy(w, pin))
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
	}
	if len(h.store.devices)+len(h.store.issued)+len(h.store.sessions)+len(h.store.records) != 0 || len(h.tokens.published) != honoured {
		t.Error("the phone is back")
	}
}

// TestFullDiskAtARepetition leaves the repetition for later.
func TestFullDiskAtARepetition(t *testing.T) {
	h := newHouse("desktop", 1)
	disk := &flaky{}
	h.wrap = func(s Store) Store { disk.Store = s; return disk }
	s := h.start()
	w, pin := claimed(t, s)
	if _, err := verify(s, verifyBy(w, pin)); err != nil {
		t.Fatal(err)
	}
	disk.fail = &sdk.Error{Kind: sdk.NoSpace}
	if _, err := verify(s, verifyBy(w, pin)); sdk.KindOf(err) != sdk.NoSpace {
		t.Errorf("%v, want no space", err)
	}
	disk.mend()
	reply, err := verify(s, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	onlyOne(t, h, reply)
}

// visit is the story of a phone that joins a desktop that dies.
type visit struct {
	*world
	window Window
	pin    string
	reply  VerifyReply
	err    error
}

// ask sends one request; whatever dies on the way, the phone hears nothing.
func (v *visit) ask(what string, do func(*Service) error) error {
	if v.point(v.desktop, "hears "+what) != nil {
		return errLost
	}
	err := do(v.desktop.running())
	if v.point(v.desktop, "answers "+what) != nil {
		return errLost
	}
	return err
}

// patiently repeats a request until it is answered.
func (v *visit) patiently(what string, do func(*Service) error) error {
	for range 10 {
		err := v.ask(what, do)
		if !errors.Is(err, errLost) && !errors.Is(err, errKilled) {
			return err
		}
		v.bury()
	}
	return errLost
}

func (v *visit) play() {
	var err error
	if v.window, err = v.desktop.running().Start(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
	// Whether the claim was heard shows on the desktop.
	v.ask("a claim", func(s *Service) error { return claim(s, claimBy(v.window, "iPhone", mesh.KindBrowser)) })
	v.bury()
	if view, err := v.desktop.running().Window(v.window.Code); err == nil {
		v.pin = view.PIN
	}
	if v.pin == "" {
		v.err = errLost
		return
	}
	v.err = v.patiently("a number", func(s *Service) (err error) {
		v.reply, err = verify(s, verifyBy(v.window, v.pin))
		return err
	})
}

// joinDying runs one story to its end and returns its points.
func joinDying(t *testing.T, cuts ...int) (points []string, paired bool) {
	synctest.Test(t, func(t *testing.T) {
		v := &visit{world: newWorld(t, false, cuts...)}
		v.play()
		if v.err == nil {
			onlyOne(t, v.desktop, v.reply)
		} else if n := len(v.desktop.store.devices) + len(v.desktop.store.issued) + len(v.desktop.store.sessions); n != 0 {
			t.Errorf("the phone hears %v, and %d rows are stored", v.err, n)
		}
		if t.Failed() {
			t.Logf("points: %q", v.past)
		}
		v.end()
		points, paired = v.past, v.err == nil
	})
	return points, paired
}

// TestKilledWhileAPhoneJoins kills the desktop at every point, and again on the
// way out, while the phone repeats what it sent.
func TestKilledWhileAPhoneJoins(t *testing.T) {
	points, paired := joinDying(t)
	if !paired || len(points) < 6 {
		t.Fatalf("without a crash: paired %v after %q", paired, points)
	}
	outcomes := map[bool]int{}
	for first := range points {
		for second := first + 1; second < len(points)+6; second++ {
			t.Run(fmt.Sprintf("%d %s, and %d", first, points[first], second), func(t *testing.T) {
				_, paired := joinDying(t, first, second)
				outcomes[paired]++
			})
		}
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Errorf("every crash ended alike: %v", outcomes)
	}
}
