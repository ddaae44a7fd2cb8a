package tokens

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

var (
	laptopKey = mesh.KeyHash{1}
	otherKey  = mesh.KeyHash{2}
	noKey     = mesh.KeyHash{}
)

func TestNewChecksWhatItIsGiven(t *testing.T) {
	log, now := hclog.NewNullLogger(), time.Now
	for name, attempt := range map[string]func() (*Service, error){
		"no life": func() (*Service, error) {
			return New(t.Context(), newMemory(), mesh.TokenPolicy{}, log, now)
		},
		"renews with every use": func() (*Service, error) {
			return New(t.Context(), newMemory(), mesh.TokenPolicy{Lifetime: day, RenewWithin: day}, log, now)
		},
		"negative": func() (*Service, error) {
			return New(t.Context(), newMemory(), mesh.TokenPolicy{Lifetime: day, RenewWithin: -1}, log, now)
		},
		"no store": func() (*Service, error) { return New(t.Context(), nil, policy, log, now) },
		"no clock": func() (*Service, error) { return New(t.Context(), newMemory(), policy, log, nil) },
		"broken store": func() (*Service, error) {
			m := newMemory()
			m.broken(errors.New("disk"))
			return New(t.Context(), m, policy, log, now)
		},
	} {
		if _, err := attempt(); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestIssue(t *testing.T) {
	c := newClock()
	s := newService(t, newMemory(), c.Now)
	grant := mesh.Grant{"media:*"}
	secret, token := s.Issue("laptop", laptopKey, grant)
	grant[0] = "*" // the caller's slice is not the token's
	issued := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	diff(t, mesh.IssuedToken{
		Hash: sha256.Sum256([]byte(secret)), DeviceID: "laptop", Key: laptopKey, Permissions: mesh.Grant{"media:*"},
		IssuedAt: issued, ExpiresAt: issued.Add(lifetime),
	}, token)
	if _, err := s.Verify([]byte(secret), laptopKey); !errors.Is(err, ErrUnknown) {
		t.Errorf("before it is published: %v", err)
	}
	s.Publish(token)
	if _, err := s.Verify([]byte(secret), laptopKey); err != nil {
		t.Errorf("published: %v", err)
	}
}

func TestPublishReplacesTheDevicesTokens(t *testing.T) {
	m := newMemory()
	s := newService(t, m, newClock().Now)
	first, _ := give(s, m, "laptop", laptopKey)
	other, _ := give(s, m, "nas", otherKey)
	second, _ := give(s, m, "laptop", laptopKey)
	if _, err := s.Verify(first, laptopKey); !errors.Is(err, ErrUnknown) {
		t.Errorf("first: %v", err)
	}
	for name, err := range map[string]error{"second": verify(s, second, laptopKey), "other": verify(s, other, otherKey)} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func verify(s *Service, token []byte, key mesh.KeyHash) error {
	_, err := s.Verify(token, key)
	return err
}

func TestForget(t *testing.T) {
	c := newClock()
	m := newMemory()
	s := newService(t, m, c.Now)
	gone, _ := give(s, m, "laptop", laptopKey)
	stays, _ := give(s, m, "nas", noKey)
	s.Forget("laptop")
	if err := verify(s, gone, laptopKey); !errors.Is(err, ErrUnknown) {
		t.Errorf("forgotten: %v", err)
	}
	if err := verify(s, stays, noKey); err != nil {
		t.Error(err)
	}
	back, _ := give(s, m, "laptop", laptopKey)
	if err := verify(s, back, laptopKey); err != nil {
		t.Errorf("paired again: %v", err)
	}
}

func TestList(t *testing.T) {
	c := newClock()
	m := newMemory()
	s := newService(t, m, c.Now)
	_, nas := give(s, m, "nas", otherKey)
	c.advance(time.Hour)
	secret, laptop := give(s, m, "laptop", laptopKey)
	give(s, m, "revoked", noKey)
	if err := s.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	if err := verify(s, secret, laptopKey); err != nil {
		t.Fatal(err)
	}
	laptop.LastUsedAt = bearer.Instant(c.Now())
	diff(t, []mesh.IssuedToken{nas, laptop}, s.List())
	c.advance(lifetime - 2*time.Hour)
	diff(t, []mesh.IssuedToken{laptop}, s.List()) // the other has just expired
	c.advance(lifetime)
	if got := s.List(); len(got) != 0 {
		t.Errorf("expired, yet listed: %v", got)
	}
}
