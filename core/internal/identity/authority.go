package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// authorityLifetime is how long a phone that installed the authority trusts it:
// long enough that nobody has to install it twice on the same phone, short
// enough that a forgotten one ends.
const authorityLifetime = 5 * 365 * 24 * time.Hour

// authority is the local certificate authority. It exists only if the owner
// wanted it, and signs nothing but this device's own certificate for browsers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// EnableCA makes the local certificate authority unless there is one, and
// returns it. From then on, over restarts, browsers get a certificate signed by
// it, for the same device key; other gateways get the self-signed one as before.
//
// The authority is valid for five years. Within the last 30 days of them, and
// afterwards, EnableCA makes a new certificate for its key, which phones have to
// install once more. It never replaces an authority whose files are damaged or
// whose time has not come yet by the clock: that is an *sdk.Error which says what
// to do.
func (i *Identity) EnableCA() (CA, error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	ca, err := i.readAuthority()
	if err != nil {
		return CA{}, err
	}
	now := i.now()
	switch {
	case ca == nil || ca.certificate.NotAfter.Sub(now) < renewBefore:
		if ca, err = i.makeAuthority(now); err != nil {
			return CA{}, err
		}
		i.signed.Store(nil) // its chain ends in the earlier one
	case now.Before(ca.certificate.NotBefore):
		e := sdk.Errorf(sdk.Conflict, "This device's clock is behind: it says %s.", now.UTC().Format("2 January 2006"))
		e.Hint = "setting the clock. If it is right, move " + i.path(authorityFile) + " out of the folder; then phones have to install the new certificate once."
		return CA{}, e
	}
	i.authority.Store(ca)
	if err := i.refreshSigned(i.wantedHosts()); err != nil {
		return CA{}, err
	}
	return ca.public(), nil
}

// loadAuthority takes up what EnableCA made. A damaged authority is no reason
// not to start: browsers get the self-signed certificate.
func (i *Identity) loadAuthority() {
	i.writing.Lock()
	defer i.writing.Unlock()
	ca, err := i.readAuthority()
	if err == nil && ca != nil {
		i.authority.Store(ca)
		if data, _, found, _ := readFile(i.path(signedFile)); found {
			// If it is of no use, refreshSigned makes another.
			if signed, err := parseCertificate(data, i.key); err == nil && ca.trusted(signed.Leaf, i.now()) {
				i.signed.Store(ca.chain(signed))
			}
		}
		err = i.refreshSigned(i.wantedHosts())
	}
	if err != nil {
		i.log.Error("certificate authority unusable, browsers get the self-signed certificate", "error", err)
	}
}

// readAuthority reads the authority; it is nil without an error when there is
// none, or when making one was interrupted.
func (i *Identity) readAuthority() (*authority, error) {
	path, keyPath := i.path(authorityFile), i.path(authorityKeyFile)
	data, _, found, err := readFile(path)
	if err != nil {
		return nil, damagedAuthority("The certificate authority %s can't be read.", path).Because(err)
	}
	if !found {
		return nil, nil
	}
	key, found, err := readKey(keyPath, i.log, damagedAuthority)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, damagedAuthority("The key %s of the certificate authority %s is missing.", keyPath, path)
	}
	certificate, err := parseCertificate(data, key)
	if err == nil {
		err = checkAuthority(certificate.Leaf)
	}
	if err != nil {
		return nil, damagedAuthority("The certificate authority %s is damaged.", path).Because(err)
	}
	return &authority{certificate.Leaf, key}, nil
}

// checkAuthority keeps any certificate that may do more than ours out of use.
func checkAuthority(c *x509.Certificate) error {
	switch {
	case !c.IsCA || !c.MaxPathLenZero:
		return errors.New("not an authority for leaves only")
	case !c.PermittedDNSDomainsCritical || len(c.PermittedDNSDomains) == 0 || len(c.PermittedIPRanges) == 0:
		return errors.New("its names are not constrained")
	}
	return nil
}

// makeAuthority puts an authority on disk, its key first: a key without a
// certificate is trusted by nobody, and the next attempt uses it.
func (i *Identity) makeAuthority(now time.Time) (*authority, error) {
	keyPath := i.path(authorityKeyFile)
	key, found, err := readKey(keyPath, i.log, damagedAuthority)
	if err == nil && !found {
		key, err = createKey(keyPath)
	}
	if err != nil {
		return nil, err
	}
	template := authorityTemplate("Salita "+string(i.ID()[:8]), i.wantedHosts(), now)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	certificate, err := parseCertificate(encodeCertificate(der), key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	path := i.path(authorityFile)
	if err := replaceFile(path, encodeCertificate(der)); err != nil {
		return nil, sdk.Errorf(sdk.Internal, "The certificate authority %s can't be written.", path).Because(err)
	}
	i.log.Info("certificate authority made", "valid_until", certificate.Leaf.NotAfter)
	return &authority{certificate.Leaf, key}, nil
}

// authorityTemplate describes the authority. It carries no name of the device:
// everyone who connects sees it.
func authorityTemplate(commonName string, hosts []string, now time.Time) *x509.Certificate {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"Salita"}},
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	template.NotBefore, template.NotAfter = validity(now, authorityLifetime)
	constrain(template, hosts)
	return template
}

// refreshSigned makes the certificate for browsers anew when it no longer
// serves. While the authority itself is not valid by the clock there is none.
func (i *Identity) refreshSigned(hosts []string) error {
	ca, now := i.authority.Load(), i.now()
	if ca == nil {
		return nil
	}
	if !validAt(ca.certificate, now) {
		if i.signed.Swap(nil) != nil {
			i.log.Warn("certificate authority not valid by the clock, browsers get the self-signed certificate",
				"valid_from", ca.certificate.NotBefore, "valid_until", ca.certificate.NotAfter)
		}
		return nil
	}
	hosts = permitted(ca.certificate, hosts)
	if signed := i.signed.Load(); signed != nil && ca.serves(signed.Leaf, hosts, now) {
		return nil
	}
	der, err := ca.sign(&i.key.PublicKey, string(i.ID()), hosts, now)
	if err != nil {
		return fmt.Errorf("sign certificate for browsers: %w", err)
	}
	signed, err := i.keepCertificate(signedFile, der)
	if err != nil {
		return err
	}
	i.signed.Store(ca.chain(signed))
	i.log.Info("certificate for browsers made", "valid_until", signed.Leaf.NotAfter, "hosts", hosts)
	return nil
}

// sign makes a certificate for handshakes with the device key. It ends with the
// authority at the latest.
func (a *authority) sign(device *ecdsa.PublicKey, commonName string, hosts []string, now time.Time) ([]byte, error) {
	template := leafTemplate(commonName, hosts, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if end := a.certificate.NotAfter; template.NotAfter.After(end) {
		template.NotAfter = end
	}
	return x509.CreateCertificate(rand.Reader, template, a.certificate, device, a.key)
}

// serves reports whether the leaf is good for now and for the hosts. One that
// ends with the authority cannot be had any longer.
func (a *authority) serves(leaf *x509.Certificate, hosts []string, now time.Time) bool {
	due := leaf.NotAfter.Sub(now) < renewBefore && leaf.NotAfter.Before(a.certificate.NotAfter)
	return !due && covers(leaf, hosts) && a.trusted(leaf, now)
}

// trusted reports whether a browser that trusts the authority takes the leaf.
func (a *authority) trusted(leaf *x509.Certificate, now time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
	return err == nil
}

// chain is the certificate with the authority's behind it.
func (a *authority) chain(leaf *tls.Certificate) *tls.Certificate {
	chain := *leaf
	chain.Certificate = [][]byte{leaf.Leaf.Raw, a.certificate.Raw}
	return &chain
}

// damagedAuthority is the error for files that only the owner can put right.
func damagedAuthority(format string, args ...any) *sdk.Error {
	e := sdk.Errorf(sdk.Invalid, format, args...)
	e.Hint = "putting the files back from a backup; nothing was changed. Or move both " + authorityKeyFile + " and " + authorityFile +
		" out of the folder; then phones have to install the new certificate once."
	return e
}
