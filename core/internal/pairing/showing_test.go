package pairing

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestShowingSide(t *testing.T) {
	for _, mode := range []Mode{ModeLink, ModeNearby} {
		t.Run(string(mode), func(t *testing.T) {
			h := newHouse("desktop", 1)
			s := h.start()
			w := opened(t, s)
			j := newJoiner(t, 2)
			if mode == ModeLink {
				j.linkingCode = w.LinkingCode
			}
			if err := j.hello(s, w.Code); err != nil {
				t.Fatal(err)
			}
			reply, err := j.try(s, w.Code, pinOf(t, s, w.Code))
			if err != nil {
				t.Fatal(err)
			}
			got := j.read(reply)
			if got.DeviceID != h.key.DeviceID() || got.Name != "desktop" || len(got.Capabilities) != 1 {
				t.Errorf("the answer describes another device: %+v", got)
			}
			hash, _ := mesh.HashToken([]byte(got.Token))
			issued, ok := h.store.issued[hash]
			if !ok || issued.Key != j.key || len(h.store.issued) != 1 {
				t.Errorf("the token is not the one issued: %+v", h.store.issued)
			}
			if diff := cmp.Diff(h.policy.Grant, got.Permissions); diff != "" {
				t.Errorf("permissions differ (-want +got):\n%s", diff)
			}
			if h.store.peers[j.key.DeviceID()].Token != j.tokens.secrets[0] {
				t.Error("the joiner's token was not kept")
			}
			device := h.store.devices[j.key.DeviceID()]
			if device.Name != "NAS" || device.Key != j.key || !cmp.Equal(device.Addresses, []string{"nas.local:6969"}) {
				t.Errorf("stored %+v", device)
			}
			v, err := s.Window(w.Code)
			if err != nil || v.State != mesh.PairingPaired || v.PIN != "" || v.Link != "" || v.Error != nil {
				t.Errorf("window is %+v, %v", v, err)
			}
			if diff := cmp.Diff(&Device{ID: j.key.DeviceID(), Name: "NAS", Kind: mesh.KindGateway}, v.Device); diff != "" {
				t.Errorf("device differs (-want +got):\n%s", diff)
			}
			if len(h.paired) != 1 || len(h.tokens.published) != 1 {
				t.Errorf("told of %d devices and %d tokens, want one each", len(h.paired), len(h.tokens.published))
			}
		})
	}
}

func TestNumberAppearsWithTheClaim(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	v, err := s.Window(w.Code)
	if err != nil || v.State != mesh.PairingOpen || v.PIN != "" || v.Device != nil || v.Link != w.Link {
		t.Errorf("before a claim the window is %+v, %v", v, err)
	}
	j := newJoiner(t, 2)
	j.name = "NAS\u202e\n  of Anna"
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	v, err = s.Window(w.Code)
	if err != nil || v.State != mesh.PairingClaimed || len(v.PIN) != 6 || v.Link != "" {
		t.Errorf("after a claim the window is %+v, %v", v, err)
	}
	if v.Device.Name != "NAS of Anna" {
		t.Errorf("the screen says %q", v.Device.Name)
	}
	pin := v.PIN
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	if again := pinOf(t, s, w.Code); again != pin {
		t.Error("a repeated hello changed the number")
	}
}

func TestWrongNumbers(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	pin := pinOf(t, s, w.Code)
	for attempt := 1; attempt <= 4; attempt++ {
		_, err := j.try(s, w.Code, wrong(pin))
		kindIs(t, err, sdk.Forbidden, mesh.WordsWrongPIN)
		if left := s.windows.current.state.AttemptsLeft(); left != 5-attempt {
			t.Errorf("%d attempts left after %d", left, attempt)
		}
	}
	_, err := j.try(s, w.Code, wrong(pin))
	kindIs(t, err, sdk.Expired, mesh.WordsTooMany)
	_, err = j.try(s, w.Code, pin)
	kindIs(t, err, sdk.Expired, mesh.WordsTooMany)
	_, err = newJoiner(t, 3).try(s, w.Code, pin)
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	v, err := s.Window(w.Code)
	if err != nil || v.State != mesh.PairingFailed || v.PIN != "" || v.Error == nil || v.Error.Message != mesh.WordsTooMany {
		t.Errorf("window is %+v, %v", v, err)
	}
	strangers(t, h, newHouse("nobody", 9))
}

func TestSharesAloneCount(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	for range 5 {
		if err := j.hello(s, w.Code); err != nil {
			t.Fatal(err)
		}
		if err := j.share(s, "000000"); err != nil {
			t.Fatal(err)
		}
	}
	kindIs(t, j.hello(s, w.Code), sdk.Expired, mesh.WordsTooMany)
}

func TestInvalidShareCounts(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	for name, share := range map[string][]byte{
		"the neutral element": make([]byte, shareSize),
		"no element":          bytes.Repeat([]byte{0xff}, shareSize),
	} {
		if err := j.hello(s, w.Code); err != nil {
			t.Fatal(err)
		}
		_, err := s.Share(context.Background(), j.key, ShareRequest{Version: Version, Code: w.Code, Share: share})
		if sdk.KindOf(err) != sdk.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := s.windows.current.state.AttemptsLeft(); left != 3 {
		t.Errorf("%d attempts left, want 3", left)
	}
}

func TestRepeatedShareCountsOnce(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	exchange, err := j.session.start("000000")
	if err != nil {
		t.Fatal(err)
	}
	req := ShareRequest{Version: Version, Code: w.Code, Share: exchange.Share()}
	first, err := s.Share(context.Background(), j.key, req)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Share(context.Background(), j.key, req)
	if err != nil || !bytes.Equal(first.Share, second.Share) {
		t.Errorf("a repeated share gave another answer, or %v", err)
	}
	other, err := j.session.start("111111")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Share(context.Background(), j.key, ShareRequest{Version: Version, Code: w.Code, Share: other.Share()})
	kindIs(t, err, sdk.Conflict, mesh.WordsBusy)
	if left := s.windows.current.state.AttemptsLeft(); left != 4 {
		t.Errorf("%d attempts left, want 4", left)
	}
}

func TestSecondDeviceIsRefused(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	first, second := newJoiner(t, 2), newJoiner(t, 3)
	if err := first.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	pin := pinOf(t, s, w.Code)
	kindIs(t, second.hello(s, w.Code), sdk.Conflict, mesh.WordsBusy)
	second.session = first.session
	second.session.joiner = second.key
	kindIs(t, second.share(s, pin), sdk.Conflict, mesh.WordsBusy)
	if _, err := first.try(s, w.Code, pin); err != nil {
		t.Errorf("the first device was put off: %v", err)
	}
}

// TestUniformAnswers: whoever does not hold the code learns nothing from the
// answers about whether there is a window.
func TestUniformAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(s *Service)
	}{
		{"no window", func(*Service) {}},
		{"an open window", func(s *Service) { opened(t, s) }},
		{"a claimed window", func(s *Service) {
			w := opened(t, s)
			if err := newJoiner(t, 3).hello(s, w.Code); err != nil {
				t.Fatal(err)
			}
		}},
		{"a cancelled window", func(s *Service) {
			if err := s.Cancel(opened(t, s).Code); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newHouse("desktop", 1).start()
			c.prepare(s)
			j := newJoiner(t, 2)
			j.linkingCode = newCode()
			kindIs(t, j.hello(s, newCode()), sdk.Expired, mesh.WordsGone)
			ctx, code := context.Background(), newCode()
			_, err := s.Share(ctx, j.key, ShareRequest{Version: Version, Code: code, Share: make([]byte, shareSize)})
			kindIs(t, err, sdk.Expired, mesh.WordsGone)
			_, err = s.Confirm(ctx, j.key, ConfirmRequest{Version: Version, Code: code, Tag: make([]byte, 64), Sealed: []byte{1}})
			kindIs(t, err, sdk.Expired, mesh.WordsGone)
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	good := j.request(w.Code)
	hello := func(change func(*HelloRequest)) HelloRequest {
		req := good
		change(&req)
		return req
	}
	for _, c := range []struct {
		name string
		key  mesh.KeyHash
		req  HelloRequest
		want sdk.Kind
	}{
		{"no key", mesh.KeyHash{}, good, sdk.SignIn},
		{"own key", h.key, good, sdk.Conflict},
		{"later version", j.key, hello(func(r *HelloRequest) { r.Version = "salita-pair/2" }), sdk.Unsupported},
		{"no version", j.key, hello(func(r *HelloRequest) { r.Version = "" }), sdk.Invalid},
		{"short nonce", j.key, hello(func(r *HelloRequest) { r.Nonce = r.Nonce[1:] }), sdk.Invalid},
		{"a browser", j.key, hello(func(r *HelloRequest) { r.Kind = mesh.KindBrowser }), sdk.Invalid},
		{"code in mode nearby", j.key, hello(func(r *HelloRequest) { r.Code = w.Code }), sdk.Invalid},
		{"link without code", j.key, hello(func(r *HelloRequest) { r.Mode = ModeLink }), sdk.Invalid},
		{"unknown mode", j.key, hello(func(r *HelloRequest) { r.Mode = "shout" }), sdk.Invalid},
	} {
		if _, err := s.Hello(context.Background(), c.key, c.req); sdk.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingOpen {
		t.Errorf("a refused request changed the window: %+v, %v", v, err)
	}
}

func TestRepeatedConfirm(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	if err := j.share(s, pinOf(t, s, w.Code)); err != nil {
		t.Fatal(err)
	}
	ctx, req := context.Background(), j.confirm()
	first, err := s.Confirm(ctx, j.key, req)
	if err != nil {
		t.Fatal(err)
	}
	restarted := h.start()
	opened(t, s) // another window must not matter
	for name, service := range map[string]*Service{"the same service": s, "after a restart": restarted} {
		again, err := service.Confirm(ctx, j.key, req)
		if err != nil || !cmp.Equal(first, again) {
			t.Errorf("%s: another answer, or %v", name, err)
		}
		// Only the very same message by the very same key is answered.
		_, err = service.Confirm(ctx, mesh.KeyHash{7}, req)
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
		_, err = service.Confirm(ctx, j.key, j.confirm())
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
	}
	if len(h.store.issued) != 1 || len(h.store.devices) != 1 || len(h.tokens.published) != 1 {
		t.Errorf("repeating left %d tokens and %d devices", len(h.store.issued), len(h.store.devices))
	}
}

func TestReplay(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	pin := pinOf(t, s, w.Code)
	exchange, err := j.session.start(pin)
	if err != nil {
		t.Fatal(err)
	}
	share := ShareRequest{Version: Version, Code: w.Code, Share: exchange.Share()}
	reply, err := s.Share(context.Background(), j.key, share)
	if err != nil {
		t.Fatal(err)
	}
	if j.keys, err = exchange.Finish(reply.Share, j.session.showerData()); err != nil {
		t.Fatal(err)
	}
	confirm := j.confirm()

	// A new hello makes everything said before worthless, although the number
	// stayed the same.
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	_, err = s.Confirm(context.Background(), j.key, confirm)
	kindIs(t, err, sdk.Forbidden, mesh.WordsWrongPIN)
	if _, err := s.Share(context.Background(), j.key, share); err != nil {
		t.Fatal(err)
	}
	_, err = s.Confirm(context.Background(), j.key, confirm)
	kindIs(t, err, sdk.Forbidden, mesh.WordsWrongPIN)
	strangers(t, h, newHouse("nobody", 9))
}

// TestForgedPayload: a device that knows the number still cannot pass for
// another.
func TestForgedPayload(t *testing.T) {
	for name, forge := range map[string]func(*payload){
		"another device's id": func(p *payload) { p.DeviceID = mesh.KeyHash{9}.DeviceID() },
		"no token":            func(p *payload) { p.Token = "" },
		"a bad permission":    func(p *payload) { p.Permissions = mesh.Grant{"everything"} },
		"a bad address":       func(p *payload) { p.Addresses = []string{"http://evil"} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse("desktop", 1)
			s := h.start()
			w := opened(t, s)
			j := newJoiner(t, 2)
			if err := j.hello(s, w.Code); err != nil {
				t.Fatal(err)
			}
			if err := j.share(s, pinOf(t, s, w.Code)); err != nil {
				t.Fatal(err)
			}
			token, issued := j.tokens.Issue(h.key.DeviceID(), h.key, nil)
			p := newPayload(Self{ID: j.key.DeviceID(), Name: "NAS", Port: 6969, Key: j.key}, token, issued)
			forge(&p)
			sealed, err := j.session.seal(j.keys, purposeToShower, p)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Confirm(context.Background(), j.key, ConfirmRequest{Version: Version, Code: w.Code, Tag: j.keys.Tag(), Sealed: sealed})
			kindIs(t, err, sdk.Unsupported, mesh.WordsVersion)
			strangers(t, h, newHouse("nobody", 9))
		})
	}
}

// flaky fails its commits until it is mended.
type flaky struct {
	Store
	mu   sync.Mutex
	fail error
}

func (f *flaky) mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = nil
}

func (f *flaky) CompletePairing(ctx context.Context, p mesh.Pairing, r *mesh.PairingRecord) (mesh.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return mesh.Device{}, f.fail
	}
	return f.Store.CompletePairing(ctx, p, r)
}

func TestFullDisk(t *testing.T) {
	h := newHouse("desktop", 1)
	disk := &flaky{fail: &sdk.Error{Kind: sdk.NoSpace, Message: "This device has no space left.", Hint: "Delete something."}}
	h.wrap = func(s Store) Store { disk.Store = s; return disk }
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	if err := j.share(s, pinOf(t, s, w.Code)); err != nil {
		t.Fatal(err)
	}
	req := j.confirm()
	if _, err := s.Confirm(context.Background(), j.key, req); sdk.KindOf(err) != sdk.NoSpace || !isUnsaved(err) {
		t.Errorf("%v, want no space", err)
	}
	strangers(t, h, newHouse("nobody", 9))
	v, err := s.Window(w.Code)
	if err != nil || v.State != mesh.PairingFailed || v.PIN != "" || v.Error == nil ||
		v.Error.Message != "This device has no space left." || v.Error.Hint == "" || len(v.Error.Reference) != 5 {
		t.Errorf("the owner sees %+v with %+v, %v", v, v.Error, err)
	}
	disk.mend()
	if _, err := s.Confirm(context.Background(), j.key, req); sdk.KindOf(err) != sdk.Expired {
		t.Errorf("after the window has ended: %v", err)
	}
	if len(h.store.issued) != 0 || len(h.tokens.published) != 0 {
		t.Errorf("%d tokens stored and %d honoured, want none", len(h.store.issued), len(h.tokens.published))
	}
}

// TestUnforeseenTroubleOfTheShowingSide has words for its owner, too.
func TestUnforeseenTroubleOfTheShowingSide(t *testing.T) {
	h := newHouse("desktop", 1)
	disk := &flaky{fail: errors.New("the disk melted")}
	h.wrap = func(s Store) Store { disk.Store = s; return disk }
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := errors.Join(j.hello(s, w.Code), j.share(s, pinOf(t, s, w.Code))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Confirm(context.Background(), j.key, j.confirm()); !isUnsaved(err) {
		t.Errorf("%v", err)
	}
	v, err := s.Window(w.Code)
	if err != nil || v.Error == nil || v.Error.Message != "This device couldn't save the pairing." {
		t.Errorf("the owner sees %+v, %v", v.Error, err)
	}
}

func TestHangingUpDoesNotStopTheCommit(t *testing.T) {
	h := newHouse("desktop", 1)
	stopped := errors.New("stopped with the request")
	h.wrap = func(s Store) Store { return obedient{s, stopped} }
	s := h.start()
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	if err := j.share(s, pinOf(t, s, w.Code)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Confirm(ctx, j.key, j.confirm()); err != nil {
		t.Errorf("the joiner hung up and the commit ended with %v", err)
	}
}

// obedient is a store that stops when its context does.
type obedient struct {
	Store
	err error
}

func (o obedient) CompletePairing(ctx context.Context, p mesh.Pairing, r *mesh.PairingRecord) (mesh.Device, error) {
	if ctx.Err() != nil {
		return mesh.Device{}, o.err
	}
	return o.Store.CompletePairing(ctx, p, r)
}

// TestPairingAgain: id and name stay, every earlier token goes, and so does the
// answer that held it.
func TestPairingAgain(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	j := newJoiner(t, 2)
	pair := func() ConfirmRequest {
		w := opened(t, s)
		if err := j.hello(s, w.Code); err != nil {
			t.Fatal(err)
		}
		if err := j.share(s, pinOf(t, s, w.Code)); err != nil {
			t.Fatal(err)
		}
		req := j.confirm()
		if _, err := s.Confirm(context.Background(), j.key, req); err != nil {
			t.Fatal(err)
		}
		return req
	}
	first := pair()
	j.name = "NAS in the cellar"
	second := pair()
	if len(h.store.issued) != 1 || len(h.store.devices) != 1 {
		t.Errorf("%d tokens and %d devices, want one each", len(h.store.issued), len(h.store.devices))
	}
	if name := h.paired[1].Name; name != "NAS" {
		t.Errorf("the device is called %q now", name)
	}
	for name, service := range map[string]*Service{"the same service": s, "after a restart": h.start()} {
		_, err := service.Confirm(context.Background(), j.key, first)
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
		if _, err := service.Confirm(context.Background(), j.key, second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(h.store.recordsOf(mesh.RoleShowing)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}
