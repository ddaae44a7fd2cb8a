package mesh

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
)

// A secret that opens something for whoever presents it is a prefix that secret
// scanners recognise, 32 random bytes in unpadded base64url, and the CRC-32
// (IEEE) of all that in hexadecimal. The checksum tells a mistyped or foreign
// string from a secret without a look-up; it protects nothing.
const (
	secretRandom   = 32
	secretBody     = (secretRandom*8 + 5) / 6 // characters
	secretChecksum = 2 * crc32.Size           // characters
	secretTail     = secretBody + secretChecksum
)

// TokenHash is the SHA-256 of the text of a token or of a session's secret: the
// only form in which one that was given out is kept. A fast hash is enough,
// because 256 random bits leave nothing to guess.
type TokenHash [sha256.Size]byte

func newSecret(prefix string) (string, TokenHash) {
	var raw [secretRandom]byte
	rand.Read(raw[:])
	secret := prefix + base64.RawURLEncoding.EncodeToString(raw[:])
	secret = fmt.Sprintf("%s%08x", secret, crc32.ChecksumIEEE([]byte(secret)))
	return secret, sha256.Sum256([]byte(secret))
}

// hashSecret checks form and checksum and hashes, without allocating.
func hashSecret(prefix string, secret []byte) (TokenHash, bool) {
	if len(secret) != len(prefix)+secretTail || string(secret[:len(prefix)]) != prefix {
		return TokenHash{}, false
	}
	body, checksum := secret[:len(secret)-secretChecksum], secret[len(secret)-secretChecksum:]
	sum := crc32.ChecksumIEEE(body)
	for i := range checksum {
		nibble := sum >> (4 * (secretChecksum - 1 - i)) & 0xf
		if checksum[i] != "0123456789abcdef"[nibble] {
			return TokenHash{}, false
		}
	}
	return sha256.Sum256(secret), true
}
