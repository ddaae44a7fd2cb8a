package mesh

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSessionSecretForm(t *testing.T) {
	secret, hash := NewSessionSecret()
	if len(secret) != SessionLength || !strings.HasPrefix(secret, SessionPrefix) {
		t.Fatalf("secret has %d characters, want %d after %q", len(secret), SessionLength, SessionPrefix)
	}
	got, ok := HashSession([]byte(secret))
	if !ok || got != hash || got != sha256.Sum256([]byte(secret)) {
		t.Fatal("a new secret does not hash to its hash")
	}
	if other, _ := NewSessionSecret(); other == secret {
		t.Fatal("two new secrets are the same")
	}
	if a, b := NewSessionID(), NewSessionID(); a == b {
		t.Fatal("two new sessions share an id")
	}
}

// TestTokensAndSessionsAreNotMistaken for each other, although the prefix of
// one begins with that of the other.
func TestTokensAndSessionsAreNotMistaken(t *testing.T) {
	secret, _ := NewSessionSecret()
	token, _ := NewToken()
	if _, ok := HashToken([]byte(secret)); ok {
		t.Error("a session's secret passes for a token")
	}
	if _, ok := HashSession([]byte(token)); ok {
		t.Error("a token passes for a session's secret")
	}
	if _, ok := HashToken([]byte(secret[:TokenLength])); ok {
		t.Error("a piece of a session's secret passes for a token")
	}
}

func TestHashSessionRefusesMutations(t *testing.T) {
	secret, _ := NewSessionSecret()
	r := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		mutated := []byte(secret)
		switch r.IntN(3) {
		case 0:
			mutated[r.IntN(len(mutated))] ^= byte(1 + r.IntN(255))
		case 1:
			mutated = mutated[:r.IntN(len(mutated))]
		case 2:
			mutated = append(mutated, byte(r.IntN(256)))
		}
		if _, ok := HashSession(mutated); ok {
			t.Fatalf("accepted %q, a mutation of %q", mutated, secret)
		}
	}
}

func TestHashSessionDoesNotAllocate(t *testing.T) {
	secret, _ := NewSessionSecret()
	raw := []byte(secret)
	if n := testing.AllocsPerRun(100, func() { HashSession(raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHashSession(f *testing.F) {
	secret, _ := NewSessionSecret()
	f.Add([]byte(secret))
	f.Add([]byte(SessionPrefix))
	f.Add([]byte(TokenPrefix))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, ok := HashSession(raw); ok && (len(raw) != SessionLength || !strings.HasPrefix(string(raw), SessionPrefix)) {
			t.Errorf("accepted %q", raw)
		}
	})
}
