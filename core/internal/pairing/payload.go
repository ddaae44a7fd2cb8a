package pairing

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Limits on what one side says about itself.
const (
	maxAddresses    = 16
	maxCapabilities = 64
	maxPermissions  = 64
	maxWord         = 64
)

// payload is what each side seals for the other: who it is, where it is, and
// the token that the other may use with it.
type payload struct {
	DeviceID     mesh.DeviceID `json:"device_id"`
	Name         string        `json:"name"`
	Kind         mesh.Kind     `json:"kind"`
	Hostname     string        `json:"hostname"`
	Port         int           `json:"port"`
	Addresses    []string      `json:"addresses"`
	Capabilities []string      `json:"capabilities"`
	Token        string        `json:"token"`
	Permissions  mesh.Grant    `json:"permissions"`
	ExpiresAt    time.Time     `json:"expires_at"`

	// Earlier is how many pairings came before this one, at least: the joining
	// side says how many it knows of, and the showing side how many there were. See
	// turn.
	Earlier int `json:"earlier,omitzero"`
}

// newPayload describes this device. What others would refuse is left out
// rather than let it spoil the pairing.
func newPayload(self Self, token string, issued mesh.IssuedToken) payload {
	p := payload{
		DeviceID: self.ID, Name: self.Name, Kind: mesh.KindGateway,
		Hostname: self.Hostname, Port: self.Port,
		Addresses:    keep(self.Addresses, maxAddresses, checkAddress),
		Capabilities: keep(self.Capabilities, maxCapabilities, checkCapability),
		Token:        token, Permissions: issued.Permissions,
		ExpiresAt: issued.ExpiresAt.UTC(),
	}
	if checkHost(p.Hostname) != nil {
		p.Hostname = ""
	}
	return p
}

// keep returns at most limit of the values that pass the check.
func keep(values []string, limit int, check func(string) error) []string {
	kept := []string{}
	for _, v := range values {
		if len(kept) < limit && check(v) == nil {
			kept = append(kept, v)
		}
	}
	return kept
}

func checkCapability(id string) error { return checkWord("capability", id, maxWord) }

// check holds what the other side says against the key it has proved: nobody
// can claim another device's identity.
func (p *payload) check(key mesh.KeyHash) error {
	if p.DeviceID != key.DeviceID() {
		return errors.New("device id does not belong to the key")
	}
	if _, ok := mesh.HashToken([]byte(p.Token)); !ok {
		return errors.New("token is malformed")
	}
	if p.ExpiresAt.IsZero() {
		return errors.New("token has no expiry")
	}
	return errors.Join(
		checkName(p.Name), checkGateway(p.Kind), p.checkPlace(), p.checkAbilities(), checkRange("earlier", p.Earlier, maxEarlier),
	)
}

func (p *payload) checkPlace() error {
	if p.Hostname != "" {
		if err := checkHost(p.Hostname); err != nil {
			return err
		}
	}
	if len(p.Addresses) > maxAddresses {
		return fmt.Errorf("%d addresses", len(p.Addresses))
	}
	for _, a := range p.Addresses {
		if err := checkAddress(a); err != nil {
			return err
		}
	}
	if p.Port == 0 {
		return errors.New("no port")
	}
	return checkRange("port", p.Port, 65535)
}

func (p *payload) checkAbilities() error {
	if len(p.Capabilities) > maxCapabilities || len(p.Permissions) > maxPermissions {
		return fmt.Errorf("%d capabilities and %d permissions", len(p.Capabilities), len(p.Permissions))
	}
	for _, c := range p.Capabilities {
		if err := checkCapability(c); err != nil {
			return err
		}
	}
	_, err := mesh.ParseGrant(p.Permissions.Strings())
	return err
}

// device is the other device as it is stored. reached are the addresses at
// which it answered, which are worth more than those it names.
func (p *payload) device(key mesh.KeyHash, reached []string, now time.Time) mesh.Device {
	addresses := slices.Clone(reached)
	named := p.Addresses
	if len(named) == 0 && p.Hostname != "" {
		named = []string{net.JoinHostPort(p.Hostname, strconv.Itoa(p.Port))}
	}
	for _, a := range named {
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	return mesh.Device{
		ID: p.DeviceID, Name: nameOr(p.Name), Kind: p.Kind, Hostname: p.Hostname, Key: key,
		Addresses:    addresses[:min(len(addresses), maxAddresses)],
		Capabilities: p.Capabilities, PairedAt: now, LastSeen: now,
	}
}

// peerToken is what we may use with the other device.
func (p *payload) peerToken() *mesh.PeerToken {
	return &mesh.PeerToken{DeviceID: p.DeviceID, Token: p.Token, Permissions: p.Permissions, ExpiresAt: p.ExpiresAt.UTC()}
}

// nameOr makes a foreign name fit to show.
func nameOr(name string) string {
	if name = mesh.CleanName(name); name != "" {
		return name
	}
	return unnamed
}

const unnamed = "Unnamed device"

// seal encrypts the payload with AES-256-GCM under a random nonce.
func (p *payload) seal(key, aad []byte) ([]byte, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	defer clear(plain)
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	sealed := aead.Seal(nil, nil, plain, aad)
	if err := checkSealed(sealed); err != nil {
		return nil, err
	}
	return sealed, nil
}

// openPayload decrypts and checks what the device with the key has sealed.
func openPayload(sealed, sealKey, aad []byte, from mesh.KeyHash) (payload, error) {
	aead, err := newAEAD(sealKey)
	if err != nil {
		return payload{}, err
	}
	plain, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return payload{}, fmt.Errorf("open payload: %w", err)
	}
	defer clear(plain)
	var p payload
	if err := decode(plain, &p, func() error { return p.check(from) }); err != nil {
		return payload{}, fmt.Errorf("read payload: %w", err)
	}
	return p, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
