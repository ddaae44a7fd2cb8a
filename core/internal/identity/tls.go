package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
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
// current certificate. A client that offers PeerProtocol must present a
// certificate and prove its key; whose key that is, PeerKey tells. All others
// get HTTP/1.1 and are asked for nothing.
func (i *Identity) ServerTLS() *tls.Config {
	peers := i.serverTLS(PeerProtocol)
	peers.ClientAuth = tls.RequireAnyClientCert
	// A resumed session would carry the key of an earlier handshake over. Peers
	// prove theirs every time instead.
	peers.SessionTicketsDisabled = true

	others := i.serverTLS(httpProtocol)
	others.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, PeerProtocol) {
			return peers, nil
		}
		return nil, nil
	}
	return others
}

func (i *Identity) serverTLS(protocol string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{protocol},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return i.certificate.Load(), nil
		},
		DynamicRecordSizingDisabled: true,
	}
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
