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
	"slices"
	"strings"
	"time"
)

const (
	// certificateLifetime keeps under the 398 days that browsers allow a leaf
	// (CA/Browser Forum ballot SC-31; Apple's limit is the same).
	certificateLifetime = 397 * 24 * time.Hour
	// renewBefore is how early a certificate is renewed.
	renewBefore = 30 * 24 * time.Hour
	// backdate allows for clocks of others that are a little behind.
	backdate = time.Hour
	// checkEvery is how often Run looks whether a renewal is due.
	checkEvery = time.Hour
	// maxHosts bounds the certificate; a handshake carries it.
	maxHosts = 64
)

// Run renews the certificate when it is due, looking once an hour, until the
// context ends. A renewal that fails is logged and tried again; Run itself
// returns nil.
func (i *Identity) Run(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
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
// ask their user about every one. New handshakes use it at once.
func (i *Identity) RefreshCertificate() error {
	i.writing.Lock()
	defer i.writing.Unlock()
	hosts := i.wantedHosts()
	if i.serves(i.certificate.Load(), hosts) {
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
	hosts := i.wantedHosts()
	if found {
		certificate, err := parseCertificate(data, i.key)
		if err == nil && i.serves(certificate, hosts) {
			i.certificate.Store(certificate)
			return nil
		}
		if err != nil {
			i.log.Warn("certificate unusable, making a new one for the same key", "error", err)
		}
	}
	return i.issueCertificate(hosts)
}

// serves reports whether the certificate is good for now and for the hosts.
func (i *Identity) serves(certificate *tls.Certificate, hosts []string) bool {
	leaf, now := certificate.Leaf, i.now()
	if now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < renewBefore {
		return false
	}
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// issueCertificate puts a new certificate on disk and into service. It needs
// the lock writing.
func (i *Identity) issueCertificate(hosts []string) error {
	der, err := newCertificate(i.key, string(i.ID()), hosts, i.now())
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certificate, err := parseCertificate(data, i.key)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	if err := replaceFile(i.path(certificateFile), data); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	i.certificate.Store(certificate)
	i.log.Info("certificate made", "valid_until", certificate.Leaf.NotAfter, "hosts", hosts)
	return nil
}

func newCertificate(key *ecdsa.PrivateKey, commonName string, hosts []string, now time.Time) ([]byte, error) {
	notBefore := now.Add(-backdate).UTC().Truncate(time.Second)
	template := &x509.Certificate{
		// With SerialNumber nil CreateCertificate draws a random one.
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"Salita"}},
		NotBefore:             notBefore,
		NotAfter:              notBefore.Add(certificateLifetime - time.Second), // both ends count, RFC 5280 4.1.2.5
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// parseCertificate reads a certificate that must belong to the key.
func parseCertificate(data []byte, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New(`no "CERTIFICATE" block`)
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

// HostName is the name under which this device may announce itself on the local
// network; its certificate is always valid for it. It depends on the key alone,
// so renaming the device does not change the certificate.
func (i *Identity) HostName() string { return "salita-" + string(i.ID()[:8]) + ".local" }

// wantedHosts are the hosts for the certificate: ours and the given ones that
// can stand in one, in a settled order, each once.
func (i *Identity) wantedHosts() []string {
	hosts := []string{i.HostName()}
	for _, host := range i.hosts() {
		if ip := net.ParseIP(host); ip != nil {
			host = ip.String()
		} else if host = strings.ToLower(strings.TrimSuffix(host, ".")); !isHostName(host) {
			continue
		}
		hosts = append(hosts, host)
	}
	slices.Sort(hosts[1:])
	hosts = slices.Compact(hosts)
	if len(hosts) > maxHosts {
		hosts = hosts[:maxHosts]
	}
	return hosts
}

// isHostName reports whether the name is a plain DNS name (RFC 1123 letters,
// plus the underscore that some computers have).
func isHostName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
