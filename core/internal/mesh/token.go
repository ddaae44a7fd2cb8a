package mesh

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A token is 32 random bytes and their CRC-32 (IEEE, big endian), in unpadded
// base64url after a prefix that secret scanners recognise. The checksum tells a
// mistyped or foreign string from a token without a look-up; it protects
// nothing.
const (
	TokenPrefix = "salita_"
	tokenRandom = 32
	// TokenLength is the length of every token in characters.
	TokenLength = len(TokenPrefix) + (tokenRandom+crc32.Size)*4/3
)

// TokenHash is the SHA-256 of a token's text: the only form in which a token
// that was given out is kept. A fast hash is enough, because 256 random bits
// leave nothing to guess.
type TokenHash [sha256.Size]byte

// NewToken returns a fresh token and its hash.
func NewToken() (string, TokenHash) {
	var raw [tokenRandom + crc32.Size]byte
	rand.Read(raw[:tokenRandom])
	binary.BigEndian.PutUint32(raw[tokenRandom:], crc32.ChecksumIEEE(raw[:tokenRandom]))
	token := TokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
	return token, sha256.Sum256([]byte(token))
}

// HashToken checks the form and checksum of a presented token and hashes it,
// without allocating. It reports false for anything that was never a token.
func HashToken(token []byte) (TokenHash, bool) {
	if len(token) != TokenLength || string(token[:len(TokenPrefix)]) != TokenPrefix {
		return TokenHash{}, false
	}
	var raw [tokenRandom + crc32.Size]byte
	if _, err := base64.RawURLEncoding.Decode(raw[:], token[len(TokenPrefix):]); err != nil {
		return TokenHash{}, false
	}
	if binary.BigEndian.Uint32(raw[tokenRandom:]) != crc32.ChecksumIEEE(raw[:tokenRandom]) {
		return TokenHash{}, false
	}
	return sha256.Sum256(token), true
}

// TokenPolicy is how long tokens live.
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
