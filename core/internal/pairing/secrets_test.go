package pairing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// lockedBuffer collects a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// spyStore keeps a copy of all that is written.
type spyStore struct {
	Store
	notes *lockedBuffer
}

func (s spyStore) SavePairingRecord(ctx context.Context, r mesh.PairingRecord) error {
	fmt.Fprintf(s.notes, "%s %s\n", r.Code, r.Secret)
	return s.Store.SavePairingRecord(ctx, r)
}

func (s spyStore) CompletePairing(ctx context.Context, p mesh.Pairing, r *mesh.PairingRecord) (mesh.Device, error) {
	fmt.Fprintf(s.notes, "%s %s\n", r.Code, r.Secret)
	return s.Store.CompletePairing(ctx, p, r)
}

// TestSecretsStaySecret pairs, with a wrong number and a lost answer on the way,
// and looks for the number, the link's secret and the tokens where none may be.
func TestSecretsStaySecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, notes, wire := &lockedBuffer{}, &lockedBuffer{}, &lockedBuffer{}
		p := &pair{t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2)}
		p.street = newStreet(p.desktop, p.nas)
		for _, h := range []*house{p.desktop, p.nas} {
			h.log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace})
			h.wrap = func(s Store) Store { return spyStore{s, notes} }
			h.caller = spyCaller{h.caller, wire}
		}
		var stop [2]func()
		p.shower, stop[0] = p.desktop.run(t)
		p.joiner, stop[1] = p.nas.run(t)
		lost := false
		p.street.lose(nil, func(_ *house, path string) error {
			if path == PathConfirm && !lost {
				lost = true
				return errLost
			}
			return nil
		})

		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		// A number that occurs nowhere by chance.
		pin := unusual
		p.shower.with(p.shower.windows.current, func(time.Time) error { p.shower.windows.current.pin = pin; return nil })
		p.enter(id, "111111")
		time.Sleep(time.Minute)
		v := p.wants(id, JoinPINNeeded, mesh.WordsWrongPIN)
		p.enter(id, pin)
		time.Sleep(time.Minute)
		p.wants(id, JoinPaired, "")
		if err := p.joiner.EnterPIN(id, pin+"0"); err == nil || strings.Contains(err.Error(), pin) {
			t.Errorf("the number is in an error: %v", err)
		}
		fmt.Fprintf(log, "%+v", *v.Error)

		secrets := append([]string{pin, w.LinkingCode}, append(p.desktop.tokens.secrets, p.nas.tokens.secrets...)...)
		for where, text := range map[string]string{"log": log.String(), "notes": notes.String(), "wire": wire.String()} {
			if len(text) < 100 {
				t.Errorf("the %s is nearly empty: %q", where, text)
			}
			for i, secret := range secrets {
				for _, spelling := range []string{secret, base64.RawURLEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
					if strings.Contains(text, spelling) {
						t.Errorf("secret %d is in the %s", i, where)
					}
				}
			}
		}
		stop[1]()
		stop[0]()
	})
}

const unusual = "837465"

// TestBrowsersSecretsStaySecret pairs a phone, with a wrong number, a stranger
// and a repetition on the way.
func TestBrowsersSecretsStaySecret(t *testing.T) {
	log, notes := &lockedBuffer{}, &lockedBuffer{}
	h := newHouse("desktop", 1)
	h.log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace})
	h.wrap = func(s Store) Store { return spyStore{s, notes} }
	s := h.start()
	w, _ := claimed(t, s)
	pin := unusual
	s.with(s.windows.current, func(time.Time) error { s.windows.current.pin = pin; return nil })
	hear := func(err error) { fmt.Fprintf(log, "%v %+v\n", err, sdk.AsError(err)) }
	stranger := verifyBy(w, pin)
	stranger.LinkingCode = codeA
	for _, req := range []VerifyRequest{verifyBy(w, "111111"), stranger, verifyBy(w, pin+"0")} {
		_, err := verify(s, req)
		hear(err)
	}
	hear(claim(s, claimBy(w, "again", mesh.KindBrowser)))
	for range 2 {
		if _, err := verify(s, verifyBy(w, pin)); err != nil {
			t.Fatal(err)
		}
	}
	secrets := append([]string{pin, w.LinkingCode}, append(h.tokens.secrets, h.sessions.secrets...)...)
	if len(secrets) != 6 {
		t.Fatalf("%d secrets to look for", len(secrets))
	}
	for where, text := range map[string]string{"log": log.String(), "notes": notes.String()} {
		if len(text) < 100 {
			t.Errorf("the %s is nearly empty: %q", where, text)
		}
		for i, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("secret %d is in the %s", i, where)
			}
		}
	}
}

// spyCaller keeps a copy of all that is sent.
type spyCaller struct {
	Caller
	wire *lockedBuffer
}

func (c spyCaller) Call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error) {
	key, err := c.Caller.Call(ctx, addresses, pin, path, in, out)
	sent, _ := json.Marshal(in)
	got, _ := json.Marshal(out)
	fmt.Fprintf(c.wire, "%s\n%s\n%v\n", sent, got, err)
	return key, err
}
