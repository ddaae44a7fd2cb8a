package pairing

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// claimBy is what the page of a phone sends when it opens the link.
func claimBy(w Window, name string, kind mesh.Kind) ClaimRequest {
	return ClaimRequest{Code: w.Code, LinkingCode: w.LinkingCode, Name: name, Kind: kind}
}

// verifyBy is what it sends when the number was typed.
func verifyBy(w Window, pin string) VerifyRequest {
	return VerifyRequest{
		Code: w.Code, LinkingCode: w.LinkingCode, PIN: pin, Description: "Safari on iPhone",
		NodeIdentity: NodeIdentity{NodeID: "chosen by the phone", Name: "iPhone", Hostname: "iphone.local", Capabilities: []string{"media.storage"}, Kind: mesh.KindBrowser},
	}
}

// claimed opens a window and lets a phone claim it.
func claimed(t *testing.T, s *Service) (w Window, pin string) {
	t.Helper()
	w = opened(t, s)
	if _, err := s.Claim(t.Context(), claimBy(w, "iPhone", mesh.KindBrowser)); err != nil {
		t.Fatal(err)
	}
	return w, pinOf(t, s, w.Code)
}

func verify(s *Service, req VerifyRequest) (VerifyReply, error) {
	return s.Verify(context.Background(), req)
}

func claim(s *Service, req ClaimRequest) error {
	_, err := s.Claim(context.Background(), req)
	return err
}

// onlyOne checks that the house has one device, with the secrets of the reply
// and no others.
func onlyOne(t *testing.T, h *house, reply VerifyReply) {
	t.Helper()
	if len(h.store.devices) != 1 || len(h.store.issued) != 1 || len(h.store.sessions) != 1 || len(h.store.peers) != 0 {
		t.Fatalf("%d devices, %d tokens, %d sessions, %d received tokens; want one each and none received",
			len(h.store.devices), len(h.store.issued), len(h.store.sessions), len(h.store.peers))
	}
	token, ok := mesh.HashToken([]byte(reply.PeerNode.AccessToken))
	if _, known := h.store.issued[token]; !ok || !known {
		t.Error("the token of the reply is not the one stored")
	}
	session, ok := mesh.HashSession([]byte(reply.SessionToken))
	if got := h.store.sessions[reply.Device.ID]; !ok || got.Hash != session {
		t.Error("the session of the reply is not the one stored")
	}
	if last := h.tokens.published[len(h.tokens.published)-1]; last.Hash != token || last.DeviceID != reply.Device.ID {
		t.Error("the token is not honoured")
	}
	if last := h.sessions.published[len(h.sessions.published)-1]; last.Hash != session || last.DeviceID != reply.Device.ID {
		t.Error("the session is not honoured")
	}
}

func nobody(t *testing.T, h *house) {
	t.Helper()
	if n := len(h.store.devices) + len(h.store.issued) + len(h.store.sessions) + len(h.store.records); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
	if len(h.tokens.published)+len(h.sessions.published) != 0 {
		t.Error("something is honoured")
	}
}

func TestBrowserPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse("desktop", 1)
		s := h.start()
		w := opened(t, s)
		for range 3 { // looking changes nothing
			if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingOpen || v.PIN != "" || v.Device != nil {
				t.Errorf("before the claim the window is %+v, %v", v, err)
			}
		}
		reply, err := s.Claim(t.Context(), claimBy(w, "Anna's iPhone", mesh.KindBrowser))
		if err != nil || string(encoded(t, reply)) != `{"gateway":{"name":"desktop"}}` {
			t.Errorf("the claim is answered %s, %v", encoded(t, reply), err)
		}
		v, err := s.Window(w.Code)
		if err != nil || v.State != mesh.PairingClaimed || len(v.PIN) != 6 || v.Link != "" || v.Device.Name != "Anna's iPhone" || v.Device.Kind != mesh.KindBrowser {
			t.Errorf("after the claim the window is %+v, %v", v, err)
		}
		got, err := verify(s, verifyBy(w, v.PIN))
		if err != nil {
			t.Fatal(err)
		}
		onlyOne(t, h, got)
		want := mesh.Device{ID: v.Device.ID, Name: "Anna's iPhone", Kind: mesh.KindBrowser, Hostname: "iphone.local", PairedAt: time.Now(), LastSeen: time.Now()}
		if diff := cmp.Diff(want, h.store.devices[got.Device.ID]); diff != "" {
			t.Errorf("stored device differs (-want +got):\n%s", diff)
		}
		issued := slices.Collect(maps.Values(h.store.issued))[0]
		session := h.store.sessions[got.Device.ID]
		if !issued.Key.IsZero() || !slices.Equal(issued.Permissions, h.policy.Grant) || !slices.Equal(session.Permissions, h.policy.Grant) {
			t.Errorf("token %+v, session %+v", issued, session)
		}
		if session.Manage || session.Description != "Safari on iPhone" || !got.SessionExpires.Equal(session.ExpiresAt) {
			t.Errorf("session %+v", session)
		}
		if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingPaired || v.PIN != "" || v.Device.ID != got.Device.ID {
			t.Errorf("in the end the window is %+v, %v", v, err)
		}
		if len(h.paired) != 1 || h.paired[0].ID != got.Device.ID {
			t.Errorf("told of %+v", h.paired)
		}
	})
}

// TestVerifyReplyText pins the wire: scripts of others read it.
func TestVerifyReplyText(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	reply, err := verify(s, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"ok":true,"session_token":%q,"peer_node":{"node_id":%q,"name":"desktop","hostname":"desktop.local","port":6969,`+
		`"capabilities":["desktop.storage"],"access_token":%q,"permissions":["media:*","devices:read"],"expires_at":%q}}`,
		h.sessions.secrets[0], h.key.DeviceID(), h.tokens.secrets[0], h.tokens.published[0].ExpiresAt.Format(time.RFC3339Nano))
	if got := string(encoded(t, reply)); got != want {
		t.Errorf("the reply is\n%s, want\n%s", got, want)
	}
	h.policy.Grant, h.name = nil, "x"
	s = h.start()
	w, pin = claimed(t, s)
	reply, err = verify(s, verifyBy(w, pin))
	if text := string(encoded(t, reply)); err != nil || !strings.Contains(text, `"permissions":[]`) {
		t.Errorf("no permissions are written %s, %v", text, err)
	}
}

func TestKeylessKinds(t *testing.T) {
	for said, want := range map[mesh.Kind]mesh.Kind{
		"script": mesh.KindScript, "browser": mesh.KindBrowser, "phone": mesh.KindBrowser, "": mesh.KindBrowser, "<b>": mesh.KindBrowser,
	} {
		h := newHouse("desktop", 1)
		s := h.start()
		w := opened(t, s)
		if err := claim(s, claimBy(w, "x", said)); err != nil {
			t.Fatal(err)
		}
		req := verifyBy(w, pinOf(t, s, w.Code))
		req.NodeIdentity.Kind = "script" // what was shown to the owner counts
		if reply, err := verify(s, req); err != nil || reply.Device.Kind != want {
			t.Errorf("%q became %q, %v", said, reply.Device.Kind, err)
		}
	}
	s := newHouse("desktop", 1).start()
	w := opened(t, s)
	if err := claim(s, claimBy(w, "x", mesh.KindGateway)); sdk.KindOf(err) != sdk.Invalid {
		t.Errorf("a gateway without its key: %v", err)
	}
	if v, _ := s.Window(w.Code); v.State != mesh.PairingOpen {
		t.Error("it claimed the window all the same")
	}
}

func TestNamesOfBrowsers(t *testing.T) {
	for _, c := range []struct{ claimed, verified, want string }{
		{"iPhone", "Another", "iPhone"}, // what was shown to the owner
		{"", "Late", "Late"},
		{"", "", "Unnamed device"},
		{"\u202e\x00", "\n", "Unnamed device"},
		{"<img src=x>\u2067 a\n b", "", "<img src=x> a b"},
		{strings.Repeat("ä", 10_000), "", strings.Repeat("ä", mesh.MaxNameRunes)},
	} {
		h := newHouse("desktop", 1)
		s := h.start()
		w := opened(t, s)
		if err := claim(s, claimBy(w, c.claimed, mesh.KindBrowser)); err != nil {
			t.Fatal(err)
		}
		req := verifyBy(w, pinOf(t, s, w.Code))
		req.NodeIdentity.Name, req.NodeIdentity.Hostname = c.verified, "not a host\x00"
		reply, err := verify(s, req)
		if err != nil || reply.Device.Name != c.want || reply.Device.Hostname != "" {
			t.Errorf("%.20q became %+v, %v", c.claimed, reply.Device, err)
		}
	}
}

// TestStrangersLearnNothing: whatever is wrong with the codes and however the
// window stands, the answer is the same.
func TestStrangersLearnNothing(t *testing.T) {
	open := func(s *Service) Window { return opened(t, s) }
	for name, c := range map[string]struct {
		prepare func(s *Service) Window
		spoil   func(w *Window)
	}{
		"no window":          {func(*Service) Window { return Window{Code: codeA, LinkingCode: codeB} }, nil},
		"unknown code":       {open, func(w *Window) { w.Code = newCode() }},
		"wrong linking code": {open, func(w *Window) { w.LinkingCode = newCode() }},
		"both wrong":         {open, func(w *Window) { w.Code, w.LinkingCode = newCode(), newCode() }},
		"codes exchanged":    {open, func(w *Window) { w.Code, w.LinkingCode = w.LinkingCode, w.Code }},
		"cut short":          {open, func(w *Window) { w.LinkingCode = w.LinkingCode[1:] }},
		"upper case":         {open, func(w *Window) { w.LinkingCode = strings.ToUpper(w.LinkingCode) }},
		"no code at all":     {open, func(w *Window) { w.Code = "\x00" }},
		"claimed, and the linking code is wrong": {
			func(s *Service) Window { w, _ := claimed(t, s); return w },
			func(w *Window) { w.LinkingCode = newCode() },
		},
		"a gateway's, and the linking code is wrong": {
			func(s *Service) Window {
				w := opened(t, s)
				if err := newJoiner(t, 3).hello(s, w.Code); err != nil {
					t.Fatal(err)
				}
				return w
			}, func(w *Window) { w.LinkingCode = newCode() },
		},
		"expired": {func(s *Service) Window {
			w := opened(t, s)
			time.Sleep(DefaultWindow)
			return w
		}, nil},
		"cancelled": {func(s *Service) Window {
			w := opened(t, s)
			if err := s.Cancel(w.Code); err != nil {
				t.Fatal(err)
			}
			return w
		}, nil},
		"replaced": {func(s *Service) Window { w := opened(t, s); opened(t, s); return w }, nil},
		"paired": {func(s *Service) Window {
			w, pin := claimed(t, s)
			if _, err := verify(s, verifyBy(w, pin)); err != nil {
				t.Fatal(err)
			}
			return w
		}, nil},
		"failed": {func(s *Service) Window {
			w, pin := claimed(t, s)
			for range DefaultAttempts {
				verify(s, verifyBy(w, wrong(pin)))
			}
			return w
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHouse("desktop", 1).start()
				w := c.prepare(s)
				if c.spoil != nil {
					c.spoil(&w)
				}
				kindIs(t, claim(s, claimBy(w, "x", mesh.KindBrowser)), sdk.Expired, mesh.WordsGone)
				_, err := verify(s, verifyBy(w, "000000"))
				kindIs(t, err, sdk.Expired, mesh.WordsGone)
			})
		})
	}
}

// TestNumberWithoutAClaim: before a claim there is no number to be right.
func TestNumberWithoutAClaim(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w := opened(t, s)
	for _, pin := range []string{"000000", "      000000"} {
		_, err := verify(s, verifyBy(w, pin))
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
	}
	for _, pin := range []string{"", "00000", "abcdef", "0000000"} {
		if _, err := verify(s, verifyBy(w, pin)); sdk.KindOf(err) != sdk.Invalid {
			t.Errorf("%q: %v", pin, err)
		}
	}
	nobody(t, h)
	if v, _ := s.Window(w.Code); v.State != mesh.PairingOpen || v.PIN != "" {
		t.Errorf("the window is %+v", v)
	}
}

func TestSecondClaimIsRefused(t *testing.T) {
	t.Run("of a browser", func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		w, pin := claimed(t, s)
		kindIs(t, claim(s, claimBy(w, "iPhone", mesh.KindBrowser)), sdk.Conflict, mesh.WordsBusy)
		kindIs(t, claim(s, claimBy(w, "Mallory", mesh.KindScript)), sdk.Conflict, mesh.WordsBusy)
		if v, _ := s.Window(w.Code); v.PIN != pin || v.Device.Name != "iPhone" {
			t.Errorf("the second claim changed the screen to %+v", v)
		}
		if _, err := verify(s, verifyBy(w, pin)); err != nil {
			t.Error(err)
		}
	})
	t.Run("of a gateway after a browser", func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		w, pin := claimed(t, s)
		j := newJoiner(t, 2)
		kindIs(t, j.hello(s, w.Code), sdk.Conflict, mesh.WordsBusy)
		j.linkingCode = w.LinkingCode
		kindIs(t, j.hello(s, w.Code), sdk.Conflict, mesh.WordsBusy)
		if _, err := verify(s, verifyBy(w, pin)); err != nil {
			t.Error(err)
		}
	})
	t.Run("of a browser after a gateway", func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		w := opened(t, s)
		j := newJoiner(t, 2)
		if err := j.hello(s, w.Code); err != nil {
			t.Fatal(err)
		}
		pin := pinOf(t, s, w.Code)
		kindIs(t, claim(s, claimBy(w, "iPhone", mesh.KindBrowser)), sdk.Conflict, mesh.WordsBusy)
		_, err := verify(s, verifyBy(w, pin)) // it saw the number over a shoulder
		kindIs(t, err, sdk.Conflict, mesh.WordsBusy)
		if _, err := j.try(s, w.Code, pin); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongNumbersOfABrowser(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	for left := DefaultAttempts - 1; left > 0; left-- {
		_, err := verify(s, verifyBy(w, wrong(pin)))
		kindIs(t, err, sdk.Forbidden, mesh.WordsWrongPIN)
		if got := s.windows.current.state.AttemptsLeft(); got != left {
			t.Errorf("%d attempts left, want %d", got, left)
		}
		claim(s, claimBy(w, "iPhone", mesh.KindBrowser)) // buys no attempt
	}
	_, err := verify(s, verifyBy(w, wrong(pin)))
	kindIs(t, err, sdk.Expired, mesh.WordsTooMany)
	_, err = verify(s, verifyBy(w, pin))
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	v, err := s.Window(w.Code)
	if err != nil || v.State != mesh.PairingFailed || v.PIN != "" || v.Error.Message != mesh.WordsTooMany {
		t.Errorf("the window is %+v, %v", v, err)
	}
	nobody(t, h)
}

func TestFifthNumberMayBeRight(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	for range DefaultAttempts - 1 {
		verify(s, verifyBy(w, wrong(pin)))
	}
	reply, err := verify(s, verifyBy(w, pin[:3]+" "+pin[3:])) // as it is shown
	if err != nil {
		t.Fatal(err)
	}
	onlyOne(t, h, reply)
}

// TestGuessesAtTheLinkCostNoAttempt: a stranger cannot use up the attempts of
// the phone.
func TestGuessesAtTheLinkCostNoAttempt(t *testing.T) {
	s := newHouse("desktop", 1).start()
	w, pin := claimed(t, s)
	guess := verifyBy(w, pin)
	guess.LinkingCode = codeA
	for range 2 * maxStrangers {
		if _, err := verify(s, guess); err == nil {
			t.Fatal("a guess came in")
		}
	}
	_, err := verify(s, guess)
	kindIs(t, err, sdk.RateLimited, sdk.RateLimited.Message())
	if _, err := verify(s, verifyBy(w, pin)); err != nil {
		t.Errorf("the phone is locked out: %v", err)
	}
}

// TestStrangersAreCountedTogether, whichever way they try.
func TestStrangersAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHouse("desktop", 1).start()
		limited := 0
		for n := range maxStrangers + 10 {
			w := Window{Code: newCode(), LinkingCode: newCode()}
			try := func() error { return claim(s, claimBy(w, "x", mesh.KindBrowser)) }
			if n%2 == 0 {
				try = func() error { _, err := verify(s, verifyBy(w, "000000")); return err }
			}
			err := try()
			if sdk.KindOf(err) == sdk.RateLimited {
				limited++
			}
		}
		if limited != 10 {
			t.Errorf("%d were slowed down, want 10", limited)
		}
		time.Sleep(time.Minute)
		kindIs(t, claim(s, claimBy(Window{Code: codeA, LinkingCode: codeB}, "x", "")), sdk.Expired, mesh.WordsGone)
	})
}

func TestTwoPhonesClaimAtOnce(t *testing.T) {
	for range 20 {
		s := newHouse("desktop", 1).start()
		w := opened(t, s)
		var won atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for n := range 8 {
			j := newJoiner(t, byte(n+2))
			j.linkingCode = w.LinkingCode
			all.Go(func() {
				<-start
				var err error
				if n%4 == 3 {
					err = j.hello(s, w.Code) // a gateway among them
				} else {
					err = claim(s, claimBy(w, fmt.Sprint("Phone ", n), mesh.KindBrowser))
				}
				if err == nil {
					won.Add(1)
				} else if sdk.KindOf(err) != sdk.Conflict {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		if n := won.Load(); n != 1 {
			t.Fatalf("%d devices claimed the window", n)
		}
	}
}

// TestManyGuessesAtOnce: the attempts are counted one by one, however many come
// at the same time.
func TestManyGuessesAtOnce(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	var tried atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := verify(s, verifyBy(w, wrong(pin)))
			if e := sdk.AsError(err); e.Message == mesh.WordsWrongPIN || e.Message == mesh.WordsTooMany {
				tried.Add(1)
			}
		})
	}
	all.Wait()
	if n := tried.Load(); n != DefaultAttempts {
		t.Errorf("%d numbers were tried", n)
	}
	nobody(t, h)
}

// TestSamePhoneTwiceAtOnce sends the right number several times at the same
// time: there is one device, and the last answer's secrets are the ones that
// count.
func TestSamePhoneTwiceAtOnce(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	var all sync.WaitGroup
	var mu sync.Mutex
	replies := map[mesh.TokenHash]VerifyReply{}
	for range 8 {
		all.Go(func() {
			reply, err := verify(s, verifyBy(w, pin))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			hash, _ := mesh.HashToken([]byte(reply.PeerNode.AccessToken))
			replies[hash] = reply
		})
	}
	all.Wait()
	for hash := range h.store.issued {
		onlyOne(t, h, replies[hash])
	}
}

func TestBrowsersWindowExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse("desktop", 1)
		s := h.start()
		w, pin := claimed(t, s)
		time.Sleep(DefaultWindow)
		_, err := verify(s, verifyBy(w, pin))
		kindIs(t, err, sdk.Expired, mesh.WordsGone)
		if v, _ := s.Window(w.Code); v.State != mesh.PairingExpired || v.PIN != "" {
			t.Errorf("the window is %+v", v)
		}
		nobody(t, h)
	})
}

func TestOwnerCancelsABrowser(t *testing.T) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, pin := claimed(t, s)
	if err := s.Cancel(w.Code); err != nil {
		t.Fatal(err)
	}
	_, err := verify(s, verifyBy(w, pin))
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	nobody(t, h)
}

func TestFullDiskForABrowser(t *testing.T) {
	h := newHouse("desktop", 1)
	disk := &flaky{fail: &sdk.Error{Kind: sdk.NoSpace}}
	h.wrap = func(s Store) Store { disk.Store = s; return disk }
	s := h.start()
	w, pin := claimed(t, s)
	for range 2 * DefaultAttempts { // a right number costs nothing, however often the disk refuses
		if _, err := verify(s, verifyBy(w, pin)); sdk.KindOf(err) != sdk.NoSpace {
			t.Fatalf("%v, want no space", err)
		}
	}
	nobody(t, h)
	if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingClaimed || v.Error == nil || v.Error.Code != sdk.NoSpace || len(v.Error.Reference) != 5 {
		t.Errorf("the owner sees %+v, %v", v, err)
	}
	disk.mend()
	reply, err := verify(s, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Window(w.Code); err != nil || v.State != mesh.PairingPaired || v.Error != nil {
		t.Errorf("the owner sees %+v, %v", v, err)
	}
	onlyOne(t, h, reply)
}

func TestBrowserHangingUpDoesNotStopTheCommit(t *testing.T) {
	h := newHouse("desktop", 1)
	h.wrap = func(s Store) Store { return obedient{s, context.Canceled} }
	s := h.start()
	w, pin := claimed(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Verify(ctx, verifyBy(w, pin)); err != nil {
		t.Error(err)
	}
}

func TestUnreadableStoreCostsABrowserNothing(t *testing.T) {
	h := newHouse("desktop", 1)
	h.wrap = func(s Store) Store { return illegible{s} }
	s := h.start()
	w, pin := claimed(t, s)
	if _, err := verify(s, verifyBy(w, pin)); sdk.KindOf(err) != sdk.Internal {
		t.Errorf("error = %v", err)
	}
	if left := s.windows.current.state.AttemptsLeft(); left != DefaultAttempts {
		t.Errorf("%d attempts left", left)
	}
}

// FuzzBrowserRequests feeds any text to both decoders and, when they take it, to
// a service whose window is claimed: nobody may come in.
func FuzzBrowserRequests(f *testing.F) {
	h := newHouse("desktop", 1)
	s := h.start()
	w, err := s.Start(context.Background())
	if err != nil {
		f.Fatal(err)
	}
	if err := claim(s, claimBy(w, "iPhone", mesh.KindBrowser)); err != nil {
		f.Fatal(err)
	}
	for _, example := range []any{claimBy(w, "iPhone", "browser"), verifyBy(w, "000000"), map[string]string{"code": w.Code}} {
		text, err := json.Marshal(example)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c ClaimRequest
		if json.Unmarshal(text, &c) == nil {
			if len(c.Name) > MaxMessage || c.Kind == mesh.KindGateway || c.Code == "" {
				t.Fatalf("%q became %+v", text, c)
			}
			if claim(s, c) == nil {
				t.Fatalf("%q claimed the window", text)
			}
		}
		var v VerifyRequest
		if json.Unmarshal(text, &v) == nil {
			if v.Description != "" {
				t.Fatalf("%q set a field of ours", text)
			}
			v.LinkingCode += "x" // no text knows the real one, but the examples do
			if reply, err := verify(s, v); err == nil || reply.OK {
				t.Fatalf("%q came in", text)
			}
		}
		if len(h.store.devices) != 0 {
			t.Fatal("something was stored")
		}
	})
}
