package pairing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// TestSessionsDiffer: whatever the two sides do not agree on makes their proofs
// worthless.
func TestSessionsDiffer(t *testing.T) {
	base := session{
		mode: ModeLink, code: codeA, linkingCode: codeB, joiner: mesh.KeyHash{1}, shower: mesh.KeyHash{2},
		hello: HelloRequest{Nonce: bytes.Repeat([]byte{1}, nonceSize), Name: "NAS", Kind: mesh.KindGateway},
		reply: HelloReply{Nonce: bytes.Repeat([]byte{2}, nonceSize), Name: "Desktop"},
	}
	for name, change := range map[string]func(*session){
		"nothing":             func(*session) {},
		"the mode":            func(s *session) { s.mode = ModeNearby },
		"the code":            func(s *session) { s.code = codeB },
		"the linking code":    func(s *session) { s.linkingCode = codeA },
		"the joiner's key":    func(s *session) { s.joiner = mesh.KeyHash{3} },
		"the shower's key":    func(s *session) { s.shower = mesh.KeyHash{3} },
		"both keys, swapped":  func(s *session) { s.joiner, s.shower = s.shower, s.joiner },
		"the joiner's nonce":  func(s *session) { s.hello.Nonce = make([]byte, nonceSize) },
		"the shower's nonce":  func(s *session) { s.reply.Nonce = make([]byte, nonceSize) },
		"the joiner's name":   func(s *session) { s.hello.Name = "N" },
		"the joiner's kind":   func(s *session) { s.hello.Kind = mesh.KindBrowser },
		"the shower's name":   func(s *session) { s.reply.Name = "D" },
		"the number (itself)": nil,
	} {
		t.Run(name, func(t *testing.T) {
			other, pin := base, "481920"
			if change == nil {
				pin = "481921"
			} else {
				change(&other)
			}
			exchange, err := base.start("481920")
			if err != nil {
				t.Fatal(err)
			}
			share, b, err := other.respond(pin, exchange.Share())
			if err != nil {
				t.Fatal(err)
			}
			a, err := exchange.Finish(share, base.showerData())
			if err != nil {
				t.Fatal(err)
			}
			agree := b.Verify(a.Tag()) == nil && a.Verify(b.Tag()) == nil
			if agree != (name == "nothing") {
				t.Errorf("the sides agree: %v", agree)
			}
		})
	}
}

// TestLastWords: only what the showing side says of itself ends a commit. All
// else, a passing failure above all, must be asked again, or half a pairing
// stays.
func TestLastWords(t *testing.T) {
	final := map[sdk.Kind]bool{sdk.Expired: true, sdk.Forbidden: true, sdk.NotFound: true, sdk.Conflict: true, sdk.Unsupported: true}
	for _, kind := range sdk.Kinds() {
		if got := isRefusal(kind); got != final[kind] {
			t.Errorf("%s ends a commit: %v", kind, got)
		}
	}
	for name, err := range map[string]error{
		"wrong number": mesh.PairingWrongPIN(), "gone": mesh.PairingGone(), "too many": mesh.PairingTooMany(),
		"busy": mesh.PairingBusy(), "version": mesh.PairingVersion(),
	} {
		if !isRefusal(sdk.KindOf(err)) {
			t.Errorf("%s would be asked for again", name)
		}
	}
}

// script is a Caller that answers as it is told.
type script func(path string, out any) (mesh.KeyHash, error)

func (s script) Call(_ context.Context, _ []string, _ *mesh.KeyHash, path string, _, out any) (mesh.KeyHash, error) {
	return s(path, out)
}

// politely is a well-formed hello.
func politely(out any) {
	*out.(*HelloReply) = HelloReply{Version: Version, Code: codeA, Nonce: newNonce(), Name: "trap", ExpiresIn: 300, AttemptsLeft: 5}
}

// joinScript joins a scripted gateway and returns how that ends.
func joinScript(t *testing.T, where string, s script) (v JoinView, h *house) {
	synctest.Test(t, func(t *testing.T) {
		h = newHouse("nas", 2)
		h.caller = s
		service, stop := h.run(t)
		defer stop()
		id, err := service.Join(context.Background(), where)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if v, _ = service.Joining(id); v.State == JoinPINNeeded {
			if err := service.EnterPIN(id, "481920"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * patience)
		}
		v, err = service.Joining(id)
		if err != nil {
			t.Fatal(err)
		}
	})
	return v, h
}

func TestHostileGateway(t *testing.T) {
	trap := mesh.KeyHash{9}
	link := Link{Code: codeB, LinkingCode: codeB, Key: trap, Addresses: []string{"trap:1"}}.String()
	const unfriendlyWords = "Couldn't connect to device"
	for _, c := range []struct {
		name, where, words string
		script             script
	}{
		{"no key", "trap", sdk.Offline.Message(), func(_ string, out any) (mesh.KeyHash, error) {
			politely(out)
			return mesh.KeyHash{}, nil
		}},
		{"another key than the link's", link, sdk.Offline.Message(), func(_ string, out any) (mesh.KeyHash, error) {
			politely(out)
			return mesh.KeyHash{8}, nil
		}},
		{"another code than the link's", link, unfriendlyWords, func(_ string, out any) (mesh.KeyHash, error) {
			politely(out)
			return trap, nil
		}},
		{"another version", "trap", mesh.WordsVersion, func(_ string, out any) (mesh.KeyHash, error) {
			politely(out)
			out.(*HelloReply).Version = "salita-pair/2"
			return trap, nil
		}},
		{"half a hello", "trap", unfriendlyWords, func(_ string, out any) (mesh.KeyHash, error) {
			return trap, nil
		}},
		{"another key for the share", "trap", sdk.Offline.Message(), func(path string, out any) (mesh.KeyHash, error) {
			if path == PathHello {
				politely(out)
				return trap, nil
			}
			return mesh.KeyHash{8}, nil
		}},
		{"half a share", "trap", unfriendlyWords, func(path string, out any) (mesh.KeyHash, error) {
			if path == PathHello {
				politely(out)
			}
			return trap, nil
		}},
		{"no group element", "trap", unfriendlyWords, func(path string, out any) (mesh.KeyHash, error) {
			if path == PathHello {
				politely(out)
			} else {
				out.(*ShareReply).Share = make([]byte, shareSize)
			}
			return trap, nil
		}},
		{"words of its own", "trap", sdk.Conflict.Message(), func(string, any) (mesh.KeyHash, error) {
			return trap, &sdk.Error{Kind: sdk.Conflict, Message: "Send money to unlock"}
		}},
		{"an unheard-of failure", "trap", sdk.Internal.Message(), func(string, any) (mesh.KeyHash, error) {
			return trap, errors.New("boom")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, h := joinScript(t, c.where, c.script)
			if v.State != JoinFailed || v.Error.Message != c.words {
				t.Errorf("the join is %s and says %+v, want %q", v.State, v.Error, c.words)
			}
			strangers(t, h, newHouse("nobody", 1))
			if len(h.store.records) != 0 {
				t.Error("a note is left")
			}
		})
	}
}

// TestRunningIntoPending: a gateway cannot make us lose the note of another by
// using its code.
func TestRunningIntoPending(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		p.street.lose(func(_ *house, path string) error {
			if path == PathConfirm {
				return errLost
			}
			return nil
		}, nil)
		p.enter(id, pinOf(t, p.shower, w.Code))
		p.wants(id, JoinProving, "")
		before := fmt.Sprint(p.nas.store.recordsOf(mesh.RoleJoining))
		_, err := p.joiner.begin(context.Background(), w.Code, note{Gateway: mesh.KeyHash{9}})
		kindIs(t, err, sdk.Conflict, mesh.WordsBusy)
		if after := fmt.Sprint(p.nas.store.recordsOf(mesh.RoleJoining)); after != before {
			t.Error("the note changed")
		}
		p.street.lose(nil, nil)
		time.Sleep(time.Minute)
		p.wants(id, JoinPaired, "")
		friends(t, p.desktop, p.nas)
	})
}
