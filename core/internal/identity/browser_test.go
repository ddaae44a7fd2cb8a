package identity

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// TestWhoGetsWhichCertificate enables the authority and then an own certificate
// under a configuration that is in use already.
func TestWhoGetsWhichCertificate(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, hostsOf("localhost", "127.0.0.1")), open(t, t.TempDir())
	server, pin := a.ServerTLS(), a.Key()
	check := func(step string, want *x509.Certificate) {
		t.Helper()
		_, c, serverErr, clientErr := handshake(t, server, browser("h2", "http/1.1"))
		if err := errors.Join(serverErr, clientErr); err != nil {
			t.Fatalf("%s: browser: %v", step, err)
		}
		if got := c.PeerCertificates[0]; !got.Equal(want) {
			t.Errorf("%s: a browser sees %v of %v", step, got.Subject, got.Issuer)
		}
		for name, p := range map[string]*mesh.KeyHash{"pinned": &pin, "not pinned": nil} {
			s, c, serverErr, clientErr := handshake(t, server, b.ClientTLS(p))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatalf("%s: peer, %s: %v", step, name, err)
			}
			if key, ok := PeerKey(c); !ok || key != a.Key() {
				t.Errorf("%s: the peer sees the key %v", step, key)
			}
			if key, ok := PeerKey(s); !ok || key != b.Key() {
				t.Errorf("%s: we see the peer's key %v", step, key)
			}
			if len(c.PeerCertificates) != 1 || !c.PeerCertificates[0].Equal(leafOf(t, dir)) {
				t.Errorf("%s: a peer does not see the self-signed certificate alone", step)
			}
		}
	}
	check("at first", leafOf(t, dir))

	ca, err := a.EnableCA()
	if err != nil {
		t.Fatal(err)
	}
	signed := a.signed.Load().Leaf
	if mesh.KeyOf(signed) != a.Key() {
		t.Error("browsers see another key than the device's")
	}
	check("with the authority", signed)
	for _, host := range []string{"localhost", a.HostName(), "127.0.0.1"} {
		_, c, serverErr, clientErr := handshake(t, server, phone(t, ca, host, start))
		if err := errors.Join(serverErr, clientErr); err != nil {
			t.Errorf("a phone that installed the authority calls %s: %v", host, err)
		} else if got := len(c.PeerCertificates); got != 2 {
			t.Errorf("%d certificates in the chain, want leaf and authority", got)
		}
	}
	if _, _, _, err := handshake(t, server, phone(t, ca, "study.local", start)); err == nil {
		t.Error("a phone takes the certificate for another host")
	}
	_, other := withAuthority(t, t.TempDir())
	if _, _, _, err := handshake(t, server, phone(t, other, "localhost", start)); err == nil {
		t.Error("a phone takes the certificate of an authority that it does not have")
	}

	own := newIssuer(t).files(t, "127.0.0.1", "home.example.org")
	if err := a.UseCertificate(own.CertificateFiles); err != nil {
		t.Fatal(err)
	}
	check("with an own certificate", own.leaf)
	if err := a.UseCertificate(CertificateFiles{}); err != nil {
		t.Fatal(err)
	}
	check("without it again", signed)
}

// TestWhichCertificateFitsTheName has an own certificate for a name on the
// internet beside the authority, which is for what is at home.
func TestWhichCertificateFitsTheName(t *testing.T) {
	clock := newWallClock(start)
	dir := t.TempDir()
	a, _ := withAuthority(t, dir, hostsOf("localhost", "127.0.0.1"), clock.option)
	own := newIssuer(t).files(t, "home.example.org", a.HostName())
	signed := a.signed.Load().Leaf
	sees := func(step, name string, want *x509.Certificate) {
		t.Helper()
		client := browser("http/1.1")
		client.ServerName = name
		_, c, serverErr, clientErr := handshake(t, a.ServerTLS(), client)
		if err := errors.Join(serverErr, clientErr); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if got := c.PeerCertificates[0]; !got.Equal(want) {
			t.Errorf("%s: who calls %q sees %v of %v", step, name, got.DNSNames, got.Issuer)
		}
	}
	if err := a.UseCertificate(own.CertificateFiles); err != nil {
		t.Fatal(err)
	}
	sees("both", "home.example.org", own.leaf)
	sees("both", a.HostName(), own.leaf)
	sees("both", "localhost", signed)
	sees("both", "", signed) // called by address, which is 127.0.0.1
	sees("both", "unknown.example", own.leaf)

	clock.set(own.leaf.NotAfter.Add(time.Minute))
	sees("the own one expired, called by its name", "home.example.org", own.leaf)
	sees("the own one expired", a.HostName(), signed)
	sees("the own one expired", "localhost", signed)

	for _, file := range []string{authorityKeyFile, authorityFile, signedFile} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	clock.set(start)
	a = open(t, dir, clock.option, func(o *Options) { o.Certificate = own.CertificateFiles })
	for _, name := range []string{"home.example.org", "localhost", "", "unknown.example"} {
		sees("no authority", name, own.leaf)
	}
}

// TestNewHostsReachThePhone shows that both leaves follow the addresses, and
// that a host for which the authority may not sign makes no new ones for ever.
func TestNewHostsReachThePhone(t *testing.T) {
	hosts := []string{"localhost", "192.168.1.2"}
	i, ca := withAuthority(t, t.TempDir(), func(o *Options) { o.Hosts = func() []string { return hosts } })
	refresh := func() (leaf *x509.Certificate) {
		t.Helper()
		if err := i.RefreshCertificate(); err != nil {
			t.Fatal(err)
		}
		return i.signed.Load().Leaf
	}
	first := refresh()
	hosts = append(hosts, "192.168.7.7", "study.lan")
	second := refresh()
	if second.Equal(first) {
		t.Error("a new address made no new certificate")
	}
	if _, err := second.Verify(x509.VerifyOptions{Roots: poolOf(t, ca), DNSName: "192.168.7.7", CurrentTime: start}); err != nil {
		t.Error(err)
	}
	if second.VerifyHostname("study.lan") == nil {
		t.Error("signed for a name that came after the authority")
	}
	hosts = append(hosts, "203.0.113.5")
	if !refresh().Equal(second) {
		t.Error("an address outside made a new certificate for browsers")
	}
	if err := i.certificate.Load().Leaf.VerifyHostname("203.0.113.5"); err != nil {
		t.Errorf("the self-signed certificate lacks it: %v", err)
	}
	hosts = nil
	if !refresh().Equal(second) {
		t.Error("addresses that went away made a new certificate")
	}
}

func TestConcurrentUseOfTheAuthority(t *testing.T) {
	i := open(t, t.TempDir(), hostsOf("localhost", "127.0.0.1"))
	own := newIssuer(t).files(t, "localhost")
	server := i.ServerTLS()
	prints := make([]string, 8)
	var wg sync.WaitGroup
	for n := range prints {
		wg.Go(func() {
			ca, err := i.EnableCA()
			prints[n] = ca.Fingerprint
			if err := errors.Join(err, i.UseCertificate(own.CertificateFiles), i.RefreshCertificate()); err != nil {
				t.Error(err)
			}
			if _, ok := i.AppleProfile(); !ok {
				t.Error("no profile")
			}
			if _, _, serverErr, clientErr := handshake(t, server, browser("http/1.1")); errors.Join(serverErr, clientErr) != nil {
				t.Error(fmt.Errorf("%w, %w", serverErr, clientErr))
			}
		})
	}
	wg.Wait()
	for _, print := range prints {
		if print != prints[0] {
			t.Fatal("two callers got two authorities")
		}
	}
}
