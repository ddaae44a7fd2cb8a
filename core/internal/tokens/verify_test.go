package tokens

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

func TestVerify(t *testing.T) {
	c := newClock()
	m := newMemory()
	s := newService(t, m, c.Now)
	bound, boundToken := give(s, m, "laptop", laptopKey)
	free, _ := give(s, m, "phone", noKey)
	revoked, _ := give(s, m, "revoked", noKey)
	if err := s.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	unknown, _ := mesh.NewToken()
	expired, _ := give(s, m, "old", laptopKey)
	c.advance(-time.Hour)
	expiring, _ := give(s, m, "old", laptopKey)
	c.advance(time.Hour + lifetime - time.Hour)

	for name, test := range map[string]struct {
		token []byte
		key   mesh.KeyHash
		want  error
	}{
		"bound, its key":       {bound, laptopKey, nil},
		"bound, another key":   {bound, otherKey, ErrWrongKey},
		"bound, no key":        {bound, noKey, ErrWrongKey},
		"free, no key":         {free, noKey, nil},
		"free, some key":       {free, otherKey, nil},
		"revoked":              {revoked, noKey, ErrRevoked},
		"unknown":              {[]byte(unknown), noKey, ErrUnknown},
		"replaced":             {expired, laptopKey, ErrUnknown},
		"expired to the dot":   {expiring, laptopKey, ErrExpired},
		"expired, another key": {expiring, otherKey, ErrWrongKey},
		"nothing":              {nil, laptopKey, ErrMalformed},
		"a prefix":             {bound[:len(bound)-1], laptopKey, ErrMalformed},
		"one too many":         {append(bytes.Clone(bound), 'A'), laptopKey, ErrMalformed},
		"a line break":         {append(bytes.Clone(bound[:len(bound)-1]), '\n'), laptopKey, ErrMalformed},
		"the hash":             {boundToken.Hash[:], laptopKey, ErrMalformed},
		"upper case":           {bytes.ToUpper(bound), laptopKey, ErrMalformed},
		"of the earlier kind":  {bytes.Repeat([]byte("0f"), 32), laptopKey, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Verify(test.token, test.key)
			if !errors.Is(err, test.want) {
				t.Fatalf("error = %v, want %v", err, test.want)
			}
			if test.want != nil {
				diff(t, Verified{}, got)
			} else if got.DeviceID == "" || !got.Permissions.Allows("media:upload") {
				t.Errorf("verified = %+v", got)
			}
		})
	}
}

func TestVerifiedSaysWhatWasGranted(t *testing.T) {
	m := newMemory()
	s := newService(t, m, newClock().Now)
	secret, token := give(s, m, "laptop", laptopKey)
	got, err := s.Verify(secret, laptopKey)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, Verified{DeviceID: "laptop", Permissions: token.Permissions, ExpiresAt: token.ExpiresAt}, got)
}

func TestTokensSurviveARestart(t *testing.T) {
	c := newClock()
	m := newMemory()
	s := newService(t, m, c.Now)
	live, _ := give(s, m, "laptop", laptopKey)
	revoked, _ := give(s, m, "phone", noKey)
	if err := s.Revoke(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	s = newService(t, m, c.Now)
	if err := verify(s, live, laptopKey); err != nil {
		t.Error(err)
	}
	if err := verify(s, revoked, noKey); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	c.advance(lifetime)
	s = newService(t, m, c.Now)
	if err := verify(s, live, laptopKey); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// TestOtherTokensAreRefused tries ten thousand tokens that nobody was given and
// as many that differ a little from one that was.
func TestOtherTokensAreRefused(t *testing.T) {
	m := newMemory()
	s := newService(t, m, newClock().Now)
	valid, _ := give(s, m, "laptop", noKey)
	for range 10_000 {
		random, _ := mesh.NewToken()
		if err := verify(s, []byte(random), noKey); !errors.Is(err, ErrUnknown) {
			t.Fatalf("%s: %v", random, err)
		}
		mutated := mutate(valid)
		if err := verify(s, mutated, noKey); err == nil {
			t.Fatalf("%q passed for %q", mutated, valid)
		}
	}
	if err := verify(s, valid, noKey); err != nil {
		t.Fatal(err)
	}
}

// mutate changes, swaps, drops or adds bytes; the result is never the original.
func mutate(token []byte) []byte {
	for {
		b := bytes.Clone(token)
		for range 1 + rand.IntN(3) {
			i, j := rand.IntN(len(b)), rand.IntN(len(b))
			switch rand.IntN(4) {
			case 0:
				b[i] ^= byte(1 << rand.IntN(8))
			case 1:
				b[i], b[j] = b[j], b[i]
			case 2:
				b = append(b[:i], b[i+1:]...)
			case 3:
				b = append(b[:i+1], b[i:]...)
			}
		}
		if !bytes.Equal(b, token) {
			return b
		}
	}
}

func TestVerifyAllocatesNothing(t *testing.T) {
	m := newMemory()
	s := newService(t, m, time.Now)
	secret, _ := give(s, m, "laptop", laptopKey)
	unknown, _ := mesh.NewToken()
	writes := m.writesSoFar()
	for name, token := range map[string][]byte{"valid": secret, "unknown": []byte(unknown), "malformed": []byte("salita_")} {
		if n := testing.AllocsPerRun(1000, func() { s.Verify(token, laptopKey) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if got := m.writesSoFar(); got != writes {
		t.Errorf("%d visits to the store", got-writes)
	}
}

func BenchmarkVerify(b *testing.B) {
	m := newMemory()
	s := newService(b, m, time.Now)
	var secrets [][]byte
	for n := range 1000 {
		secret, _ := give(s, m, mesh.DeviceID(rune('a'+n)), laptopKey)
		secrets = append(secrets, secret)
	}
	before := m.writesSoFar()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := s.Verify(secrets[n%len(secrets)], laptopKey); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(m.writesSoFar()-before)/float64(b.N), "dbwrites/op")
}

func BenchmarkVerifyUnknown(b *testing.B) {
	s := newService(b, newMemory(), time.Now)
	text, _ := mesh.NewToken()
	token := []byte(text)
	b.ReportAllocs()
	for b.Loop() {
		s.Verify(token, laptopKey)
	}
}

// FuzzVerify presents anything: nothing but the one token may pass.
func FuzzVerify(f *testing.F) {
	m := newMemory()
	s := newService(f, m, time.Now)
	valid, _ := give(s, m, "laptop", noKey)
	f.Add([]byte(nil))
	f.Add([]byte(mesh.TokenPrefix))
	f.Add(bytes.Repeat([]byte{'\n'}, mesh.TokenLength))
	f.Add(append([]byte(mesh.TokenPrefix), bytes.Repeat([]byte{'A'}, mesh.TokenLength-len(mesh.TokenPrefix))...))
	f.Fuzz(func(t *testing.T, token []byte) {
		kept := bytes.Clone(token)
		_, err := s.Verify(token, noKey)
		if (err == nil) != bytes.Equal(token, valid) {
			t.Errorf("Verify(%q) = %v", token, err)
		}
		if !bytes.Equal(token, kept) {
			t.Error("Verify changed its argument")
		}
	})
}
