package mesh

import "time"

// A token is a secret that opens the gateway for a device.
const (
	TokenPrefix = "salita_"
	// TokenLength is the length of every token in characters.
	TokenLength = len(TokenPrefix) + secretTail
)

// NewToken returns a fresh token and its hash.
func NewToken() (string, TokenHash) { return newSecret(TokenPrefix) }

// HashToken checks the form and checksum of a presented token and hashes it,
// without allocating. It reports false for anything that was never a token.
func HashToken(token []byte) (TokenHash, bool) { return hashSecret(TokenPrefix, token) }

// TokenPolicy is how long tokens and sessions live.
type TokenPolicy struct {
	Lifetime    time.Duration // from issue or renewal
	RenewWithin time.Duration // a use with less than this left renews
}

// Renewal returns the new expiry that a use at now earns, and whether it earns
// one. Only the issuer's clock counts.
func (p TokenPolicy) Renewal(expires, now time.Time) (time.Time, bool) {
	if !now.Before(expires) || expires.Sub(now) >= p.RenewWithin {
		return expires, false
	}
	return now.Add(p.Lifetime), true
}

// IssuedToken is a token given to another device, as we remember it.
type IssuedToken struct {
	Hash        TokenHash
	DeviceID    DeviceID
	Key         KeyHash // honoured only over mutual TLS with this key; zero: no key needed
	Permissions Grant
	IssuedAt    time.Time
	ExpiresAt   time.Time
	LastUsedAt  time.Time // zero when never
	RevokedAt   time.Time // zero when not
}

// PeerToken is a token that another gateway gave us to call it.
type PeerToken struct {
	DeviceID    DeviceID
	Token       string // the secret itself; sealed wherever it is stored
	Permissions Grant
	ExpiresAt   time.Time // by the issuer's clock
}
