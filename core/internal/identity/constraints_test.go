package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The hosts that an authority of a device called nas or study.example.org may and may
// not sign for. Both are shown to Go's verifier and to OpenSSL's.
var (
	insideHosts = []string{
		"localhost", "a.localhost", "study.local", "a.b.local", "study.example.org", "a.study.example.org", "nas",
		"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
		"169.254.1.1", "127.0.0.1", "127.255.0.1", "100.64.0.1", "100.127.255.255",
		"::1", "fc00::1", "fdff::1", "fe80::1", "febf::1",
	}
	outsideHosts = []string{
		"example.com", "www.example.com", "example.org", "other.example.org", "org", "xlocal", "local.example.com",
		"localhost.example.com", "xlocalhost", "study.example.org.example.com", "mystudy.example.org", "mynas", "study",
		"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.0.1", "192.169.0.1", "169.253.0.1",
		"126.0.0.1", "128.0.0.1", "100.63.255.255", "100.128.0.0", "8.8.8.8", "192.0.2.7", "0.0.0.0",
		"::", "::2", "2001:db8::1", "fbff::1", "fe00::1", "fec0::1", "ff02::1",
	}
)

func studyAuthority(t *testing.T) (*Identity, CA) {
	t.Helper()
	return withAuthority(t, t.TempDir(), hostsOf("nas", "study.example.org", "192.168.1.2"))
}

// signWith makes a certificate and checks nothing about it.
func signWith(t *testing.T, template, parent *x509.Certificate, public, signer crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// stolen signs a leaf for a host as a thief of the authority's key would.
func stolen(t *testing.T, i *Identity, hosts ...string) *x509.Certificate {
	t.Helper()
	der, err := i.authority.Load().sign(&p256(t).PublicKey, "x", hosts, start)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, der)
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestAStolenAuthorityIsWorthNothingOutside(t *testing.T) {
	i, ca := studyAuthority(t)
	verify := func(leaf *x509.Certificate, host string) error {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: poolOf(t, ca), DNSName: host, CurrentTime: start})
		return err
	}
	for _, host := range insideHosts {
		if err := verify(stolen(t, i, host), host); err != nil {
			t.Errorf("%s: %v, want trust", host, err)
		}
	}
	outside := func(what string, err error) {
		t.Helper()
		var invalid x509.CertificateInvalidError
		if !errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName {
			t.Errorf("%s: %v, want it to be refused for its name", what, err)
		}
	}
	for _, host := range outsideHosts {
		outside(host, verify(stolen(t, i, host), host))
	}
	outside("beside a host inside", verify(stolen(t, i, "localhost", "example.com"), "localhost"))
	outside("wildcard", verify(stolen(t, i, "*.com"), "example.com"))
}

func TestAStolenAuthorityIsWorthNothingForOtherUses(t *testing.T) {
	i, ca := studyAuthority(t)
	authority := i.authority.Load()
	anyUse := x509.VerifyOptions{
		Roots: poolOf(t, ca), CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	leaf := func(change func(*x509.Certificate)) *x509.Certificate {
		template := leafTemplate("x", nil, start)
		change(template)
		return parsed(t, signWith(t, template, authority.certificate, p256(t), authority.key))
	}
	mail := leaf(func(c *x509.Certificate) { c.EmailAddresses = []string{"owner@example.com"} })
	if _, err := mail.Verify(anyUse); err == nil {
		t.Error("mail can be signed")
	}
	for _, usage := range []x509.ExtKeyUsage{
		x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageTimeStamping,
	} {
		options := anyUse
		options.KeyUsages = []x509.ExtKeyUsage{usage}
		c := leaf(func(c *x509.Certificate) { c.ExtKeyUsage, c.DNSNames = options.KeyUsages, []string{"localhost"} })
		if _, err := c.Verify(options); err == nil {
			t.Errorf("usage %v is trusted", usage)
		}
	}

	key := p256(t)
	below := authorityTemplate("below", nil, start)
	middle := parsed(t, signWith(t, below, authority.certificate, key, authority.key))
	end := parsed(t, signWith(t, leafTemplate("x", []string{"localhost"}, start), middle, p256(t), key))
	options := anyUse
	options.Intermediates = x509.NewCertPool()
	options.Intermediates.AddCert(middle)
	if _, err := end.Verify(options); err == nil {
		t.Error("an authority below this one is trusted")
	}
}

func TestWhichNamesTheAuthorityIsFor(t *testing.T) {
	tests := map[string]struct {
		hosts, want []string
	}{
		"none":                     {nil, nil},
		"its own":                  {[]string{"nas", "nas.lan", "nas.example.org"}, []string{"nas", "nas.lan", "nas.example.org"}},
		"covered already":          {[]string{"localhost", "nas.local", "nas", "nas", "x.nas"}, []string{"nas"}},
		"addresses":                {[]string{"192.168.1.2", "::1", "8.8.8.8"}, nil},
		"top-level domains":        {[]string{"com", "photos", "dev", "study", "arpa"}, nil},
		"domains under which all":  {[]string{"co.uk", "github.io", "ts.net"}, nil},
		"a name under one of them": {[]string{"me.github.io", "study.tail1234.ts.net"}, []string{"me.github.io", "study.tail1234.ts.net"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var authority x509.Certificate
			constrain(&authority, tt.hosts)
			want := append([]string{"local", "localhost"}, tt.want...)
			if diff := cmp.Diff(want, authority.PermittedDNSDomains); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPermittedAgreesWithTheVerifier: a host that we take for permitted and a
// browser does not would spoil the whole certificate.
func TestPermittedAgreesWithTheVerifier(t *testing.T) {
	i, _ := studyAuthority(t)
	all := slices.Concat(insideHosts, outsideHosts)
	if diff := cmp.Diff(insideHosts, permitted(i.authority.Load().certificate, all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzAuthority checks that no host name, however odd, makes an authority that
// is not taken, or a certificate that would be renewed for ever.
func FuzzAuthority(f *testing.F) {
	for _, host := range []string{"localhost", "-a", "a-", "_x.local", "1.2.3.4", "::1", "1.2.3", "a.", "0", "com", "x.com", "xn--", "*.local"} {
		f.Add(host)
	}
	i, err := Open(f.TempDir(), testOptions())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { i.Close() })
	f.Fuzz(func(t *testing.T, host string) {
		probe := &Identity{now: i.now, keyHash: i.keyHash, hosts: func() []string { return []string{host} }}
		hosts := probe.wantedHosts()
		template := authorityTemplate("x", hosts, start)
		ca := &authority{key: i.key}
		ca.certificate = parsed(t, signWith(t, template, template, i.key, i.key))
		if err := checkAuthority(ca.certificate); err != nil {
			t.Fatalf("%q: %v", hosts, err)
		}
		hosts = permitted(ca.certificate, hosts)
		der, err := ca.sign(&i.key.PublicKey, "x", hosts, start)
		if err != nil {
			t.Fatalf("%q: %v", hosts, err)
		}
		if !ca.serves(parsed(t, der), hosts, start) {
			t.Errorf("a fresh certificate does not serve %q", hosts)
		}
	})
}
