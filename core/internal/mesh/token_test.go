package mesh

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestTokenForm(t *testing.T) {
	token, hash := NewToken()
	if len(token) != TokenLength || !strings.HasPrefix(token, TokenPrefix) {
		t.Fatalf("token has %d characters, want %d after %q", len(token), TokenLength, TokenPrefix)
	}
	got, ok := HashToken([]byte(token))
	if !ok || got != hash || got != sha256.Sum256([]byte(token)) {
		t.Fatal("a new token does not hash to its hash")
	}
	other, _ := NewToken()
	if other == token {
		t.Fatal("two new tokens are the same")
	}
}

func TestHashTokenRefusesMutations(t *testing.T) {
	token, _ := NewToken()
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		mutated := []byte(token)
		switch r.IntN(3) {
		case 0:
			mutated[r.IntN(len(mutated))] ^= byte(1 + r.IntN(255))
		case 1:
			mutated = mutated[:r.IntN(len(mutated))]
		case 2:
			mutated = append(mutated, byte(r.IntN(256)))
		}
		if _, ok := HashToken(mutated); ok && string(mutated) != token {
			t.Fatalf("accepted %q, a mutation of %q", mutated, token)
		}
	}
}

func TestHashTokenDoesNotAllocate(t *testing.T) {
	token, _ := NewToken()
	raw := []byte(token)
	if n := testing.AllocsPerRun(100, func() { HashToken(raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHashToken(f *testing.F) {
	token, _ := NewToken()
	f.Add([]byte(token))
	f.Add([]byte(""))
	f.Add([]byte(TokenPrefix))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, ok := HashToken(raw); ok && (len(raw) != TokenLength || !strings.HasPrefix(string(raw), TokenPrefix)) {
			t.Errorf("accepted %q", raw)
		}
	})
}

func TestRenewal(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	policy := TokenPolicy{Lifetime: 30 * 24 * time.Hour, RenewWithin: 7 * 24 * time.Hour}
	tests := []struct {
		name  string
		left  time.Duration
		renew bool
	}{
		{"fresh", 30 * 24 * time.Hour, false},
		{"exactly seven days left", 7 * 24 * time.Hour, false},
		{"just under seven days left", 7*24*time.Hour - time.Second, true},
		{"last second", time.Second, true},
		{"expired now", 0, false},
		{"long expired", -time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expires := now.Add(tt.left)
			got, renew := policy.Renewal(expires, now)
			want := expires
			if tt.renew {
				want = now.Add(policy.Lifetime)
			}
			if renew != tt.renew || !got.Equal(want) {
				t.Errorf("renewal = %v, %v; want %v, %v", got, renew, want, tt.renew)
			}
		})
	}
}
