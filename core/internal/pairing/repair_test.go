package pairing

import (
	"slices"
	"testing"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// repairing opens a window to repair the device.
func repairing(t *testing.T, s *Service, id mesh.DeviceID) Window {
	t.Helper()
	w, err := s.Repair(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// pairGateway lets a gateway join through the window and returns its reply.
func pairGateway(t *testing.T, s *Service, j *joiner, w Window) {
	t.Helper()
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	if _, err := j.try(s, w.Code, pinOf(t, s, w.Code)); err != nil {
		t.Fatal(err)
	}
}

// pairPhone lets a phone join through the window.
func pairPhone(t *testing.T, s *Service, w Window) VerifyReply {
	t.Helper()
	if err := claim(s, claimBy(w, "iPhone", mesh.KindBrowser)); err != nil {
		t.Fatal(err)
	}
	reply, err := verify(s, verifyBy(w, pinOf(t, s, w.Code)))
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestRepairAPhone(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	first := pairPhone(t, s, opened(t, s))
	renamed := h.store.devices[first.Device.ID]
	renamed.Name = "Mum's phone"
	h.store.devices[renamed.ID] = renamed
	for range 3 { // three times leave one device, token and session
		w := repairing(t, s, first.Device.ID)
		if err := claim(s, claimBy(w, "iPhone", mesh.KindBrowser)); err != nil {
			t.Fatal(err)
		}
		if v, _ := s.Window(w.Code); v.Device.ID != first.Device.ID {
			t.Errorf("the screen speaks of device %s", v.Device.ID)
		}
		reply, err := verify(s, verifyBy(w, pinOf(t, s, w.Code)))
		if err != nil {
			t.Fatal(err)
		}
		if reply.Device.ID != first.Device.ID || reply.Device.Name != "Mum's phone" {
			t.Errorf("repaired as %+v", reply.Device)
		}
		onlyOne(t, h, reply)
	}
}

// TestPairingAPhoneAnew makes another device: nothing of a phone is known again.
func TestPairingAPhoneAnew(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	a, b := pairPhone(t, s, opened(t, s)), pairPhone(t, s, opened(t, s))
	if a.Device.ID == b.Device.ID || len(h.store.devices) != 2 || len(h.store.issued) != 2 || len(h.store.sessions) != 2 {
		t.Errorf("%d devices, %d tokens, %d sessions", len(h.store.devices), len(h.store.issued), len(h.store.sessions))
	}
}

// TestRepairAGateway with another key: its disk was replaced, say.
func TestRepairAGateway(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	old := newJoiner(t, 2)
	pairGateway(t, s, old, opened(t, s))
	id := old.key.DeviceID()
	anew := newJoiner(t, 3)
	pairGateway(t, s, anew, repairing(t, s, id))
	device := h.store.devices[id]
	if len(h.store.devices) != 1 || device.Key != anew.key || device.ID != id {
		t.Errorf("the devices are %+v", h.store.devices)
	}
	if len(h.store.issued) != 1 || len(h.absorbed) != 0 {
		t.Errorf("%d tokens, absorbed %v", len(h.store.issued), h.absorbed)
	}
	if last := h.tokens.published[len(h.tokens.published)-1]; last.DeviceID != id || last.Key != anew.key {
		t.Errorf("honoured is %+v", last)
	}
}

// TestRepairAbsorbsTheTwin: the gateway was paired as a new device before its
// owner thought of repairing the old entry.
func TestRepairAbsorbsTheTwin(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	old, anew := newJoiner(t, 2), newJoiner(t, 3)
	pairGateway(t, s, old, opened(t, s))
	pairGateway(t, s, anew, opened(t, s))
	twin := anew.key.DeviceID()
	pairGateway(t, s, anew, repairing(t, s, old.key.DeviceID()))
	if _, ok := h.store.devices[twin]; ok || len(h.store.devices) != 1 {
		t.Errorf("the devices are %+v", h.store.devices)
	}
	if want := []mesh.DeviceID{twin}; !slices.Equal(h.absorbed, want) || !slices.Equal(h.tokens.forgotten, want) {
		t.Errorf("absorbed %v, tokens forgotten of %v, want %v", h.absorbed, h.tokens.forgotten, want)
	}
}

// TestRepairOfAnother refuses a device that cannot be the one chosen, before a
// number is shown.
func TestRepairOfAnother(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	nas := newJoiner(t, 2)
	pairGateway(t, s, nas, opened(t, s))
	phone := pairPhone(t, s, opened(t, s)).Device

	w := repairing(t, s, nas.key.DeviceID())
	kindIs(t, claim(s, claimBy(w, "iPhone", mesh.KindBrowser)), sdk.Conflict, mesh.WordsOther)
	if v, _ := s.Window(w.Code); v.State != mesh.PairingOpen {
		t.Errorf("the window is %+v", v)
	}
	w = repairing(t, s, phone.ID)
	kindIs(t, newJoiner(t, 4).hello(s, w.Code), sdk.Conflict, mesh.WordsOther)
	pairPhone(t, s, w)
}

// TestRepairWithoutAKey: an entry of the earlier Salita may turn out to be
// either, whatever it says.
func TestRepairWithoutAKey(t *testing.T) {
	asGateway := func(t *testing.T, s *Service, w Window) { pairGateway(t, s, newJoiner(t, 2), w) }
	asPhone := func(t *testing.T, s *Service, w Window) { pairPhone(t, s, w) }
	for name, test := range map[string]struct {
		guessed mesh.Kind
		join    func(t *testing.T, s *Service, w Window)
	}{
		"a gateway, as a gateway": {mesh.KindGateway, asGateway},
		"a gateway, as a phone":   {mesh.KindGateway, asPhone},
		"a phone, as a gateway":   {mesh.KindBrowser, asGateway},
		"a phone, as a phone":     {mesh.KindBrowser, asPhone},
	} {
		old := mesh.Device{ID: "0192f0c1-7a2b", Name: "Old", Kind: test.guessed, NeedsRepair: true}
		join := test.join
		t.Run(name, func(t *testing.T) {
			h := newHouse("desktop", 1)
			h.store.devices[old.ID] = old
			s := h.start()
			join(t, s, repairing(t, s, old.ID))
			if got := h.store.devices[old.ID]; len(h.store.devices) != 1 || got.Name != "Old" {
				t.Errorf("the devices are %+v", h.store.devices)
			}
		})
	}
}

func TestRepairNobody(t *testing.T) {
	s := newHouse("desktop", 1).start()
	_, err := s.Repair(t.Context(), "nobody")
	kindIs(t, err, sdk.NotFound, "Device not recognized")
	_, err = s.Repair(t.Context(), "")
	kindIs(t, err, sdk.NotFound, "Device not recognized")
}

func TestRepairsCountAsWindows(t *testing.T) {
	h := newHouse("desktop", 1)
	h.store.devices["phone"] = mesh.Device{ID: "phone", Kind: mesh.KindBrowser}
	s := h.start()
	for range maxStarts {
		repairing(t, s, "phone")
	}
	if _, err := s.Repair(t.Context(), "phone"); sdk.KindOf(err) != sdk.RateLimited {
		t.Errorf("one more: %v", err)
	}
}
