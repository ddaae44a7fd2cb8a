package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// PeerProtocol is the ALPN name (RFC 7301) that one gateway offers another.
	// Only who offers it is asked for a certificate, so browsers never are.
	PeerProtocol = "salita-peer/1"
	httpProtocol = "http/1.1"
)

// ErrWrongKey is the error of a handshake in which the other side proved a key,
// but not the pinned one.
var ErrWrongKey = errors.New("the device at this address has another key")

// ErrNotGateway is the error of a handshake with something that speaks TLS, but
// not the gateways' protocol.
var ErrNotGateway = errors.New("no gateway at this address")

// ServerTLS is the configuration for incoming connections: TLS 1.3 with the
// current certificates. A client that offers PeerProtocol gets the self-signed
// certificate, must present one itself and prove its key; whose key that is,
// PeerKey tells. All others get HTTP/1.1 and are asked for nothing; they see
// the owner's own certificate, else the one of the local authority, else the
// self-signed one.
func (i *Identity) ServerTLS() *tls.Config {
	peers := serverTLS(PeerProtocol, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return i.certificate.Load(), nil
	})
	peers.ClientAuth = tls.RequireAnyClientCert
	// A resumed session would carry the key of an earlier handshake over. Peers
	// prove theirs every time instead.
	peers.SessionTicketsDisabled = true

	others := serverTLS(httpProtocol, i.browserCertificate)
	others.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, PeerProtocol) {
			return peers, nil
		}
		return nil, nil
	}
	return others
}

func serverTLS(protocol string, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:                  tls.VersionTLS13,
		NextProtos:                  []string{protocol},
		GetCertificate:              certificate,
		DynamicRecordSizingDisabled: true,
	}
}

// browserCertificate is what a browser gets to see. The owner's own certificate
// gives way only to one that fits where it does not: people reach the gateway by
// its address in the home network, too, for which no public certificate is.
func (i *Identity) browserCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	own, signed := i.own.Load(), i.signed.Load()
	if own != nil && (signed == nil || i.fits(own.Certificate, hello) || !i.fits(signed, hello)) {
		return own.Certificate, nil
	}
	if signed != nil {
		return signed, nil
	}
	return i.certificate.Load(), nil
}

// fits reports whether the certificate is valid now for what the client called.
func (i *Identity) fits(certificate *tls.Certificate, hello *tls.ClientHelloInfo) bool {
	if !validAt(certificate.Leaf, i.now()) || hello.SupportsCertificate(certificate) != nil {
		return false
	}
	if hello.ServerName != "" {
		return true // SupportsCertificate looked at it
	}
	// A client that calls an address sends no name (RFC 6066 section 3).
	host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
	return err == nil && certificate.Leaf.VerifyHostname(host) == nil
}

// ClientTLS is the configuration for calling another gateway. It presents our
// certificate and accepts exactly the key pin, whatever names or dates the
// certificate carries: another key is ErrWrongKey, no gateway is ErrNotGateway.
// With a nil pin every gateway is accepted and the caller must judge its
// PeerKey.
func (i *Identity) ClientTLS(pin *mesh.KeyHash) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{PeerProtocol},
		// The key is the identity: VerifyConnection replaces the check of names
		// and issuers, and runs on every handshake.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return checkPin(state, pin) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return i.certificate.Load(), nil
		},
		DynamicRecordSizingDisabled: true,
	}
}

func checkPin(state tls.ConnectionState, pin *mesh.KeyHash) error {
	if len(state.PeerCertificates) == 0 {
		return ErrNotGateway
	}
	if got := mesh.KeyOf(state.PeerCertificates[0]); pin != nil && got != *pin {
		return fmt.Errorf("%w: %v instead of %v", ErrWrongKey, got, *pin)
	}
	if state.NegotiatedProtocol != PeerProtocol {
		return ErrNotGateway
	}
	return nil
}

// PeerKey is the key that the other side of a finished handshake proved to have.
// It reports false unless both sides speak PeerProtocol and a certificate was
// presented.
func PeerKey(state tls.ConnectionState) (mesh.KeyHash, bool) {
	if !state.HandshakeComplete || state.NegotiatedProtocol != PeerProtocol || len(state.PeerCertificates) == 0 {
		return mesh.KeyHash{}, false
	}
	return mesh.KeyOf(state.PeerCertificates[0]), true
}
