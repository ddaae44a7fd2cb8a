package pairing

import (
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// maxKind bounds the kind that a stranger names, in bytes.
const maxKind = 32

// ClaimRequest asks for the window of a link, for a browser or script. Its codes
// come from the link's fragment.
type ClaimRequest struct {
	Code        string    `json:"code"`
	LinkingCode string    `json:"linking_code"`
	Name        string    `json:"name"`
	Kind        mesh.Kind `json:"kind"` // script, or anything but gateway for a browser
}

// ClaimReply accepts it; the number is shown on the gateway now.
type ClaimReply struct {
	Gateway Gateway `json:"gateway"`
}

// VerifyRequest is one attempt at the number.
type VerifyRequest struct {
	Code         string       `json:"code"`
	PIN          string       `json:"pin"` // six digits, which spaces may part
	LinkingCode  string       `json:"linking_code"`
	NodeIdentity NodeIdentity `json:"node_identity"`

	// Description is what the browser calls itself; the edge sets it.
	Description string `json:"-"`
}

// NodeIdentity is what a browser or script says of itself. Its id, port and
// capabilities are heard and not kept: its id is ours to give, and nobody calls
// it.
type NodeIdentity struct {
	NodeID       string    `json:"node_id"`
	Name         string    `json:"name"`
	Hostname     string    `json:"hostname"`
	Port         int       `json:"port"`
	Capabilities []string  `json:"capabilities"`
	Kind         mesh.Kind `json:"kind"`
}

// VerifyReply is what a device without a key gets for the right number.
type VerifyReply struct {
	OK           bool     `json:"ok"`
	SessionToken string   `json:"session_token"` // for a browser's cookie
	PeerNode     PeerNode `json:"peer_node"`

	Device         mesh.Device `json:"-"` // as it is stored
	SessionExpires time.Time   `json:"-"`
}

// PeerNode is the gateway that was joined, and the token for a script to use
// with it.
type PeerNode struct {
	NodeID       mesh.DeviceID `json:"node_id"`
	Name         string        `json:"name"`
	Hostname     string        `json:"hostname"`
	Port         int           `json:"port"`
	Capabilities []string      `json:"capabilities"`
	AccessToken  string        `json:"access_token"`
	Permissions  mesh.Grant    `json:"permissions"`
	ExpiresAt    time.Time     `json:"expires_at"` // of the token
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *ClaimRequest) UnmarshalJSON(data []byte) error {
	type plain ClaimRequest
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *VerifyRequest) UnmarshalJSON(data []byte) error {
	type plain VerifyRequest
	return decode(data, (*plain)(m), m.check)
}

func (m *ClaimRequest) check() error {
	return errors.Join(
		checkForeignCode("code", m.Code), checkForeignCode("linking_code", m.LinkingCode),
		checkLength("name", m.Name, MaxMessage), checkKeyless(m.Kind),
	)
}

func (m *VerifyRequest) check() error {
	id := m.NodeIdentity
	return errors.Join(
		checkForeignCode("code", m.Code), checkForeignCode("linking_code", m.LinkingCode),
		checkLength("pin", m.PIN, maxWord), checkLength("node_id", id.NodeID, MaxMessage),
		checkLength("name", id.Name, MaxMessage), checkLength("hostname", id.Hostname, MaxMessage),
		checkRange("port", id.Port, 65535), checkKeyless(id.Kind),
	)
}

// read checks the request and returns its number.
func (m *VerifyRequest) read() (pin string, err error) {
	if err := m.check(); err != nil {
		return "", (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	if pin, err = parsePIN(m.PIN); err != nil {
		return "", sdk.Errorf(sdk.Invalid, "Enter the six digits that the other device shows.").Because(err)
	}
	return pin, nil
}

// checkForeignCode takes codes of any form: one that could never be a code is
// answered like any other that is unknown.
func checkForeignCode(field, code string) error {
	if code == "" {
		return fmt.Errorf("%s is missing", field)
	}
	return checkLength(field, code, MaxMessage)
}

func checkLength(field, value string, most int) error {
	if len(value) > most {
		return fmt.Errorf("%s of %d bytes", field, len(value))
	}
	return nil
}

// checkKeyless refuses a gateway: it pairs by its key, not by a link alone.
func checkKeyless(kind mesh.Kind) error {
	if kind == mesh.KindGateway {
		return errors.New("kind is gateway")
	}
	return checkLength("kind", string(kind), maxKind)
}
