package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// running is a Service whose Run runs, in a bubble of its own time.
type running struct {
	*Service
	t      *testing.T
	memory *memory
	stop   func()
}

func inBubble(t *testing.T, test func(r running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		stopped := false
		stop := func() {
			if stopped {
				return
			}
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		defer stop()
		test(running{Service: s, t: t, memory: m, stop: stop})
	})
}

// use verifies and checks what the holder is told.
func (r running) use(token []byte, expires time.Time, renewed bool) {
	r.t.Helper()
	got, err := r.Verify(token, laptopKey)
	if err != nil {
		r.t.Fatal(err)
	}
	if !got.ExpiresAt.Equal(expires) || got.Renewed != renewed {
		r.t.Errorf("expires %v, renewed %v; want %v, %v", got.ExpiresAt, got.Renewed, expires, renewed)
	}
}

func (r running) wantStored(hash mesh.TokenHash, expires time.Time) {
	r.t.Helper()
	synctest.Wait()
	if got := r.memory.row(hash).ExpiresAt; !got.Equal(expires) {
		r.t.Errorf("stored expiry %v, want %v", got, expires)
	}
}

func TestRenewal(t *testing.T) {
	inBubble(t, func(r running) {
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(lifetime - within) // seven days left, and not fewer
		r.use(secret, token.ExpiresAt, false)
		r.wantStored(token.Hash, token.ExpiresAt)

		time.Sleep(time.Second)
		renewed := time.Now().Add(lifetime)
		r.use(secret, renewed, true) // this very use tells
		r.wantStored(token.Hash, renewed)

		r.use(secret, renewed, true) // in case the first answer was lost
		time.Sleep(tellFor)
		r.use(secret, renewed, false)
		time.Sleep(lifetime - within - tellFor)
		r.use(secret, renewed, false)
		time.Sleep(time.Second)
		r.use(secret, time.Now().Add(lifetime), true) // and so on, for as long as it is used
	})
}

func TestUnusedTokenExpires(t *testing.T) {
	inBubble(t, func(r running) {
		secret, _ := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(lifetime - time.Microsecond)
		r.use(secret, time.Now().Add(lifetime), true) // the last moment
		time.Sleep(lifetime)
		if err := verify(r.Service, secret, laptopKey); !errors.Is(err, ErrExpired) {
			t.Errorf("error = %v", err)
		}
	})
}

// TestShortLivedTokensRenewAgain guards against a pause after a renewal that
// outlasts the token.
func TestShortLivedTokensRenewAgain(t *testing.T) {
	inBubble(t, func(r running) {
		if err := r.SetPolicy(mesh.TokenPolicy{Lifetime: 10 * time.Second, RenewWithin: 8 * time.Second}); err != nil {
			t.Fatal(err)
		}
		secret, _ := give(r.Service, r.memory, "laptop", laptopKey)
		for range 100 {
			time.Sleep(3 * time.Second)
			r.use(secret, time.Now().Add(10*time.Second), true)
			synctest.Wait()
		}
	})
}

func TestRenewalThatFails(t *testing.T) {
	inBubble(t, func(r running) {
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(lifetime - day)
		r.memory.broken(errors.New("disk"))
		r.use(secret, time.Now().Add(lifetime), true)
		r.wantStored(token.Hash, token.ExpiresAt)
		writes := r.memory.writesSoFar()
		for range 100 { // no storm on a store in trouble
			r.use(secret, token.ExpiresAt, false)
			synctest.Wait()
		}
		if got := r.memory.writesSoFar() - writes; got != 0 {
			t.Errorf("%d more tries at once", got)
		}
		r.memory.broken(nil)
		time.Sleep(retryRenewal)
		renewed := time.Now().Add(lifetime)
		r.use(secret, renewed, true)
		r.wantStored(token.Hash, renewed)
	})
}

func TestRenewalWithoutAStoreEndsWithTheOldExpiry(t *testing.T) {
	inBubble(t, func(r running) {
		secret, _ := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(lifetime - time.Second)
		r.memory.broken(errors.New("disk"))
		r.use(secret, time.Now().Add(lifetime), true)
		time.Sleep(time.Second)
		if err := verify(r.Service, secret, laptopKey); !errors.Is(err, ErrExpired) {
			t.Errorf("error = %v: a renewal that was never stored counts", err)
		}
	})
}

// TestRenewalMeetsAnotherTruth is a store that has something else than memory.
func TestRenewalMeetsAnotherTruth(t *testing.T) {
	for name, test := range map[string]struct {
		change func(m *memory, token mesh.IssuedToken)
		want   error
	}{
		"revoked": {func(m *memory, token mesh.IssuedToken) {
			token.RevokedAt = time.Now()
			m.put(token)
		}, ErrRevoked},
		"gone": {func(m *memory, token mesh.IssuedToken) {
			m.drop(token.Hash)
		}, ErrRevoked},
		"moved": {func(m *memory, token mesh.IssuedToken) {
			token.ExpiresAt = token.ExpiresAt.Add(time.Hour)
			m.put(token)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r running) {
				secret, token := give(r.Service, r.memory, "laptop", laptopKey)
				time.Sleep(lifetime - day)
				test.change(r.memory, token)
				r.use(secret, time.Now().Add(lifetime), true)
				synctest.Wait()
				if err := verify(r.Service, secret, laptopKey); !errors.Is(err, test.want) {
					t.Errorf("error = %v, want %v", err, test.want)
				}
				if test.want == nil {
					r.use(secret, token.ExpiresAt.Add(time.Hour), false)
				}
			})
		})
	}
}

func TestRenewalOfARevokedTokenComesToNothing(t *testing.T) {
	inBubble(t, func(r running) {
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(lifetime - day)
		r.use(secret, time.Now().Add(lifetime), true)
		if err := r.Revoke(t.Context(), "laptop"); err != nil { // before Run gets to it, or after
			t.Fatal(err)
		}
		synctest.Wait()
		if err := verify(r.Service, secret, laptopKey); !errors.Is(err, ErrRevoked) {
			t.Errorf("error = %v", err)
		}
		if r.memory.row(token.Hash).RevokedAt.IsZero() {
			t.Error("the renewal undid the revocation")
		}
	})
}

func TestFullQueueLeavesTheRenewalForLater(t *testing.T) {
	m := newMemory()
	c := newClock()
	s := newService(t, m, c.Now) // nobody runs Run
	var secrets [][]byte
	for n := range renewalQueue + 1 {
		secret, _ := give(s, m, mesh.DeviceID(rune('a'+n)), noKey)
		secrets = append(secrets, secret)
	}
	c.advance(lifetime - day)
	for n, secret := range secrets {
		got, err := s.Verify(secret, noKey)
		if err != nil || got.Renewed != (n < renewalQueue) {
			t.Fatalf("token %d: renewed %v, %v", n, got.Renewed, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil { // stopped at once, yet what was promised is stored
		t.Fatal(err)
	}
	for n, token := range s.List() {
		if renewed := token.ExpiresAt.After(c.Now().Add(2 * day)); renewed != (token.DeviceID != mesh.DeviceID(rune('a'+renewalQueue))) {
			t.Errorf("token %d of %s: renewed %v", n, token.DeviceID, renewed)
		}
	}
}

func TestLastUsesAreStoredInBatches(t *testing.T) {
	inBubble(t, func(r running) {
		used, usedToken := give(r.Service, r.memory, "laptop", laptopKey)
		alsoUsed, _ := give(r.Service, r.memory, "nas", laptopKey)
		give(r.Service, r.memory, "idle", laptopKey)
		time.Sleep(10 * time.Second)
		for range 1000 {
			r.use(used, usedToken.ExpiresAt, false)
		}
		if err := verify(r.Service, alsoUsed, laptopKey); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		if n := r.memory.writesSoFar(); n != 0 {
			t.Errorf("%d writes by using", n)
		}
		time.Sleep(flushEvery)
		synctest.Wait()
		diff(t, []int{2}, r.memory.stamps)
		if got := r.memory.row(usedToken.Hash).LastUsedAt; !got.Equal(at) {
			t.Errorf("last used %v, want %v", got, at)
		}
		time.Sleep(10 * flushEvery)
		synctest.Wait()
		diff(t, []int{2}, r.memory.stamps) // nothing new, nothing stored

		if err := verify(r.Service, alsoUsed, laptopKey); err != nil {
			t.Fatal(err)
		}
		r.stop()
		diff(t, []int{2, 1}, r.memory.stamps) // at the end, what is left
	})
}

func TestLastUsesWaitForABrokenStore(t *testing.T) {
	inBubble(t, func(r running) {
		secret, token := give(r.Service, r.memory, "laptop", laptopKey)
		time.Sleep(time.Second)
		r.use(secret, token.ExpiresAt, false)
		at := time.Now()
		r.memory.broken(errors.New("disk"))
		time.Sleep(3 * flushEvery)
		synctest.Wait()
		r.memory.broken(nil)
		time.Sleep(flushEvery)
		synctest.Wait()
		if got := r.memory.row(token.Hash).LastUsedAt; !got.Equal(at) {
			t.Errorf("last used %v, want %v", got, at)
		}
	})
}
