package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"testing"
)

func TestSealedDataOpensOnlyWhereItBelongs(t *testing.T) {
	dir := t.TempDir()
	i := once(t, dir)
	other := once(t, t.TempDir())
	plaintext, context := []byte("token of Laptop"), []byte("peer_tokens/7")
	sealed, err := i.Seal(plaintext, context)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plaintext) {
		t.Fatal("the plaintext is readable")
	}
	// The same device after a restart.
	got, err := once(t, dir).Open(sealed, context)
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	again, _ := i.Seal(plaintext, context)
	if bytes.Equal(sealed, again) {
		t.Error("sealing twice gives the same bytes")
	}
	if _, err := other.Open(sealed, context); !errors.Is(err, ErrSealed) {
		t.Errorf("another device: %v, want ErrSealed", err)
	}
	if _, err := i.Open(sealed, []byte("peer_tokens/8")); !errors.Is(err, ErrSealed) {
		t.Errorf("another row: %v, want ErrSealed", err)
	}
	for n := range sealed {
		broken := bytes.Clone(sealed)
		broken[n] ^= 1
		if _, err := i.Open(broken, context); !errors.Is(err, ErrSealed) {
			t.Fatalf("byte %d changed: %v, want ErrSealed", n, err)
		}
		if _, err := i.Open(sealed[:n], context); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d bytes: %v, want ErrSealed", n, err)
		}
	}
}

// TestSealFormatStays opens data sealed by version 1, so that no change of the
// derivation locks people out of what they stored.
func TestSealFormatStays(t *testing.T) {
	const sealedHello = "01fd6167a023e2a669e1672844facd670d79e93a80a7dbf964eab3aaccfdb9dce927"
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := newSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(sealedHello)
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Identity{sealer: sealer}).Open(sealed, []byte("context"))
	if err != nil || string(got) != "hello" {
		t.Errorf("Open = %q, %v, want hello", got, err)
	}
}

func FuzzOpenSealed(f *testing.F) {
	i, err := Open(f.TempDir(), testOptions())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { i.Close() })
	f.Add([]byte{}, []byte{})
	f.Add([]byte{sealVersion}, []byte("x"))
	f.Add(make([]byte, 40), []byte{})
	f.Fuzz(func(t *testing.T, sealed, context []byte) {
		if got, err := i.Open(sealed, context); err == nil {
			t.Errorf("forged: %q opened to %q", sealed, got)
		}
	})
}
