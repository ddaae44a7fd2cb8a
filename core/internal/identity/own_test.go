package identity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// issuer is a public authority.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key := p256(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Public Authority"}, NotBefore: start.AddDate(-5, 0, 0), NotAfter: start.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return issuer{parsed(t, signWith(t, template, template, key, key)), key}
}

// ownFiles are files with an own certificate, and what is in them.
type ownFiles struct {
	CertificateFiles
	leaf *x509.Certificate
}

// files puts a chain and its key into a folder of their own.
func (s issuer) files(t *testing.T, hosts ...string) ownFiles {
	t.Helper()
	dir := t.TempDir()
	f := ownFiles{CertificateFiles: CertificateFiles{File: filepath.Join(dir, "fullchain.pem"), Key: filepath.Join(dir, "key.pem")}}
	key := p256(t)
	f.put(t, s.chain(t, key, start, hosts...), pemOf(t, keyBlock, key))
	return f
}

// chain is a certificate for 90 days and its issuer's.
func (s issuer) chain(t *testing.T, key crypto.Signer, from time.Time, hosts ...string) string {
	t.Helper()
	template := leafTemplate("own", hosts, from)
	template.NotAfter = from.Add(90 * day)
	leaf := signWith(t, template, s.certificate, key, s.key)
	return string(encodeCertificate(leaf)) + string(encodeCertificate(s.certificate.Raw))
}

func (f *ownFiles) put(t *testing.T, chain, key string) {
	t.Helper()
	write(t, f.File, chain)
	write(t, f.Key, key)
	f.leaf = leafIn(t, chain)
}

func (f *ownFiles) option(o *Options) { o.Certificate = f.CertificateFiles }

func TestAnOwnCertificate(t *testing.T) {
	public := newIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	parameters := block("EC PARAMETERS", []byte{6, 5, 0x2b, 0x81, 4, 0, 0x22})
	tests := map[string]struct {
		key  crypto.Signer
		file string
	}{
		"P-384, PKCS #8":            {p384, pemOf(t, "PRIVATE KEY", p384)},
		"P-384, SEC 1":              {p384, block("EC PRIVATE KEY", sec1)},
		"P-384, as openssl ecparam": {p384, parameters + block("EC PRIVATE KEY", sec1)},
		"RSA, PKCS #8":              {rsaKey, pemOf(t, "PRIVATE KEY", rsaKey)},
		"RSA, PKCS #1":              {rsaKey, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		"with words around":         {rsaKey, "My key\n" + pemOf(t, "PRIVATE KEY", rsaKey) + "\nEnd\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := public.files(t)
			f.put(t, "subject=own\n"+public.chain(t, tt.key, start, "home.example.org"), tt.file)
			i := open(t, t.TempDir(), f.option)
			client := browser("http/1.1")
			client.InsecureSkipVerify = false
			client.RootCAs, client.ServerName = x509.NewCertPool(), "home.example.org"
			client.Time = func() time.Time { return start }
			client.RootCAs.AddCert(public.certificate)
			_, c, serverErr, clientErr := handshake(t, i.ServerTLS(), client)
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatal(err)
			}
			if got := len(c.PeerCertificates); got != 2 {
				t.Errorf("%d certificates in the chain, want both of the file", got)
			}
		})
	}
	t.Run("all in one file", func(t *testing.T) {
		f := public.files(t)
		both := pemOf(t, "PRIVATE KEY", rsaKey) + public.chain(t, rsaKey, start, "home.example.org")
		write(t, f.File, both)
		f.Key = f.File
		open(t, t.TempDir(), f.option)
	})
}

// TestOwnFilesAreReadAgain changes the files under a running gateway in all the
// ways in which tools renew them.
func TestOwnFilesAreReadAgain(t *testing.T) {
	public := newIssuer(t)
	f := public.files(t)
	i := open(t, t.TempDir(), f.option)
	used := func(step string, want *x509.Certificate, wrong ...string) {
		t.Helper()
		err := i.RefreshCertificate()
		if len(wrong) == 0 && err != nil {
			t.Errorf("%s: %v", step, err)
		}
		if len(wrong) > 0 {
			refused(t, err, wrong[0], filepath.Dir(f.File))
		}
		_, c, serverErr, clientErr := handshake(t, i.ServerTLS(), browser("http/1.1"))
		if err := errors.Join(serverErr, clientErr); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if !c.PeerCertificates[0].Equal(want) {
			t.Errorf("%s: not the certificate that should be in use", step)
		}
	}
	first := f.leaf
	used("unchanged", first)

	key := p256(t)
	chain, keyPEM := public.chain(t, key, start, "home.example.org"), pemOf(t, keyBlock, key)
	write(t, f.File, chain)
	used("the certificate is new, its key is not yet", first, "don't belong together")
	used("and still", first, "don't belong together")
	write(t, f.Key, keyPEM)
	f.put(t, chain, keyPEM)
	second := f.leaf
	used("both new", second)

	write(t, f.File, chain[:100])
	used("cut", second, "holds no usable certificate")
	if err := os.Remove(f.Key); err != nil {
		t.Fatal(err)
	}
	write(t, f.File, chain)
	used("the key is gone", second, "doesn't exist")
	write(t, f.Key, keyPEM)
	used("back", second)

	f.put(t, public.chain(t, key, start.Add(-100*day)), keyPEM)
	used("one that has expired", second, "expired on")
	good := public.chain(t, key, start, "other.example.org")
	f.put(t, good, keyPEM)
	used("a good one", f.leaf)

	// The same file with older content of the same size, put back from a backup.
	older := public.sized(t, key, len(good), "other.example.org")
	write(t, f.File, older)
	if err := os.Chtimes(f.File, start.Add(-year), start.Add(-year)); err != nil {
		t.Fatal(err)
	}
	used("older by its date", leafIn(t, older))

	another := public.sized(t, key, len(older), "other.example.org")
	replace(t, f.File, another, start.Add(-year))
	used("another file of the same date and size", leafIn(t, another))

	longer := public.chain(t, key, start, "other.example.org", "longer.example.org")
	write(t, f.File, longer)
	if err := os.Chtimes(f.File, start.Add(-year), start.Add(-year)); err != nil {
		t.Fatal(err)
	}
	used("another size", leafIn(t, longer))
}

// sized makes a chain of that length; signatures differ in theirs.
func (s issuer) sized(t *testing.T, key crypto.Signer, length int, hosts ...string) string {
	t.Helper()
	for {
		if chain := s.chain(t, key, start, hosts...); len(chain) == length {
			return chain
		}
	}
}

func leafIn(t *testing.T, chain string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(chain))
	if block == nil {
		t.Fatalf("no PEM in %q", chain)
	}
	return parsed(t, block.Bytes)
}

// replace puts another file in the place of path, as renaming does.
func replace(t *testing.T, path, content string, date time.Time) {
	t.Helper()
	write(t, path+".new", content)
	if err := errors.Join(os.Chtimes(path+".new", date, date), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// TestALinkThatPointsElsewhere is how ACME clients publish a new certificate.
func TestALinkThatPointsElsewhere(t *testing.T) {
	public := newIssuer(t)
	one, two := public.files(t), public.files(t)
	live := t.TempDir()
	link := func(f ownFiles) {
		t.Helper()
		for name, target := range map[string]string{"c.pem": f.File, "k.pem": f.Key} {
			path := filepath.Join(live, name)
			if err := errors.Join(os.RemoveAll(path), os.Symlink(target, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	link(one)
	i := open(t, t.TempDir(), func(o *Options) {
		o.Certificate = CertificateFiles{File: filepath.Join(live, "c.pem"), Key: filepath.Join(live, "k.pem")}
	})
	link(two)
	if err := i.RefreshCertificate(); err != nil || !i.own.Load().Leaf.Equal(two.leaf) {
		t.Errorf("not read again, %v", err)
	}
}

// TestRunReadsOwnFilesOnceAnHour also shows that the log says why a file was not
// taken, and never what is in a key.
func TestRunReadsOwnFilesOnceAnHour(t *testing.T) {
	public := newIssuer(t)
	f, key := public.files(t), p256(t)
	dir := t.TempDir()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions()
		f.option(&opts)
		logTo(&log)(&opts)
		i, err := Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx) }()

		first := f.leaf
		write(t, f.File, "nonsense")
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if !i.own.Load().Leaf.Equal(first) {
			t.Error("the certificate that worked is not in use any longer")
		}
		keyPEM := pemOf(t, keyBlock, key)
		f.put(t, public.chain(t, key, start, "home.example.org"), keyPEM)
		time.Sleep(time.Hour)
		synctest.Wait()
		if !i.own.Load().Leaf.Equal(f.leaf) {
			t.Error("the new certificate is not in use after an hour")
		}
		cancel()
		<-done
		for _, line := range strings.Split(keyPEM, "\n")[1:3] {
			if strings.Contains(log.String(), line) {
				t.Error("the log quotes the key")
			}
		}
	})
	for _, want := range []string{"the earlier one stays", "holds no usable certificate", f.File, "own certificate read again"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
}

func TestAnExpiredOwnCertificateIsLogged(t *testing.T) {
	clock := newWallClock(start)
	f := newIssuer(t).files(t)
	var log bytes.Buffer
	i := open(t, t.TempDir(), f.option, clock.option, logTo(&log))
	clock.set(start.Add(91 * day))
	if err := i.RefreshCertificate(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "own certificate has expired") {
		t.Errorf("the log does not say so: %s", &log)
	}
}

func TestAnOwnCertificateThatFailsChangesNothing(t *testing.T) {
	public := newIssuer(t)
	good, bad := public.files(t), public.files(t)
	write(t, bad.Key, "nonsense")
	i := open(t, t.TempDir(), good.option)
	if err := i.UseCertificate(bad.CertificateFiles); err == nil {
		t.Error("nonsense was taken")
	}
	if diff := cmp.Diff(good.CertificateFiles, i.own.Load().files); diff != "" {
		t.Errorf("the files in use (-want +got):\n%s", diff)
	}
}
