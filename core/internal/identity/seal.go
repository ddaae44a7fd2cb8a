package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// sealVersion is the first byte of everything sealed. Its key is derived with
// the version in the label, so the byte cannot be changed unnoticed.
const (
	sealVersion byte = 1
	sealLabel        = "salita sealing at rest, version 1"
)

// ErrSealed is the error of Open for anything that Seal did not make with this
// device's key and the same context.
var ErrSealed = errors.New("sealed data cannot be opened with this device's key")

// newSealer derives the sealing key from the device key: HKDF-SHA256 (RFC 5869)
// without salt over the private scalar, then AES-256-GCM with random nonces.
func newSealer(key *ecdsa.PrivateKey) (cipher.AEAD, error) {
	scalar, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, scalar, nil, sealLabel, 32)
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts the plaintext for storage on this device. The context says what
// it is and where it belongs (a table and row, say); it is not stored, and Open
// succeeds only with the same one. The result is a version byte, a random
// 96-bit nonce, the ciphertext and a 128-bit tag.
func (i *Identity) Seal(plaintext, context []byte) ([]byte, error) {
	out := make([]byte, 1, 1+i.sealer.Overhead()+len(plaintext))
	out[0] = sealVersion
	return i.sealer.Seal(out, nil, plaintext, context), nil
}

// Open decrypts what Seal made; anything else is ErrSealed.
func (i *Identity) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plaintext, err := i.sealer.Open(nil, nil, sealed[1:], context)
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}
