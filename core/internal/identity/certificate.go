package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	certificateBlock = "CERTIFICATE" // RFC 7468 section 5

	// certificateLifetime keeps under the 398 days that browsers allow a leaf
	// (CA/Browser Forum ballot SC-31; Apple's limit is the same).
	certificateLifetime = 397 * 24 * time.Hour
	// renewBefore is how early a certificate is renewed.
	renewBefore = 30 * 24 * time.Hour
	// backdate allows for clocks of others that are a little behind.
	backdate = time.Hour
	// glanceEvery is how often Run looks at the clock, and glancesPerCheck how
	// many times it does until it looks at everything.
	glanceEvery     = time.Minute
	glancesPerCheck = 60
)

// Run calls RefreshCertificate once an hour, and within a minute after a jump of
// the clock that leaves a certificate invalid, until the context ends. What fails
// is logged and tried again; Run itself returns nil.
func (i *Identity) Run(ctx context.Context) error {
	ticker := time.NewTicker(glanceEvery)
	defer ticker.Stop()
	for glance := 1; ; glance++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if glance%glancesPerCheck != 0 && i.inForce() {
				continue
			}
			if err := i.RefreshCertificate(); err != nil {
				i.log.Error("certificate not renewed", "error", err)
			}
		}
	}
}

// RefreshCertificate makes a new certificate for the same key if the present one
// ends within 30 days, is not valid yet by the clock, or lacks a current host
// name or address; else it does nothing. Call it when the addresses changed. A
// host that merely went away does not make a new certificate, because browsers
// ask their user about every one. With EnableCA it does the same for the
// certificate that browsers get, and with UseCertificate it reads the owner's
// files again if they changed: files that cannot be used are an error, and the
// certificate that was read before stays. New handshakes use what is new at once.
func (i *Identity) RefreshCertificate() error {
	i.writing.Lock()
	defer i.writing.Unlock()
	hosts := i.wantedHosts()
	return errors.Join(i.refreshDevice(hosts), i.refreshSigned(hosts), i.refreshOwn())
}

// inForce reports whether the certificates made here suit the clock.
func (i *Identity) inForce() bool {
	now, ca, signed := i.now(), i.authority.Load(), i.signed.Load()
	switch {
	case !validAt(i.certificate.Load().Leaf, now):
		return false
	case ca == nil || !validAt(ca.certificate, now):
		return signed == nil
	}
	return signed != nil && validAt(signed.Leaf, now)
}

func validAt(certificate *x509.Certificate, now time.Time) bool {
	return !now.Before(certificate.NotBefore) && !now.After(certificate.NotAfter)
}

// refreshDevice needs the lock writing, as all of these do.
func (i *Identity) refreshDevice(hosts []string) error {
	if certificate := i.certificate.Load(); certificate != nil && i.serves(certificate, hosts) {
		return nil
	}
	return i.issueCertificate(hosts)
}

// loadCertificate takes the certificate on disk if it still serves, and makes
// one otherwise: it holds nothing that the key does not have, so a damaged or
// foreign one is no loss.
func (i *Identity) loadCertificate() error {
	i.writing.Lock()
	defer i.writing.Unlock()
	data, _, found, err := readFile(i.path(certificateFile))
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	if found {
		certificate, err := parseCertificate(data, i.key)
		if err != nil {
			i.log.Warn("certificate unusable, making a new one for the same key", "error", err)
		} else {
			i.certificate.Store(certificate)
		}
	}
	err = i.refreshDevice(i.wantedHosts())
	if err != nil && i.certificate.Load() != nil {
		// Other gateways look at its key alone, so this is no reason not to start.
		i.log.Error("certificate not renewed", "error", err)
		return nil
	}
	return err
}

// serves reports whether the certificate is good for now and for the hosts.
func (i *Identity) serves(certificate *tls.Certificate, hosts []string) bool {
	leaf, now := certificate.Leaf, i.now()
	return !now.Before(leaf.NotBefore) && leaf.NotAfter.Sub(now) >= renewBefore && covers(leaf, hosts)
}

func covers(leaf *x509.Certificate, hosts []string) bool {
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// issueCertificate puts a new certificate on disk and into service.
func (i *Identity) issueCertificate(hosts []string) error {
	der, err := newCertificate(i.key, string(i.ID()), hosts, i.now())
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	certificate, err := i.keepCertificate(certificateFile, der)
	if err != nil {
		return err
	}
	i.certificate.Store(certificate)
	i.log.Info("certificate made", "valid_until", certificate.Leaf.NotAfter, "hosts", hosts)
	return nil
}

// keepCertificate puts a certificate for the device key on disk.
func (i *Identity) keepCertificate(file string, der []byte) (*tls.Certificate, error) {
	data := encodeCertificate(der)
	certificate, err := parseCertificate(data, i.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	if err := replaceFile(i.path(file), data); err != nil {
		return nil, fmt.Errorf("write certificate: %w", err)
	}
	return certificate, nil
}

func newCertificate(key *ecdsa.PrivateKey, commonName string, hosts []string, now time.Time) ([]byte, error) {
	template := leafTemplate(commonName, hosts, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// leafTemplate is a certificate for handshakes of this device, from now on, for
// as long as browsers allow.
func leafTemplate(commonName string, hosts []string, now time.Time) *x509.Certificate {
	template := &x509.Certificate{
		// With SerialNumber nil CreateCertificate draws a random one.
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"Salita"}},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	template.NotBefore, template.NotAfter = validity(now, certificateLifetime)
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

// validity is the time that a certificate made now is valid. Both ends count to
// it (RFC 5280 section 4.1.2.5), in whole seconds.
func validity(now time.Time, lifetime time.Duration) (from, until time.Time) {
	from = now.Add(-backdate).UTC().Truncate(time.Second)
	return from, from.Add(lifetime - time.Second)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
}

// parseCertificate reads a certificate that must belong to the key.
func parseCertificate(data []byte, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != certificateBlock {
		return nil, fmt.Errorf("no %q block", certificateBlock)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("it belongs to another key")
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
