package sessions

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

func errorIs(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

func TestNewChecksWhatItIsGiven(t *testing.T) {
	log := hclog.NewNullLogger()
	illegible := newMemory()
	illegible.broken(errors.New("disk"))
	for name, attempt := range map[string]func() (*Service, error){
		"no store":     func() (*Service, error) { return New(t.Context(), nil, policy, log, time.Now) },
		"no clock":     func() (*Service, error) { return New(t.Context(), newMemory(), policy, log, nil) },
		"no life":      func() (*Service, error) { return New(t.Context(), newMemory(), mesh.TokenPolicy{}, log, time.Now) },
		"broken store": func() (*Service, error) { return New(t.Context(), illegible, policy, log, time.Now) },
	} {
		if _, err := attempt(); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestIssue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, newMemory())
		grant := mesh.Grant{"media:*"}
		secret, session := s.Issue("phone", grant, "Safari \u202eon\x00 iPhone\n"+strings.Repeat("x", 10_000))
		grant[0] = "*" // the caller's slice is not the session's
		hash, ok := mesh.HashSession([]byte(secret))
		if !ok || !strings.HasPrefix(session.Description, "Safari on iPhone x") || len(session.Description) > 300 {
			t.Errorf("secret %v, description %q", ok, session.Description)
		}
		now := bearer.Instant(time.Now())
		diff(t, mesh.Session{
			ID: session.ID, Hash: hash, Kind: mesh.SessionDevice, DeviceID: "phone", Permissions: mesh.Grant{"media:*"},
			Description: session.Description, CreatedAt: now, ExpiresAt: now.Add(lifetime),
		}, session)
		opens(t, s, []byte(secret), ErrUnknown) // nobody has stored it
		s.Publish(session)
		opens(t, s, []byte(secret), nil)
	})
}

func TestVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m)
		phone, phones := give(s, m, "phone")
		owner, owners := signIn(t, s)
		token, _ := mesh.NewToken()
		unknown, _ := mesh.NewSessionSecret()

		diff(t, Verified{
			ID: phones.ID, Kind: mesh.SessionDevice, DeviceID: "phone", Permissions: mesh.Grant{"media:*"}, ExpiresAt: phones.ExpiresAt,
		}, opens(t, s, phone, nil))
		diff(t, Verified{ID: owners.ID, Kind: mesh.SessionOwner, Manage: true, ExpiresAt: owners.ExpiresAt}, opens(t, s, owner, nil))
		for name, c := range map[string]struct {
			secret []byte
			want   error
		}{
			"nothing":      {nil, ErrMalformed},
			"a token":      {[]byte(token), ErrMalformed},
			"the id":       {[]byte(owners.ID), ErrMalformed},
			"the hash":     {owners.Hash[:], ErrMalformed},
			"cut short":    {owner[:len(owner)-1], ErrMalformed},
			"one too many": {append(bytes.Clone(owner), 'a'), ErrMalformed},
			"upper case":   {bytes.ToUpper(owner), ErrMalformed},
			"never issued": {[]byte(unknown), ErrUnknown},
		} {
			got, err := s.Verify(c.secret)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			diff(t, Verified{}, got)
		}
		time.Sleep(lifetime)
		opens(t, s, owner, ErrExpired)
	})
}

// TestOtherSecretsAreRefused tries ten thousand secrets that nobody was given
// and as many that differ a little from one that was.
func TestOtherSecretsAreRefused(t *testing.T) {
	s := newService(t, newMemory())
	valid, _ := signIn(t, s)
	for range 10_000 {
		random, _ := mesh.NewSessionSecret()
		if _, err := s.Verify([]byte(random)); !errors.Is(err, ErrUnknown) {
			t.Fatalf("%s: %v", random, err)
		}
		mutated := bytes.Clone(valid)
		mutated[rand.IntN(len(mutated))] ^= byte(1 << rand.IntN(8))
		if _, err := s.Verify(mutated); err == nil {
			t.Fatalf("%q passed for %q", mutated, valid)
		}
	}
	opens(t, s, valid, nil)
}

func TestVerifyAllocatesNothing(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	secret, _ := signIn(t, s)
	unknown, _ := mesh.NewSessionSecret()
	writes := m.writesSoFar()
	for name, secret := range map[string][]byte{"valid": secret, "unknown": []byte(unknown), "malformed": []byte("salita_session_")} {
		if n := testing.AllocsPerRun(1000, func() { s.Verify(secret) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if got := m.writesSoFar(); got != writes {
		t.Errorf("%d visits to the store", got-writes)
	}
}

func TestSessionsSlide(t *testing.T) {
	bubble(t, func(t *testing.T, s *Service, m *memory) {
		secret, session := signIn(t, s)
		time.Sleep(lifetime - within)
		if got := opens(t, s, secret, nil); got.Renewed || !got.ExpiresAt.Equal(session.ExpiresAt) {
			t.Errorf("renewed with seven days left: %+v", got)
		}
		time.Sleep(time.Second)
		want := bearer.Instant(time.Now().Add(lifetime))
		if got := opens(t, s, secret, nil); !got.Renewed || !got.ExpiresAt.Equal(want) {
			t.Errorf("expires %v, renewed %v; want %v", got.ExpiresAt, got.Renewed, want)
		}
		synctest.Wait()
		if row, _ := m.row(session.ID); !row.ExpiresAt.Equal(want) {
			t.Errorf("stored expiry %v, want %v", row.ExpiresAt, want)
		}
		time.Sleep(lifetime)
		opens(t, s, secret, ErrExpired)
		if list := s.List(); len(list) != 0 {
			t.Errorf("expired, yet listed: %+v", list)
		}
	})
}

func TestLastUseIsStoredInBatches(t *testing.T) {
	bubble(t, func(t *testing.T, s *Service, m *memory) {
		secret, session := signIn(t, s)
		signIn(t, s)
		writes := m.writesSoFar()
		time.Sleep(time.Second)
		at := bearer.Instant(time.Now())
		for range 1000 {
			opens(t, s, secret, nil)
		}
		if n := m.writesSoFar() - writes; n != 0 {
			t.Errorf("%d writes by using", n)
		}
		if got := s.List()[0].LastUsedAt; !got.Equal(at) {
			t.Errorf("listed as last used %v, want %v", got, at)
		}
		time.Sleep(10 * bearer.FlushEvery)
		synctest.Wait()
		if row, _ := m.row(session.ID); !row.LastUsedAt.Equal(at) {
			t.Errorf("stored as last used %v, want %v", row.LastUsedAt, at)
		}
		if n := m.writesSoFar() - writes; n != 1 {
			t.Errorf("%d writes, want one", n)
		}
	})
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m)
		_, phones := give(s, m, "phone")
		time.Sleep(time.Hour)
		_, owners := signIn(t, s)
		phones.Hash, owners.Hash = mesh.TokenHash{}, mesh.TokenHash{}
		diff(t, []mesh.Session{phones, owners}, s.List())
		time.Sleep(lifetime - time.Hour)
		diff(t, []mesh.Session{owners}, s.List())
	})
}

func TestPublishReplacesTheDevicesSessions(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	first, _ := give(s, m, "phone")
	other, _ := give(s, m, "tablet")
	owner, _ := signIn(t, s)
	second, _ := give(s, m, "phone")
	opens(t, s, first, ErrUnknown)
	for _, secret := range [][]byte{other, owner, second} {
		opens(t, s, secret, nil)
	}
}

func TestSessionsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m)
		phone, _ := give(s, m, "phone")
		owner, _ := signIn(t, s)
		gone, removed := signIn(t, s)
		link, _ := s.MintLink()
		if err := s.Remove(t.Context(), removed.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.SetManage(t.Context(), "phone", true); err != nil {
			t.Fatal(err)
		}
		s = newService(t, m)
		if got := opens(t, s, phone, nil); !got.Manage || got.DeviceID != "phone" {
			t.Errorf("the phone's session is %+v", got)
		}
		if got := opens(t, s, owner, nil); !got.Manage || got.Kind != mesh.SessionOwner {
			t.Errorf("the owner's session is %+v", got)
		}
		opens(t, s, gone, ErrUnknown)
		if _, _, err := s.Redeem(t.Context(), link, ""); err == nil {
			t.Error("a link outlives the program that made it")
		}
		time.Sleep(lifetime)
		opens(t, newService(t, m), owner, ErrExpired)
	})
}

// TestStoppedService stores last uses when it is told to stop.
func TestStoppedService(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	secret, session := signIn(t, s)
	opens(t, s, secret, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if row, _ := m.row(session.ID); row.LastUsedAt.IsZero() {
		t.Error("the last use is lost")
	}
}

func BenchmarkVerify(b *testing.B) {
	s := newService(b, newMemory())
	secret, _ := signIn(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(secret); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzVerify presents anything: nothing but the one secret may pass.
func FuzzVerify(f *testing.F) {
	s := newService(f, newMemory())
	valid, _ := signIn(f, s)
	f.Add([]byte(nil))
	f.Add([]byte(mesh.SessionPrefix))
	f.Add(append([]byte(mesh.SessionPrefix), bytes.Repeat([]byte{'A'}, mesh.SessionLength-len(mesh.SessionPrefix))...))
	f.Fuzz(func(t *testing.T, secret []byte) {
		kept := bytes.Clone(secret)
		if _, err := s.Verify(secret); (err == nil) != bytes.Equal(secret, valid) {
			t.Errorf("Verify(%q) = %v", secret, err)
		}
		if !bytes.Equal(secret, kept) {
			t.Error("Verify changed its argument")
		}
	})
}
