package identity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
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

	"github.com/salita-mesh/salita/sdk"
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

func TestOwnFilesThatCannotBeUsed(t *testing.T) {
	public := newIssuer(t)
	key := p256(t)
	good, goodKey := public.chain(t, key, start, "home.example.org"), pemOf(t, keyBlock, key)
	issuerPEM := string(encodeCertificate(public.certificate.Raw))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const file, keyName = "fullchain.pem", "key.pem"
	tests := map[string]struct {
		chain, key string
		says       string
		names      []string
	}{
		"no certificate":        {"", goodKey, "holds no usable certificate", []string{file}},
		"noise":                 {"\x00\xff", goodKey, "holds no usable certificate", []string{file}},
		"cut":                   {good[:200], goodKey, "holds no usable certificate", []string{file}},
		"not DER":               {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", goodKey, "holds no usable certificate", []string{file}},
		"a broken issuer":       {good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", goodKey, "holds no usable certificate", []string{file}},
		"the key twice":         {goodKey, goodKey, "holds no usable certificate", []string{file}},
		"too large":             {strings.Repeat("\n", maxFile) + good, goodKey, "can't be read", []string{file}},
		"no key":                {good, "", "holds no usable key", []string{keyName}},
		"the certificate twice": {good, good, "holds no usable key", []string{keyName}},
		"key noise":             {good, "\x00", "holds no usable key", []string{keyName}},
		"key cut":               {good, goodKey[:100], "holds no usable key", []string{keyName}},
		"key not DER":           {good, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no usable key", []string{keyName}},
		"key of another tool":   {good, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "holds no usable key", []string{keyName}},
		"password":              {good, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "protected by a password", []string{keyName}},
		"password, older form": {
			good, "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
			"protected by a password",
			[]string{keyName},
		},
		"another key": {good, pemOf(t, keyBlock, p256(t)), "don't belong together", []string{file, keyName}},
		"wrong order": {issuerPEM + strings.TrimSuffix(good, issuerPEM), goodKey, "in the wrong order", []string{file}},
		"expired":     {public.chain(t, key, start.Add(-100*day), "home.example.org"), goodKey, "expired on 24 October 2026", []string{file}},
		"Ed25519":     {public.chain(t, edKey, start, "home.example.org"), pemOf(t, keyBlock, edKey), "Browsers can't use", []string{file}},
		"P-224":       {public.chain(t, p224, start, "home.example.org"), pemOf(t, keyBlock, p224), "Browsers can't use", []string{file}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := public.files(t)
			write(t, f.File, tt.chain)
			write(t, f.Key, tt.key)
			dir := t.TempDir()
			opts := testOptions()
			f.option(&opts)
			_, err := Open(dir, opts)
			refused(t, err, tt.says, filepath.Dir(f.File), tt.names...)
			// It released the folder.
			open(t, dir)
		})
	}
}

// refused checks that err is a sentence for people that names the files.
func refused(t *testing.T, err error, says, dir string, names ...string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Invalid || e.Hint == "" {
		t.Fatalf("%v, want an invalid *sdk.Error with a hint", err)
	}
	if !strings.Contains(e.Friendly(), says) {
		t.Errorf("%q does not say %q", e.Friendly(), says)
	}
	for _, name := range names {
		if !strings.Contains(e.Friendly(), filepath.Join(dir, name)) {
			t.Errorf("%q does not name %s", e.Friendly(), name)
		}
	}
}

func TestOwnFilesThatCannotBeOpened(t *testing.T) {
	public := newIssuer(t)
	for name, prepare := range map[string]func(path string) error{
		"missing":  os.Remove,
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		for _, which := range []string{"fullchain.pem", "key.pem"} {
			t.Run(name+" "+which, func(t *testing.T) {
				f := public.files(t)
				dir := filepath.Dir(f.File)
				if err := prepare(filepath.Join(dir, which)); err != nil {
					t.Fatal(err)
				}
				says := map[string]string{"missing": "doesn't exist", "a folder": "can't be read"}[name]
				refused(t, open(t, t.TempDir()).UseCertificate(f.CertificateFiles), says, dir, which)
			})
		}
	}
}

// TestNoErrorQuotesTheOwnersKey cuts the key file everywhere.
func TestNoErrorQuotesTheOwnersKey(t *testing.T) {
	good := pemOf(t, keyBlock, p256(t))
	for cut := range len(good) {
		if _, err := parseSigner([]byte(good[:cut] + "?" + good[cut:])); err != nil && len(err.Error()) > 60 {
			t.Fatalf("error of %d bytes, may quote the key: %v", len(err.Error()), err)
		}
	}
}

func TestACertificateOfTomorrowIsUsed(t *testing.T) {
	public := newIssuer(t)
	f, key := public.files(t), p256(t)
	f.put(t, public.chain(t, key, start.Add(day), "home.example.org"), pemOf(t, keyBlock, key))
	var log bytes.Buffer
	i := open(t, t.TempDir(), f.option, logTo(&log))
	if i.own.Load() == nil || !strings.Contains(log.String(), "not valid yet") {
		t.Errorf("in use %v, log: %s", i.own.Load() != nil, &log)
	}
}

func TestAKeyThatOthersCanReadIsSaidAndLeftAlone(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o644: true, 0o606: true} {
		f := newIssuer(t).files(t)
		if err := os.Chmod(f.Key, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		open(t, t.TempDir(), f.option, logTo(&log))
		if got := strings.Contains(log.String(), "others on this computer can read the certificate's key"); got != warned {
			t.Errorf("mode %v: warned %v, want %v", mode, got, warned)
		}
		if warned && !strings.Contains(log.String(), f.Key) {
			t.Errorf("mode %v: the log does not name %s", mode, f.Key)
		}
		if got := modeOf(t, f.Key); got != mode {
			t.Errorf("mode %v became %v; the file is not ours", mode, got)
		}
	}
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
	f.put(t, public.chain(t, key, start, "other.example.org"), keyPEM)
	third := f.leaf
	used("a good one", third)

	// Put back from a backup.
	older := public.chain(t, key, start, "third.example.org")
	replace(t, f.File, older, start.Add(-year))
	used("older by its date", leafIn(t, older))

	same := public.chain(t, key, start, "third.example.org")
	for len(same) != len(older) { // signatures differ in length
		same = public.chain(t, key, start, "third.example.org")
	}
	replace(t, f.File, same, start.Add(-year))
	used("another one of the same date and size", leafIn(t, same))
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

func FuzzParseSigner(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\nBgg=\n-----END EC PARAMETERS-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: x\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if signer, err := parseSigner(data); err == nil && signer.Public() == nil {
			t.Error("a key without a public half was accepted")
		}
	})
}

func FuzzParseChain(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		if chain, err := parseChain(data); err == nil && len(chain) == 0 {
			t.Error("an empty chain was accepted")
		}
	})
}
