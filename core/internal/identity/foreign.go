package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
)

// errPassword is the error for a key that only a password opens.
var errPassword = errors.New("the key is encrypted")

// readOwn reads the owner's files and checks that browsers can use them now.
func readOwn(files CertificateFiles, now time.Time, log hclog.Logger) (*ownCertificate, error) {
	data, file, err := readForeign("certificate", files.File)
	if err != nil {
		return nil, err
	}
	keyData, key, err := readForeign("key", files.Key)
	if err != nil {
		return nil, err
	}
	chain, err := parseChain(data)
	if err != nil {
		return nil, wrongFile("The file %s holds no usable certificate.", files.File).Because(err)
	}
	signer, err := parseSigner(keyData)
	if err != nil {
		return nil, blameKey(files.Key, err)
	}
	if err := checkPair(chain, signer, files); err != nil {
		return nil, err
	}
	if err := checkUse(chain[0], files.File, now, log); err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && key.Mode().Perm()&^privateMode != 0 {
		log.Warn("others on this computer can read the certificate's key", "path", files.Key, "mode", key.Mode().Perm().String())
	}
	certificate := &tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return &ownCertificate{certificate, files, file, key}, nil
}

func readForeign(what, path string) ([]byte, fs.FileInfo, error) {
	data, info, found, err := readFile(path)
	switch {
	case err != nil:
		return nil, nil, wrongFile("The %s %s can't be read.", what, path).Because(err)
	case !found:
		return nil, nil, wrongFile("The %s %s doesn't exist.", what, path)
	}
	return data, info, nil
}

// wrongFile is the error for files that are not what they should be.
func wrongFile(format string, args ...any) *sdk.Error {
	e := sdk.Errorf(sdk.Invalid, format, args...)
	e.Hint = "correcting the certificate block in config.hcl, or taking it out."
	return e
}

// parseChain reads all certificates in the file, at least one.
func parseChain(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certificateBlock {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("no %q block", certificateBlock)
	}
	return chain, nil
}

// parseSigner reads the first key in the file, in any of the forms that tools
// write: PKCS #8, PKCS #1 and SEC 1. No error of it quotes the file.
func parseSigner(data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	for block != nil && !strings.HasSuffix(block.Type, keyBlock) {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("no %q block", keyBlock)
	}
	if block.Type == "ENCRYPTED "+keyBlock || block.Headers["DEK-Info"] != "" {
		return nil, errPassword
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(block.Bytes)
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
	}
	return nil, errors.New("not a key in a known form")
}

func blameKey(path string, cause error) *sdk.Error {
	if !errors.Is(cause, errPassword) {
		return wrongFile("The file %s holds no usable key.", path).Because(cause)
	}
	e := sdk.Errorf(sdk.Invalid, "The key %s is protected by a password.", path)
	e.Hint = "a copy without one: openssl pkey -in " + path + " -out NEWFILE"
	return e.Because(cause)
}

// checkPair finds a key that does not belong to the first certificate.
func checkPair(chain []*x509.Certificate, signer crypto.Signer, files CertificateFiles) error {
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	owns := func(c *x509.Certificate) bool { return ok && public.Equal(c.PublicKey) }
	switch {
	case owns(chain[0]):
		return nil
	case slices.ContainsFunc(chain, owns):
		e := sdk.Errorf(sdk.Invalid, "The certificates in %s are in the wrong order.", files.File)
		e.Hint = "putting the one that belongs to the key first, its issuers after it."
		return e
	}
	return wrongFile("The certificate %s and the key %s don't belong together.", files.File, files.Key)
}

// checkUse finds what would make browsers refuse the certificate at once.
func checkUse(leaf *x509.Certificate, path string, now time.Time, log hclog.Logger) error {
	if now.After(leaf.NotAfter) {
		e := sdk.Errorf(sdk.Invalid, "The certificate %s expired on %s.", path, leaf.NotAfter.UTC().Format("2 January 2006"))
		e.Hint = "renewing it, or taking the certificate block out of config.hcl until then."
		return e
	}
	if now.Before(leaf.NotBefore) {
		log.Warn("own certificate not valid yet, or the clock is behind", "path", path, "valid_from", leaf.NotBefore)
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P224() {
			return nil
		}
	}
	e := sdk.Errorf(sdk.Invalid, "Browsers can't use the certificate %s.", path)
	e.Hint = "one with an ECDSA P-256 or an RSA key."
	return e.Because(fmt.Errorf("key of type %v", leaf.PublicKeyAlgorithm))
}
