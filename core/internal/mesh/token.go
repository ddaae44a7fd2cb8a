package mesh

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"time"
)

// A token is a prefix that secret scanners recognise, 32 random bytes in
// unpadded base64url, and the CRC-32 (IEEE) of all that in hexadecimal. The
// checksum tells a mistyped or foreign string from a token without a look-up;
// it protects nothing.
const (
	TokenPrefix   = "salita_"
	tokenRandom   = 32
	tokenSecret   = (tokenRandom*8 + 5) / 6 // characters
	tokenChecksum = 2 * crc32.Size          // characters
	// TokenLength is the length of every token in characters.
	TokenLength = len(TokenPrefix) + tokenSecret + tokenChecksum
)

// TokenHash is the SHA-256 of a token's text: the only form in which a token
// that was given out is kept. A fast hash is enough, because 256 random bits
// leave nothing to guess.
type TokenHash [sha256.Size]byte

// NewToken returns a fresh token and its hash.
func NewToken() (string, TokenHash) {
	var raw [tokenRandom]byte
	rand.Read(raw[:])
	token := TokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
	token = fmt.Sprintf("%s%08x", token, crc32.ChecksumIEEE([]byte(token)))
	return token, sha256.Sum256([]byte(token))
}

// HashToken checks the form and checksum of a presented token and hashes it,
// without allocating. It reports false for anything that was never a token.
func HashToken(token []byte) (TokenHash, bool) {
	if len(token) != TokenLength || string(token[:len(TokenPrefix)]) != TokenPrefix {
		return TokenHash{}, false
	}
	body, checksum := token[:TokenLength-tokenChecksum], token[TokenLength-tokenChecksum:]
	sum := crc32.ChecksumIEEE(body)
	for i := range checksum {
		nibble := sum >> (4 * (tokenChecksum - 1 - i)) & 0xf
		if checksum[i] != "0123456789abcdef"[nibble] {
			return TokenHash{}, false
		}
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
