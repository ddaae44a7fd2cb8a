package pairing

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Version names the protocol in every message and in the context of the proof.
// A side that hears another version stops.
const Version = "salita-pair/1"

// The paths that the showing side answers, for POST with JSON over mutual TLS.
const (
	PathHello   = "/auth/pair/gateway/hello"
	PathShare   = "/auth/pair/gateway/share"
	PathConfirm = "/auth/pair/gateway/confirm"
)

// PathRemoved is where a gateway tells another that it has removed it, with an
// empty POST over mutual TLS that bears the token which the other gave it. It is
// told before that token is forgotten. The word of the pinned peer is enough to
// show it as "needs re-pairing" at once; nothing is deleted, and what was not
// heard shows with the next call.
const PathRemoved = "/auth/pair/gateway/removed"

// MaxMessage is the longest message of the protocol, in bytes of JSON.
const MaxMessage = 32 << 10

// Limits on the fields of messages.
const (
	nonceSize   = 16
	shareSize   = 32
	maxSealed   = 20 << 10
	maxNameSize = 256 // bytes, before mesh.CleanName
	maxSeconds  = 3600
	maxAttempts = 100
)

// Mode is how the joining side found the showing side.
type Mode string

// The two modes. In link mode the password holds the link's secret besides the
// number.
const (
	ModeLink   Mode = "link"
	ModeNearby Mode = "nearby"
)

// Binary is bytes that travel as unpadded base64url (RFC 4648, section 5).
type Binary []byte

// MarshalText implements encoding.TextMarshaler.
func (b Binary) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. Only the canonical
// spelling is taken.
func (b *Binary) UnmarshalText(text []byte) error {
	if bytes.ContainsAny(text, "\r\n") {
		return errors.New("line break in base64url")
	}
	out, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return err
	}
	*b = out
	return nil
}

// HelloRequest asks to join (J to S).
type HelloRequest struct {
	Version string    `json:"version"`
	Mode    Mode      `json:"mode"`
	Code    string    `json:"code,omitempty"` // the window's code; link mode only
	Nonce   Binary    `json:"nonce"`          // 16 bytes
	Name    string    `json:"name"`
	Kind    mesh.Kind `json:"kind"` // always gateway
}

// HelloReply accepts the wish (S to J); from now on S shows the number.
type HelloReply struct {
	Version      string `json:"version"`
	Code         string `json:"code"`
	Nonce        Binary `json:"nonce"` // 16 bytes
	Name         string `json:"name"`
	ExpiresIn    int    `json:"expires_in"` // seconds until the window closes
	AttemptsLeft int    `json:"attempts_left"`
}

// ShareRequest is one attempt at the number: CPace's Ya (J to S).
type ShareRequest struct {
	Version string `json:"version"`
	Code    string `json:"code"`
	Share   Binary `json:"share"` // 32 bytes
}

// ShareReply is CPace's Yb (S to J).
type ShareReply struct {
	Share Binary `json:"share"` // 32 bytes
}

// ConfirmRequest proves that J knows the number and carries what S is to store
// (J to S). The same request may be repeated; it gets the same answer.
type ConfirmRequest struct {
	Version string `json:"version"`
	Code    string `json:"code"`
	Tag     Binary `json:"tag"` // CPace's Ta, 64 bytes
	Sealed  Binary `json:"sealed"`
}

// ConfirmReply proves that S knows the number and has stored J, and carries
// what J is to store (S to J).
type ConfirmReply struct {
	Tag    Binary `json:"tag"` // CPace's Tb, 64 bytes
	Sealed Binary `json:"sealed"`
}

// UnmarshalJSON refuses unknown fields and values out of bounds. It leaves the
// version to be judged by whoever can answer.
func (m *HelloRequest) UnmarshalJSON(data []byte) error {
	type plain HelloRequest
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *HelloReply) UnmarshalJSON(data []byte) error {
	type plain HelloReply
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *ShareRequest) UnmarshalJSON(data []byte) error {
	type plain ShareRequest
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *ShareReply) UnmarshalJSON(data []byte) error {
	type plain ShareReply
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *ConfirmRequest) UnmarshalJSON(data []byte) error {
	type plain ConfirmRequest
	return decode(data, (*plain)(m), m.check)
}

// UnmarshalJSON refuses unknown fields and values out of bounds.
func (m *ConfirmReply) UnmarshalJSON(data []byte) error {
	type plain ConfirmReply
	return decode(data, (*plain)(m), m.check)
}

func decode(data []byte, into any, check func() error) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("message of %d bytes is longer than %d", len(data), MaxMessage)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	return check()
}

func (m *HelloRequest) check() error {
	return errors.Join(
		checkVersion(m.Version),
		checkMode(m.Mode, m.Code),
		checkSize("nonce", m.Nonce, nonceSize),
		checkName(m.Name),
		checkGateway(m.Kind),
	)
}

func (m *HelloReply) check() error {
	return errors.Join(
		checkVersion(m.Version),
		checkCode(m.Code),
		checkSize("nonce", m.Nonce, nonceSize),
		checkName(m.Name),
		checkRange("expires_in", m.ExpiresIn, maxSeconds),
		checkRange("attempts_left", m.AttemptsLeft, maxAttempts),
	)
}

func (m *ShareRequest) check() error {
	return errors.Join(checkVersion(m.Version), checkCode(m.Code), checkSize("share", m.Share, shareSize))
}

func (m *ShareReply) check() error { return checkSize("share", m.Share, shareSize) }

func (m *ConfirmRequest) check() error {
	return errors.Join(
		checkVersion(m.Version),
		checkCode(m.Code),
		checkSize("tag", m.Tag, cpace.TagSize),
		checkSealed(m.Sealed),
	)
}

func (m *ConfirmReply) check() error {
	return errors.Join(checkSize("tag", m.Tag, cpace.TagSize), checkSealed(m.Sealed))
}

// admit is what every request to the showing side must pass, whether it was
// decoded here or made by a caller.
func admit(key mesh.KeyHash, version string, check func() error) error {
	if key.IsZero() {
		return (&sdk.Error{Kind: sdk.SignIn}).Because(errors.New("pairing request without a client certificate"))
	}
	if err := check(); err != nil {
		return (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	if version != Version {
		return mesh.PairingVersion().Because(fmt.Errorf("version %q", version))
	}
	return nil
}
