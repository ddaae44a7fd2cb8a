package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

func leafOf(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("no PEM in %q", data)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	leaf := leafOf(t, dir)

	if mesh.KeyOf(leaf) != i.Key() {
		t.Error("certificate and Key disagree")
	}
	if got, limit := leaf.NotAfter.Sub(leaf.NotBefore)+time.Second, 397*24*time.Hour; got > limit {
		t.Errorf("valid for %v, browsers allow %v", got, limit)
	}
	if start.Before(leaf.NotBefore) || start.After(leaf.NotAfter) {
		t.Errorf("not valid now: %v to %v", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("IsCA %v, KeyUsage %v; want a leaf that only signs handshakes", leaf.IsCA, leaf.KeyUsage)
	}
	if err := leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		t.Errorf("self-signature: %v", err)
	}
	for _, host := range []string{"localhost", "192.0.2.7", i.HostName()} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if leaf.SerialNumber.BitLen() < 64 {
		t.Errorf("serial %v is not random enough", leaf.SerialNumber)
	}
}

func TestWhenTheCertificateIsRenewed(t *testing.T) {
	const day = 24 * time.Hour
	hosts := func(h ...string) func() []string { return func() []string { return h } }
	tests := map[string]struct {
		later time.Duration
		hosts func() []string
		renew bool
	}{
		"next day":                 {day, hosts("localhost", "192.0.2.7"), false},
		"31 days left":             {365 * day, hosts("localhost", "192.0.2.7"), false},
		"29 days left":             {368 * day, hosts("localhost", "192.0.2.7"), true},
		"expired":                  {1000 * day, hosts("localhost", "192.0.2.7"), true},
		"clock set back":           {-10 * day, hosts("localhost", "192.0.2.7"), true},
		"new address":              {day, hosts("localhost", "192.0.2.7", "192.0.2.8"), true},
		"new name":                 {day, hosts("localhost", "192.0.2.7", "desk.local"), true},
		"address went away":        {day, hosts("localhost"), false},
		"order and doubles":        {day, hosts("192.0.2.7", "localhost", "LOCALHOST.", "192.0.2.7"), false},
		"names no certificate has": {day, hosts("localhost", "", "a b", "fe80::1%eth0", "x..y", "ünï", "*"), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := once(t, dir)
			before := leafOf(t, dir)
			second := once(t, dir, func(o *Options) {
				o.Now = func() time.Time { return start.Add(tt.later) }
				o.Hosts = tt.hosts
			})
			after := leafOf(t, dir)
			if renewed := !before.Equal(after); renewed != tt.renew {
				t.Errorf("renewed = %v, want %v", renewed, tt.renew)
			}
			if first.Key() != second.Key() || mesh.KeyOf(after) != first.Key() {
				t.Error("renewal changed the key")
			}
			if tt.renew && before.SerialNumber.Cmp(after.SerialNumber) == 0 {
				t.Error("renewal kept the serial number")
			}
		})
	}
}

func TestADamagedOrForeignCertificateIsMadeAgain(t *testing.T) {
	other := t.TempDir()
	once(t, other)
	foreign := snapshot(t, other)[certificateFile]
	for name, content := range map[string]string{"empty": "", "noise": "\x00", "cut": foreign[:100], "foreign": foreign} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			once(t, dir)
			write(t, filepath.Join(dir, certificateFile), content)
			i := once(t, dir)
			if mesh.KeyOf(leafOf(t, dir)) != i.Key() {
				t.Error("the certificate was not made again for our key")
			}
		})
	}
}

func TestRunRenewsWhileServing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		i, err := Open(dir, Options{Hosts: func() []string { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		first := i.certificate.Load().Leaf
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx) }()

		time.Sleep(366 * 24 * time.Hour)
		synctest.Wait()
		if !i.certificate.Load().Leaf.Equal(first) {
			t.Error("renewed with more than 30 days left")
		}
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		second := i.certificate.Load().Leaf
		if second.Equal(first) || !second.Equal(leafOf(t, dir)) {
			t.Error("not renewed, or not on disk, with 29 days left")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTooManyHostsAreCut(t *testing.T) {
	i := open(t, t.TempDir(), func(o *Options) {
		o.Hosts = func() []string {
			var hosts []string
			for n := range 500 {
				hosts = append(hosts, "host-"+string(rune('a'+n%26))+string(rune('a'+n/26%26))+".local")
			}
			return hosts
		}
	})
	leaf := i.certificate.Load().Leaf
	if got := len(leaf.DNSNames); got != maxHosts {
		t.Errorf("%d names, want %d", got, maxHosts)
	}
	if err := leaf.VerifyHostname(i.HostName()); err != nil {
		t.Errorf("our own name was cut: %v", err)
	}
}

// FuzzHosts checks that no host name, however odd, makes a certificate that
// does not serve it: that one would be renewed for ever.
func FuzzHosts(f *testing.F) {
	for _, host := range []string{"localhost", "-a", "a-", "_x.local", "1.2.3.4", "::1", "::ffff:1.2.3.4", "1.2.3", "a.", "0"} {
		f.Add(host)
	}
	dir := f.TempDir()
	opts := testOptions()
	i, err := Open(dir, opts)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { i.Close() })
	f.Fuzz(func(t *testing.T, host string) {
		probe := &Identity{now: i.now, keyHash: i.keyHash, hosts: func() []string { return []string{host} }}
		hosts := probe.wantedHosts()
		der, err := newCertificate(i.key, "x", hosts, start)
		if err != nil {
			t.Fatalf("%q: %v", hosts, err)
		}
		certificate, err := parseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), i.key)
		if err != nil {
			t.Fatalf("%q: %v", hosts, err)
		}
		if !probe.serves(certificate, hosts) {
			t.Errorf("a fresh certificate does not serve %q", hosts)
		}
	})
}

func TestLocalHosts(t *testing.T) {
	hosts := map[string]bool{}
	for _, host := range LocalHosts() {
		hosts[host] = true
	}
	for _, want := range []string{"localhost", "127.0.0.1", "::1"} {
		if !hosts[want] {
			t.Errorf("LocalHosts lacks %s", want)
		}
	}
}
