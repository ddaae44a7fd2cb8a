package sessions

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m)
		link, expires := s.MintLink()
		raw, err := base64.RawURLEncoding.DecodeString(link)
		if err != nil || len(raw) != 32 || !expires.Equal(time.Now().Add(5*time.Minute)) {
			t.Errorf("link of %d bytes, %v, expires %v", len(raw), err, expires)
		}
		time.Sleep(LinkLife - time.Nanosecond)
		cookie, session, err := s.Redeem(t.Context(), link, "Firefox\u202e on Linux")
		if err != nil {
			t.Fatal(err)
		}
		if session.Kind != mesh.SessionOwner || !session.Manage || session.DeviceID != "" || session.Description != "Firefox on Linux" {
			t.Errorf("session = %+v", session)
		}
		if row, ok := m.row(session.ID); !ok {
			t.Error("not stored")
		} else {
			diff(t, session, row)
		}
		opens(t, s, []byte(cookie), nil)
		_, _, err = s.Redeem(t.Context(), link, "")
		kindIs(t, err, sdk.Expired)
	})
}

// TestLinksThatDoNotWork are all told the same.
func TestLinksThatDoNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, newMemory())
		expired, _ := s.MintLink()
		time.Sleep(LinkLife)
		used, _ := s.MintLink()
		if _, _, err := s.Redeem(t.Context(), used, ""); err != nil {
			t.Fatal(err)
		}
		valid, _ := s.MintLink()
		never := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
		said := map[string]bool{}
		for name, secret := range map[string]string{
			"expired": expired, "used": used, "never made": never, "empty": "", "garbage": "\x00\xff", "huge": strings.Repeat("a", 1<<20),
			"cut short": valid[1:], "one too many": valid + "a", "padded": valid + "=", "with a space": " " + valid,
		} {
			cookie, session, err := s.Redeem(t.Context(), secret, "")
			if cookie != "" || session.ID != "" {
				t.Errorf("%s: signed in", name)
			}
			kindIs(t, err, sdk.Expired)
			said[err.Error()+sdk.AsError(err).Hint] = true
			if strings.Contains(err.Error(), valid[1:]) {
				t.Errorf("%s: the secret is in the error", name)
			}
		}
		if len(said) != 1 {
			t.Errorf("different answers: %v", said)
		}
		if _, _, err := s.Redeem(t.Context(), valid, ""); err != nil {
			t.Errorf("the valid one was used up: %v", err)
		}
	})
}

func TestFewLinksAreAlive(t *testing.T) {
	s := newService(t, newMemory())
	var all []string
	for range maxLinks + 1 {
		link, _ := s.MintLink()
		all = append(all, link)
	}
	if n := len(s.links.alive); n != maxLinks {
		t.Errorf("%d links alive", n)
	}
	_, _, err := s.Redeem(t.Context(), all[0], "")
	kindIs(t, err, sdk.Expired)
	for _, link := range all[1:] {
		if _, _, err := s.Redeem(t.Context(), link, ""); err != nil {
			t.Error(err)
		}
	}
}

func TestExpiredLinksAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, newMemory())
		s.MintLink()
		time.Sleep(LinkLife)
		s.MintLink()
		if n := len(s.links.alive); n != 1 {
			t.Errorf("%d links alive", n)
		}
	})
}

// TestManyTriesAreSlowedDown, and do not keep the owner out.
func TestManyTriesAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, newMemory())
		link, _ := s.MintLink()
		try := func() error {
			_, _, err := s.Redeem(t.Context(), "guess", "")
			return err
		}
		for range maxMisses {
			kindIs(t, try(), sdk.Expired)
		}
		kindIs(t, try(), sdk.RateLimited)
		if _, _, err := s.Redeem(t.Context(), link, ""); err != nil {
			t.Errorf("the owner is locked out: %v", err)
		}
		time.Sleep(time.Minute)
		kindIs(t, try(), sdk.Expired)
	})
}

func TestLinkWorksOnceForAll(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	link, _ := s.MintLink()
	var signedIn atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, _, err := s.Redeem(t.Context(), link, ""); err == nil {
				signedIn.Add(1)
			}
		})
	}
	all.Wait()
	if n := signedIn.Load(); n != 1 || len(s.List()) != 1 {
		t.Errorf("%d signed in, %d sessions", n, len(s.List()))
	}
}

func TestLinkIsGivenBackWhenNothingIsStored(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	link, _ := s.MintLink()
	m.broken(diskFull)
	_, _, err := s.Redeem(t.Context(), link, "")
	kindIs(t, err, sdk.NoSpace)
	if len(s.List()) != 0 {
		t.Error("a session that is not stored works")
	}
	m.broken(nil)
	if _, _, err := s.Redeem(t.Context(), link, ""); err != nil {
		t.Error(err)
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	var log bytes.Buffer
	s, err := New(t.Context(), newMemory(), policy, hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	link, _ := s.MintLink()
	cookie, session, err := s.Redeem(t.Context(), link, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Redeem(t.Context(), link, "")
	if err := s.Remove(t.Context(), session.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify([]byte(cookie)); err == nil || strings.Contains(err.Error(), cookie) {
		t.Errorf("error = %v", err)
	}
	for name, secret := range map[string]string{"link": link, "cookie": cookie} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the %s is in the log", name)
		}
	}
	if !strings.Contains(log.String(), string(session.ID)) {
		t.Errorf("the log says nothing of the session: %s", log.String())
	}
}

// FuzzRedeem presents anything: nothing but the one link may pass.
func FuzzRedeem(f *testing.F) {
	s := newService(f, newMemory())
	f.Add("")
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, secret string) {
		if cookie, _, err := s.Redeem(t.Context(), secret, secret); err == nil || cookie != "" {
			t.Errorf("%q signed in", secret)
		}
	})
}
