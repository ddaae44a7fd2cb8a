package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const keyBlock = "PRIVATE KEY" // PKCS #8, RFC 7468 section 10

// readKey reads a key of this device; found is false when there is no file. A
// file that holds anything but one ECDSA P-256 key is an error, which blame
// makes, and stays untouched.
func readKey(path string, log hclog.Logger, blame func(string, ...any) *sdk.Error) (key *ecdsa.PrivateKey, found bool, err error) {
	data, info, found, err := readFile(path)
	if err != nil {
		return nil, false, blame("This device's key %s can't be read.", path).Because(err)
	}
	if !found {
		return nil, false, nil
	}
	if err := makePrivate(path, info, privateMode, log); err != nil {
		return nil, false, err
	}
	key, err = parseKey(data)
	if err != nil {
		return nil, false, blame("This device's key %s is damaged.", path).Because(err)
	}
	return key, true, nil
}

// parseKey reads what encodeKey wrote. No error of it quotes the input.
func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("no %q block", keyBlock)
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, errors.New("more than one key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a PKCS #8 key")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not an ECDSA P-256 key")
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

// createKey makes a key and returns it once it is safely on disk.
func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	data, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	if err := createFile(path, data); err != nil {
		return nil, sdk.Errorf(sdk.Internal, "This device's key %s can't be written.", path).Because(err)
	}
	return key, nil
}

// hashOf is mesh.KeyOf for a key without a certificate.
func hashOf(key *ecdsa.PrivateKey) (mesh.KeyHash, error) {
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return mesh.KeyHash{}, fmt.Errorf("device key: %w", err)
	}
	return sha256.Sum256(spki), nil
}
