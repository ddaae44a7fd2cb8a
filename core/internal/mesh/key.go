package mesh

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"fmt"
	"strings"
)

// KeyHash identifies a gateway: the SHA-256 of its certificate's
// SubjectPublicKeyInfo. It survives a renewed certificate, because the key
// stays. The zero value means "no key", as for a browser.
type KeyHash [sha256.Size]byte

// base32Lower spells ids without padding, in letters a person can read out.
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// KeyOf returns the key hash of a certificate.
func KeyOf(cert *x509.Certificate) KeyHash {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

// ParseKeyHash reads what String wrote.
func ParseKeyHash(s string) (KeyHash, error) {
	var k KeyHash
	if base32Lower.EncodedLen(len(k)) != len(s) {
		return k, fmt.Errorf("key hash: want %d characters, got %d", base32Lower.EncodedLen(len(k)), len(s))
	}
	if _, err := base32Lower.Decode(k[:], []byte(strings.ToLower(s))); err != nil {
		return KeyHash{}, fmt.Errorf("key hash: %w", err)
	}
	return k, nil
}

// IsZero reports whether there is no key.
func (k KeyHash) IsZero() bool { return k == KeyHash{} }

// String spells the hash in 52 lower-case base32 characters.
func (k KeyHash) String() string { return base32Lower.EncodeToString(k[:]) }

// deviceIDBytes is how much of the key hash makes a device id: 128 bits, out of
// reach of anyone who would grind keys for a second one.
const deviceIDBytes = 16

// DeviceID derives the id of the device that owns the key.
func (k KeyHash) DeviceID() DeviceID {
	return DeviceID(base32Lower.EncodeToString(k[:deviceIDBytes]))
}
