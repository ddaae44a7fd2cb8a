package bearer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const (
	lifetime = 30 * time.Hour
	within   = 7 * time.Hour
)

// shelf is a Store in memory.
type shelf struct {
	mu      sync.Mutex
	expires map[mesh.TokenHash]time.Time
	used    map[mesh.TokenHash]time.Time
	fail    error
}

func (s *shelf) Renew(_ context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.expires[hash]; s.fail != nil || !ok || !at.Equal(from) {
		return false, s.fail
	}
	s.expires[hash] = to
	return true, nil
}

func (s *shelf) Expiry(_ context.Context, hash mesh.TokenHash) (time.Time, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.expires[hash]
	return at, ok, s.fail
}

func (s *shelf) Touch(_ context.Context, used map[mesh.TokenHash]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, at := range used {
		s.used[hash] = at
	}
	return s.fail
}

func (s *shelf) set(hash mesh.TokenHash, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expires[hash] = expires
}

func (s *shelf) drop(hash mesh.TokenHash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.expires, hash)
}

type table = Table[string]

func newTable(t *testing.T, stored ...Secret[string]) (*table, *shelf) {
	t.Helper()
	s := &shelf{expires: map[mesh.TokenHash]time.Time{}, used: map[mesh.TokenHash]time.Time{}}
	for _, secret := range stored {
		s.expires[secret.Hash] = secret.ExpiresAt
	}
	tab, err := New(Config{
		Store: s, Policy: mesh.TokenPolicy{Lifetime: lifetime, RenewWithin: within}, Log: hclog.NewNullLogger(), Now: time.Now,
	}, stored)
	if err != nil {
		t.Fatal(err)
	}
	return tab, s
}

// fresh is a secret of the holder, issued now.
func fresh(holder mesh.DeviceID, data string) Secret[string] {
	_, hash := mesh.NewToken()
	now := Instant(time.Now())
	return Secret[string]{Hash: hash, Holder: holder, Data: data, IssuedAt: now, ExpiresAt: now.Add(lifetime)}
}

// wants checks which secrets open something.
func wants(t *testing.T, tab *table, data ...string) {
	t.Helper()
	var got []string
	for _, s := range tab.Live() {
		got = append(got, s.Data)
		if _, _, err := tab.Use(tab.Find(s.Hash)); err != nil {
			t.Errorf("%s is listed and opens nothing: %v", s.Data, err)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, data) {
		t.Errorf("live: %v, want %v", got, data)
	}
}

func refused(t *testing.T, tab *table, s Secret[string], want error) {
	t.Helper()
	e := tab.Find(s.Hash)
	if e == nil {
		if want != nil {
			t.Errorf("%s is unknown, want %v", s.Data, want)
		}
		return
	}
	if _, _, err := tab.Use(e); !errors.Is(err, want) || want == nil {
		t.Errorf("%s: %v, want %v", s.Data, err, want)
	}
}

func TestNewChecksWhatItIsGiven(t *testing.T) {
	good := Config{
		Store: &shelf{}, Policy: mesh.TokenPolicy{Lifetime: lifetime, RenewWithin: within}, Log: hclog.NewNullLogger(), Now: time.Now,
	}
	for name, spoil := range map[string]func(*Config){
		"no store":              func(c *Config) { c.Store = nil },
		"no log":                func(c *Config) { c.Log = nil },
		"no clock":              func(c *Config) { c.Now = nil },
		"no life":               func(c *Config) { c.Policy = mesh.TokenPolicy{} },
		"renews with every use": func(c *Config) { c.Policy.RenewWithin = lifetime },
		"renews never":          func(c *Config) { c.Policy.RenewWithin = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := New[string](c, nil); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestLoadedSecrets(t *testing.T) {
	good, revoked, expired := fresh("a", "good"), fresh("b", "revoked"), fresh("c", "expired")
	revoked.Revoked = true
	expired.ExpiresAt = time.Now()
	tab, _ := newTable(t, good, revoked, expired)
	wants(t, tab, "good")
	refused(t, tab, revoked, ErrRevoked)
	refused(t, tab, expired, ErrExpired)
	if tab.Find(mesh.TokenHash{1}) != nil {
		t.Error("an unknown secret is found")
	}
}

func TestAddKeepsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab, _ := newTable(t)
		tab.Add(fresh("", "first"))
		tab.Add(fresh("a", "device's"))
		time.Sleep(time.Hour)
		tab.Add(fresh("", "second"))
		wants(t, tab, "device's", "first", "second")
		time.Sleep(lifetime - time.Hour) // the first and the device's expire
		tab.Add(fresh("", "third"))
		if n := len(*tab.entries.Load()); n != 3 {
			t.Errorf("%d secrets in memory, want the expired one of the same holder gone", n)
		}
		wants(t, tab, "second", "third")
	})
}

func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab, _ := newTable(t)
		first := fresh("a", "first")
		tab.Replace(first)
		tab.Replace(fresh("b", "other"))
		tab.Replace(fresh("a", "second"))
		wants(t, tab, "other", "second")
		refused(t, tab, first, nil)
	})
}

// TestReplaceAfterADenial is a word of the owner that comes between the making
// of a secret and its appearance.
func TestReplaceAfterADenial(t *testing.T) {
	for name, end := range map[string]func(*table){
		"denied":    func(tab *table) { tab.Deny("a") },
		"forgotten": func(tab *table) { tab.Forget("a") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tab, _ := newTable(t)
				tab.Replace(fresh("a", "before"))
				late := fresh("a", "late")
				time.Sleep(time.Second)
				end(tab)
				if at := tab.Replace(late); !at.Equal(Instant(time.Now())) {
					t.Errorf("barred at %v", at)
				}
				refused(t, tab, late, ErrRevoked)
				time.Sleep(time.Second)
				if at := tab.Replace(fresh("a", "after")); !at.IsZero() {
					t.Errorf("barred at %v", at)
				}
				wants(t, tab, "after")
			})
		})
	}
}

func TestClockSetBackBarsNobodyForEver(t *testing.T) {
	now := time.Now()
	tab, _ := newTable(t)
	tab.Now = func() time.Time { return now }
	tab.Deny("a")
	now = now.Add(-time.Hour)
	s := fresh("a", "again")
	s.IssuedAt, s.ExpiresAt = now, now.Add(lifetime)
	if at := tab.Replace(s); !at.IsZero() {
		t.Errorf("barred at %v", at)
	}
	wants(t, tab, "again")
}

func TestDenyForgetDrop(t *testing.T) {
	a, b, c := fresh("a", "a"), fresh("b", "b"), fresh("", "c")
	tab, _ := newTable(t, a, b, c)
	tab.Deny("a")
	wants(t, tab, "b", "c")
	refused(t, tab, a, ErrRevoked)
	tab.Forget("b")
	refused(t, tab, b, nil)
	tab.Find(c.Hash).Deny()
	refused(t, tab, c, ErrRevoked)
	tab.Drop(c.Hash)
	refused(t, tab, c, nil)
	wants(t, tab)
}

func TestUseAllocatesNothing(t *testing.T) {
	s := fresh("a", "a")
	tab, _ := newTable(t, s)
	if n := testing.AllocsPerRun(1000, func() { tab.Use(tab.Find(s.Hash)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	tab.Deny("a")
	if n := testing.AllocsPerRun(1000, func() { tab.Use(tab.Find(s.Hash)) }); n != 0 {
		t.Errorf("refused: %v allocations", n)
	}
}

// running runs a table in a bubble of its own time.
func running(t *testing.T, test func(t *testing.T, tab *table, s *shelf), stored ...func() Secret[string]) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var secrets []Secret[string]
		for _, make := range stored {
			secrets = append(secrets, make())
		}
		tab, s := newTable(t, secrets...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tab.Run(ctx) }()
		test(t, tab, s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func one() Secret[string] { return fresh("a", "one") }

func TestRenewal(t *testing.T) {
	running(t, func(t *testing.T, tab *table, s *shelf) {
		hash := tab.Live()[0].Hash
		time.Sleep(lifetime - within + time.Second)
		want := Instant(time.Now().Add(lifetime))
		for range 2 { // at once, and when it is stored
			expires, renewed, err := tab.Use(tab.Find(hash))
			if err != nil || !renewed || !expires.Equal(want) {
				t.Errorf("expires %v, renewed %v, %v; want %v", expires, renewed, err, want)
			}
			synctest.Wait()
		}
		if got := s.expires[hash]; !got.Equal(want) {
			t.Errorf("stored expiry %v, want %v", got, want)
		}
		time.Sleep(TellFor)
		if _, renewed, _ := tab.Use(tab.Find(hash)); renewed {
			t.Error("told of a renewal that is old news")
		}
		time.Sleep(FlushEvery)
		synctest.Wait()
		if at := s.used[hash]; at.IsZero() {
			t.Error("the last use is not stored")
		}
	}, one)
}

// TestStoreKnowsBetter: what the store has of a secret counts.
func TestPolicyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := fresh("a", "one")
		tab, _ := newTable(t, secret)
		for _, wrong := range []mesh.TokenPolicy{{}, {Lifetime: lifetime, RenewWithin: lifetime}, {Lifetime: lifetime, RenewWithin: -1}} {
			if err := tab.SetPolicy(wrong); err == nil || tab.Policy().Lifetime != lifetime || tab.Policy().RenewWithin != within {
				t.Errorf("%+v: %v, policy %+v", wrong, err, tab.Policy())
			}
		}
		// A use that would have been too early for a renewal earns one now.
		longer := mesh.TokenPolicy{Lifetime: 10 * lifetime, RenewWithin: 2 * lifetime}
		if err := tab.SetPolicy(longer); err != nil {
			t.Fatal(err)
		}
		expires, renewed, err := tab.Use(tab.Find(secret.Hash))
		if want := Instant(time.Now().Add(longer.Lifetime)); err != nil || !renewed || !expires.Equal(want) {
			t.Errorf("expires %v, renewed %v, %v; want %v", expires, renewed, err, want)
		}
	})
}

func TestStoreKnowsBetter(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *shelf, hash mesh.TokenHash)
		want   error
	}{
		"gone":  {func(s *shelf, hash mesh.TokenHash) { s.drop(hash) }, ErrRevoked},
		"moved": {func(s *shelf, hash mesh.TokenHash) { s.set(hash, time.Now().Add(time.Minute)) }, ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, tab *table, s *shelf) {
				secret := tab.Live()[0]
				time.Sleep(lifetime - time.Hour)
				test.change(s, secret.Hash)
				tab.Use(tab.Find(secret.Hash))
				synctest.Wait()
				time.Sleep(time.Minute)
				refused(t, tab, secret, test.want)
			}, one)
		})
	}
}

func TestPersist(t *testing.T) {
	running(t, func(t *testing.T, tab *table, _ *shelf) {
		calls := 0
		var well atomic.Bool
		broken := errors.New("disk")
		save := func(ctx context.Context) error {
			if ctx.Err() != nil {
				t.Error("the caller's end reaches the store")
			}
			calls++
			if well.Load() {
				return nil
			}
			return broken
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := tab.Persist(gone, "a", save); !errors.Is(err, broken) {
			t.Errorf("error = %v", err)
		}
		synctest.Wait()
		if calls != 2 { // at once, and again by Run
			t.Errorf("%d tries", calls)
		}
		time.Sleep(2 * FlushEvery)
		well.Store(true)
		time.Sleep(FlushEvery)
		synctest.Wait()
		tried := calls
		time.Sleep(5 * FlushEvery)
		synctest.Wait()
		if calls != tried || tried < 4 {
			t.Errorf("%d tries, %d after it was stored", tried, calls-tried)
		}
	})
}

func TestPersistNothingToDeny(t *testing.T) {
	running(t, func(t *testing.T, tab *table, _ *shelf) {
		calls := 0
		err := tab.Persist(t.Context(), "a", func(context.Context) error {
			calls++
			return &sdk.Error{Kind: sdk.NotFound}
		})
		time.Sleep(3 * FlushEvery)
		synctest.Wait()
		if sdk.KindOf(err) != sdk.NotFound || calls != 1 {
			t.Errorf("%v after %d tries", err, calls)
		}
	})
}

// TestLastWordIsStored: of two denials of one name the later one is tried again.
func TestLastWordIsStored(t *testing.T) {
	running(t, func(t *testing.T, tab *table, _ *shelf) {
		var stored []string
		var well atomic.Bool
		word := func(text string) func(context.Context) error {
			return func(context.Context) error {
				if !well.Load() {
					return errors.New("disk")
				}
				stored = append(stored, text)
				return nil
			}
		}
		tab.Persist(t.Context(), "a", word("first"))
		tab.Persist(t.Context(), "b", word("other"))
		tab.Persist(t.Context(), "a", word("second"))
		synctest.Wait()
		well.Store(true)
		time.Sleep(FlushEvery)
		synctest.Wait()
		slices.Sort(stored)
		if !slices.Equal(stored, []string{"other", "second"}) {
			t.Errorf("stored %v", stored)
		}
	})
}

func TestSettledDenialIsLeftAlone(t *testing.T) {
	running(t, func(t *testing.T, tab *table, _ *shelf) {
		var calls atomic.Int32
		tab.Persist(t.Context(), "a", func(context.Context) error {
			calls.Add(1)
			return errors.New("disk")
		})
		synctest.Wait()
		tab.Settle("a")
		tried := calls.Load()
		time.Sleep(3 * FlushEvery)
		synctest.Wait()
		if n := calls.Load(); n != tried {
			t.Errorf("%d more tries", n-tried)
		}
	})
}

// TestStoppedAtOnce stores what is left although it is told to stop first.
func TestStoppedAtOnce(t *testing.T) {
	s := fresh("a", "a")
	tab, shelf := newTable(t, s)
	tab.Use(tab.Find(s.Hash))
	denied := false
	tab.PersistLater("b", func(context.Context) error { denied = true; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tab.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !denied || shelf.used[s.Hash].IsZero() {
		t.Errorf("denial stored: %v; last use: %v", denied, shelf.used[s.Hash])
	}
}

// TestManyAtOnce lets everything happen at the same time, for the race detector.
func TestManyAtOnce(t *testing.T) {
	tab, s := newTable(t)
	ctx, cancel := context.WithCancel(t.Context())
	var runs, all sync.WaitGroup
	defer runs.Wait()
	defer cancel()
	runs.Go(func() { tab.Run(ctx) })
	for n := range 4 {
		holder := mesh.DeviceID(rune('a' + n))
		all.Go(func() {
			for range 200 {
				secret := fresh(holder, "x")
				s.set(secret.Hash, secret.ExpiresAt)
				tab.Replace(secret)
				if _, _, err := tab.Use(tab.Find(secret.Hash)); err != nil {
					t.Errorf("fresh: %v", err)
				}
				tab.Live()
				tab.Deny(holder)
				if _, _, err := tab.Use(tab.Find(secret.Hash)); !errors.Is(err, ErrRevoked) {
					t.Errorf("denied: %v", err)
				}
			}
		})
	}
	all.Wait()
}
