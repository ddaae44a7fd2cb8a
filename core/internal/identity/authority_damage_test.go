package identity

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// TestDamageToTheAuthority damages its files. The gateway starts, and nothing is
// repaired behind the owner's back: phones trust what is gone.
func TestDamageToTheAuthority(t *testing.T) {
	foreign := t.TempDir()
	withAuthority(t, foreign)
	other := snapshot(t, foreign)
	own := func(change func(*x509.Certificate)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { forgeAuthority(t, dir, change) }
	}
	put := func(file, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, filepath.Join(dir, file), content) }
	}
	tests := map[string]struct {
		damage func(t *testing.T, dir string)
		names  string
	}{
		"key gone": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, authorityKeyFile)); err != nil {
				t.Fatal(err)
			}
		}, authorityKeyFile},
		"key noise":                 {put(authorityKeyFile, "\x00"), authorityKeyFile},
		"key empty":                 {put(authorityKeyFile, ""), authorityKeyFile},
		"foreign key":               {put(authorityKeyFile, other[authorityKeyFile]), authorityFile},
		"certificate noise":         {put(authorityFile, "\x00"), authorityFile},
		"certificate empty":         {put(authorityFile, ""), authorityFile},
		"certificate cut":           {put(authorityFile, other[authorityFile][:100]), authorityFile},
		"foreign certificate":       {put(authorityFile, other[authorityFile]), authorityFile},
		"not constrained":           {own(func(c *x509.Certificate) { c.PermittedDNSDomains, c.PermittedIPRanges = nil, nil }), authorityFile},
		"addresses not constrained": {own(func(c *x509.Certificate) { c.PermittedIPRanges = nil }), authorityFile},
		"names not constrained":     {own(func(c *x509.Certificate) { c.PermittedDNSDomains = nil }), authorityFile},
		"constraint may be ignored": {
			own(func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false }), authorityFile,
		},
		"may sign authorities": {own(func(c *x509.Certificate) { c.MaxPathLenZero, c.MaxPathLen = false, -1 }), authorityFile},
		"not an authority":     {own(func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = false, false }), authorityFile},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, _ := withAuthority(t, dir)
			first.Close()
			tt.damage(t, dir)
			before := snapshot(t, dir)

			i := open(t, dir)
			if _, ok := i.CACertificate(); ok {
				t.Error("the damaged authority is given out")
			}
			if err := i.RefreshCertificate(); err != nil {
				t.Error(err)
			}
			_, c, serverErr, clientErr := handshake(t, i.ServerTLS(), browser("http/1.1"))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatal(err)
			}
			if !c.PeerCertificates[0].Equal(i.certificate.Load().Leaf) {
				t.Error("browsers do not get the self-signed certificate")
			}
			_, err := i.EnableCA()
			e := sdk.AsError(err)
			if err == nil || e.Kind != sdk.Invalid || e.Hint == "" || !strings.Contains(e.Friendly(), filepath.Join(dir, tt.names)) {
				t.Errorf("EnableCA = %v, want an invalid *sdk.Error that names %s", err, tt.names)
			}
			if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
				t.Errorf("files changed:\n%s", diff)
			}
		})
	}
}

// forgeAuthority replaces the authority's certificate by another one of the same
// key.
func forgeAuthority(t *testing.T, dir string, change func(*x509.Certificate)) {
	t.Helper()
	key, _, err := readKey(filepath.Join(dir, authorityKeyFile), nil, damagedAuthority)
	if err != nil {
		t.Fatal(err)
	}
	template := authorityTemplate("Salita", nil, start)
	change(template)
	write(t, filepath.Join(dir, authorityFile), string(encodeCertificate(signWith(t, template, template, key, key))))
}

// TestADamagedCertificateForBrowsersIsMadeAgain also shows the states that an
// interrupted EnableCA leaves: the files are written in the order of the names.
func TestADamagedCertificateForBrowsersIsMadeAgain(t *testing.T) {
	foreign := t.TempDir()
	withAuthority(t, foreign)
	other := snapshot(t, foreign)[signedFile]
	for name, content := range map[string]string{
		"missing": "", "noise": "\x00", "cut": other[:100], "foreign": other, "self-signed": snapshot(t, foreign)[certificateFile],
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, ca := withAuthority(t, dir)
			first.Close()
			path := filepath.Join(dir, signedFile)
			if write(t, path, content); content == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			i := open(t, dir)
			_, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", start))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnInterruptedEnableCA(t *testing.T) {
	reference := t.TempDir()
	withAuthority(t, reference)
	files := snapshot(t, reference)
	for name, present := range map[string][]string{
		"key":                                 {authorityKeyFile},
		"key, unfinished certificate":         {authorityKeyFile, temporaryPrefix + "1"},
		"key and certificate":                 {authorityKeyFile, authorityFile},
		"both, unfinished leaf":               {authorityKeyFile, authorityFile, temporaryPrefix + "2"},
		"leaf of an authority that was moved": {signedFile},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range append(present, keyFile, recordFile, certificateFile) {
				write(t, filepath.Join(dir, file), files[file])
			}
			i := open(t, dir)
			whole := present[len(present)-1] != signedFile && len(present) > 1 && present[1] == authorityFile
			if _, ok := i.CACertificate(); ok != whole {
				t.Errorf("CACertificate ok = %v, want %v", ok, whole)
			}
			ca, err := i.EnableCA()
			if err != nil {
				t.Fatal(err)
			}
			after := snapshot(t, dir)
			if present[0] == authorityKeyFile && after[authorityKeyFile] != files[authorityKeyFile] {
				t.Error("the key that was there was not used")
			}
			if whole && after[authorityFile] != files[authorityFile] {
				t.Error("the authority that was there was replaced")
			}
			_, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", start))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Error(err)
			}
			if len(after) != len(files) {
				t.Errorf("files: %d, want %d", len(after), len(files))
			}
		})
	}
}

// TestAnAuthorityThatWasMovedAway takes the files away under a running gateway, as
// the hints of errors advise.
func TestAnAuthorityThatWasMovedAway(t *testing.T) {
	for name, files := range map[string][]string{
		"both": {authorityKeyFile, authorityFile}, "certificate only": {authorityFile},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			i, old := withAuthority(t, dir)
			for _, file := range files {
				if err := os.Remove(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			ca, err := i.EnableCA()
			if err != nil || ca.Fingerprint == old.Fingerprint {
				t.Fatalf("EnableCA = %v, %v, want another", ca.Fingerprint, err)
			}
			_, c, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", start))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatal(err)
			}
			if got := c.PeerCertificates; len(got) != 2 || fingerprint(got[1].Raw) != ca.Fingerprint {
				t.Error("the chain does not end in the new authority")
			}
		})
	}
}

// TestAnAuthorityWithoutALeaf has something in the way of the leaf's file.
func TestAnAuthorityWithoutALeaf(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, signedFile, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := i.EnableCA(); err == nil {
		t.Error("EnableCA = nil although nothing can be served")
	}
	if _, _, serverErr, clientErr := handshake(t, i.ServerTLS(), browser("http/1.1")); errors.Join(serverErr, clientErr) != nil {
		t.Errorf("browsers are shut out: %v, %v", serverErr, clientErr)
	}
	i.Close()
	i = open(t, dir)
	if i.inForce() {
		t.Error("the missing leaf is not noticed")
	}
	if err := os.RemoveAll(filepath.Join(dir, signedFile)); err != nil {
		t.Fatal(err)
	}
	if err := i.RefreshCertificate(); err != nil {
		t.Fatal(err)
	}
	ca, _ := i.CACertificate()
	if _, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", start)); errors.Join(serverErr, clientErr) != nil {
		t.Errorf("once the way is free: %v, %v", serverErr, clientErr)
	}
}
