package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

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
