package tokens

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestRevoke(t *testing.T) {
	m := newMemory()
	s := newService(t, m, newClock().Now)
	laptop, token := give(s, m, "laptop", laptopKey)
	nas, _ := give(s, m, "nas", noKey)
	if err := s.Revoke(t.Context(), "laptop"); err != nil {
		t.Fatal(err)
	}
	if err := verify(s, laptop, laptopKey); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	if err := verify(s, nas, noKey); err != nil {
		t.Errorf("another device: %v", err)
	}
	if m.row(token.Hash).RevokedAt.IsZero() {
		t.Error("not stored")
	}
	if err := s.Revoke(t.Context(), "laptop"); err != nil {
		t.Errorf("again: %v", err)
	}
	err := s.Revoke(t.Context(), "nobody")
	if sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("unknown device: %v", err)
	}
	again, _ := give(s, m, "laptop", laptopKey)
	if err := verify(s, again, laptopKey); err != nil {
		t.Errorf("paired again: %v", err)
	}
}

func TestRevokeGoesOnWithoutItsCaller(t *testing.T) {
	m := newMemory()
	s := newService(t, m, newClock().Now)
	_, token := give(s, m, "laptop", laptopKey)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Revoke(ctx, "laptop"); err != nil {
		t.Fatal(err)
	}
	if m.row(token.Hash).RevokedAt.IsZero() {
		t.Error("not stored")
	}
}

func TestRevocationThatCannotBeStored(t *testing.T) {
	inBubble(t, func(r running) {
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		r.memory.broken((&sdk.Error{Kind: sdk.NoSpace}).Because(errors.New("disk full")))
		err := r.Revoke(t.Context(), "laptop")
		if e := sdk.AsError(err); err == nil || e.Kind != sdk.NoSpace || e.Hint == "" {
			t.Errorf("error = %#v, want one that says so", err)
		}
		if err := verify(r.Service, secret, laptopKey); !errors.Is(err, ErrRevoked) {
			t.Errorf("error = %v: it must stay denied", err)
		}
		time.Sleep(3 * flushEvery)
		r.memory.broken(nil)
		time.Sleep(flushEvery)
		synctest.Wait()
		if r.memory.row(token.Hash).RevokedAt.IsZero() {
			t.Error("never stored, although the store is well again")
		}
		writes := r.memory.writesSoFar()
		time.Sleep(5 * flushEvery)
		synctest.Wait()
		if got := r.memory.writesSoFar(); got != writes {
			t.Errorf("stored %d times more", got-writes)
		}
	})
}

// TestPairedAgainBeforeARevocationIsStored: the revocation that waits for a well
// store must not end the tokens that came after it.
func TestPairedAgainBeforeARevocationIsStored(t *testing.T) {
	inBubble(t, func(r running) {
		give(r.Service, r.memory, "laptop", laptopKey)
		r.memory.broken(errors.New("disk full"))
		if err := r.Revoke(t.Context(), "laptop"); err == nil {
			t.Fatal("stored on a full disk")
		}
		synctest.Wait()
		r.memory.broken(nil)
		time.Sleep(time.Second)
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(3 * flushEvery)
		synctest.Wait()
		if !r.memory.row(token.Hash).RevokedAt.IsZero() {
			t.Error("the new token is revoked on disk")
		}
		if err := verify(r.Service, secret, laptopKey); err != nil {
			t.Error(err)
		}
	})
}

// TestRevokedWhileBeingPaired is a revocation between the moment a token was
// made and the moment it would begin to work.
func TestRevokedWhileBeingPaired(t *testing.T) {
	for name, end := range map[string]func(*Service) error{
		"revoked":   func(s *Service) error { return s.Revoke(context.Background(), "laptop") },
		"forgotten": func(s *Service) error { s.Forget("laptop"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r running) {
				give(r.Service, r.memory, "laptop", laptopKey)
				text, token := r.Issue("laptop", laptopKey, mesh.Grant{"*"})
				time.Sleep(time.Second)
				if err := end(r.Service); err != nil {
					t.Fatal(err)
				}
				r.memory.put(token)
				r.Publish(token)
				if err := verify(r.Service, []byte(text), laptopKey); !errors.Is(err, ErrRevoked) {
					t.Errorf("error = %v", err)
				}
				synctest.Wait()
				if r.memory.row(token.Hash).RevokedAt.IsZero() {
					t.Error("a restart would let it in")
				}
				time.Sleep(time.Second)
				secret, _ := give(r.Service, r.memory, "laptop", laptopKey)
				if err := verify(r.Service, secret, laptopKey); err != nil {
					t.Errorf("paired again later: %v", err)
				}
			})
		})
	}
}

func TestClockSetBackDoesNotBarForEver(t *testing.T) {
	c := newClock()
	m := newMemory()
	s := newService(t, m, c.Now)
	give(s, m, "laptop", laptopKey)
	if err := s.Revoke(t.Context(), "laptop"); err != nil {
		t.Fatal(err)
	}
	c.advance(-time.Hour)
	secret, _ := give(s, m, "laptop", laptopKey)
	if err := verify(s, secret, laptopKey); err != nil {
		t.Errorf("paired again after the clock was set back: %v", err)
	}
}

// TestRevokeAgainstVerify has many verifiers hammer tokens while they are
// revoked and replaced: no use that begins after a revocation was acknowledged
// may succeed.
func TestRevokeAgainstVerify(t *testing.T) {
	m := newMemory()
	s := newService(t, m, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { s.Run(ctx) })
	var current atomic.Pointer[[]byte]
	for range 4 {
		background.Go(func() {
			for ctx.Err() == nil {
				if token := current.Load(); token != nil {
					s.Verify(*token, laptopKey)
				}
				s.List()
			}
		})
	}
	for range 500 {
		secret, _ := give(s, m, "laptop", laptopKey)
		current.Store(&secret)
		if err := verify(s, secret, laptopKey); err != nil {
			t.Fatalf("fresh token: %v", err)
		}
		if err := s.Revoke(ctx, "laptop"); err != nil {
			t.Fatal(err)
		}
		var checks sync.WaitGroup
		for range 4 {
			checks.Go(func() {
				if err := verify(s, secret, laptopKey); !errors.Is(err, ErrRevoked) {
					t.Errorf("after the revocation: %v", err)
				}
			})
		}
		checks.Wait()
	}
	cancel()
	background.Wait()
}
