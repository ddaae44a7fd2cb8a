package identity

import (
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// withAuthority opens a folder with the local authority enabled.
func withAuthority(t *testing.T, dir string, change ...func(*Options)) (*Identity, CA) {
	t.Helper()
	i := open(t, dir, change...)
	ca, err := i.EnableCA()
	if err != nil {
		t.Fatalf("EnableCA: %v", err)
	}
	return i, ca
}

// poolOf trusts the authority and nobody else.
func poolOf(t *testing.T, ca CA) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca.PEM) {
		t.Fatalf("no certificate in %q", ca.PEM)
	}
	return pool
}

// phone is a browser on which the authority is installed and whose clock is
// right.
func phone(t *testing.T, ca CA, host string, now time.Time) *tls.Config {
	t.Helper()
	return &tls.Config{
		RootCAs: poolOf(t, ca), ServerName: host, NextProtos: []string{"h2", "http/1.1"},
		Time: func() time.Time { return now },
	}
}

func hostsOf(hosts ...string) func(*Options) {
	return func(o *Options) { o.Hosts = func() []string { return hosts } }
}

func clockAt(now time.Time) func(*Options) {
	return func(o *Options) { o.Now = func() time.Time { return now } }
}

func TestThereIsNoAuthorityUnlessWanted(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	if err := i.RefreshCertificate(); err != nil {
		t.Fatal(err)
	}
	if ca, ok := i.CACertificate(); ok {
		t.Errorf("CACertificate = %+v", ca)
	}
	if profile, ok := i.AppleProfile(); ok {
		t.Errorf("AppleProfile = %s", profile)
	}
	for name := range snapshot(t, dir) {
		if strings.HasPrefix(name, "ca.") || name == signedFile {
			t.Errorf("%s was made unasked", name)
		}
	}
}

func TestTheAuthority(t *testing.T) {
	dir := t.TempDir()
	i, public := withAuthority(t, dir)
	ca, err := x509.ParseCertificate(public.DER)
	if err != nil {
		t.Fatal(err)
	}
	if got := ca.NotAfter.Sub(ca.NotBefore) + time.Second; got != authorityLifetime {
		t.Errorf("valid for %v, want %v", got, authorityLifetime)
	}
	if !validAt(ca, start) || !public.ValidUntil.Equal(ca.NotAfter) {
		t.Errorf("valid from %v to %v, ValidUntil %v", ca.NotBefore, ca.NotAfter, public.ValidUntil)
	}
	if ca.PublicKeyAlgorithm != x509.ECDSA || i.authority.Load().key.Curve != elliptic.P256() {
		t.Error("not a P-256 key")
	}
	if mesh.KeyOf(ca) == i.Key() {
		t.Error("the authority has the device's key: whoever trusts it would trust every use of that")
	}
	type powers struct {
		CA, OnlyLeaves, Critical bool
		Usage                    x509.KeyUsage
		Extended                 []x509.ExtKeyUsage
	}
	want := powers{true, true, true, x509.KeyUsageCertSign, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	got := powers{ca.IsCA, ca.MaxPathLen == 0 && ca.MaxPathLenZero, ca.PermittedDNSDomainsCritical, ca.KeyUsage, ca.ExtKeyUsage}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(ca.Subject.String(), i.Name()) {
		t.Errorf("%v tells everyone on the network what the device is called", ca.Subject)
	}
	for name, mode := range map[string]fs.FileMode{authorityKeyFile: 0o600, authorityFile: 0o600, signedFile: 0o600} {
		if got := modeOf(t, filepath.Join(dir, name)); got != mode {
			t.Errorf("mode of %s = %v, want %v", name, got, mode)
		}
	}
}

func TestTheAuthorityStaysTheSame(t *testing.T) {
	dir := t.TempDir()
	first, ca := withAuthority(t, dir)
	before := snapshot(t, dir)
	if again, err := first.EnableCA(); err != nil || again.Fingerprint != ca.Fingerprint {
		t.Errorf("a second EnableCA = %v, %v, want the same", again.Fingerprint, err)
	}
	first.Close()

	second := open(t, dir)
	if got, ok := second.CACertificate(); !ok || got.Fingerprint != ca.Fingerprint {
		t.Errorf("after a restart %v, %v", got.Fingerprint, ok)
	}
	if err := errors.Join(second.RefreshCertificate(), second.Rename("Attic")); err != nil {
		t.Fatal(err)
	}
	if _, err := second.EnableCA(); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, dir)
	delete(before, recordFile)
	delete(after, recordFile)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestTheCertificateForBrowsers(t *testing.T) {
	i, ca := withAuthority(t, t.TempDir(), hostsOf(
		"localhost", "127.0.0.1", "::1", "nas", "study.local", "study.example.org", "10.1.2.3", "fd00::7",
		"192.0.2.7", "8.8.8.8", "2001:db8::1", "photos",
	))
	leaf := i.signed.Load().Leaf
	if got, limit := leaf.NotAfter.Sub(leaf.NotBefore)+time.Second, 397*24*time.Hour; got > limit {
		t.Errorf("valid for %v, browsers allow %v", got, limit)
	}
	if mesh.KeyOf(leaf) != i.Key() || leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key %v, IsCA %v, KeyUsage %v; want a leaf of the device key", mesh.KeyOf(leaf), leaf.IsCA, leaf.KeyUsage)
	}
	names := []string{i.HostName(), "localhost", "nas", "study.example.org", "study.local"}
	if diff := cmp.Diff(names, leaf.DNSNames); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	var addresses []string
	for _, ip := range leaf.IPAddresses {
		addresses = append(addresses, ip.String())
	}
	if diff := cmp.Diff([]string{"10.1.2.3", "127.0.0.1", "::1", "fd00::7"}, addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	for _, host := range append(names, addresses...) {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: poolOf(t, ca), DNSName: host, CurrentTime: start}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestTheAuthoritysKeyIsMadePrivate(t *testing.T) {
	dir := t.TempDir()
	first, _ := withAuthority(t, dir)
	first.Close()
	path := filepath.Join(dir, authorityKeyFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := open(t, dir).CACertificate(); !ok || modeOf(t, path) != 0o600 {
		t.Errorf("ok %v, mode %v", ok, modeOf(t, path))
	}
}
