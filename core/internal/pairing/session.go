package pairing

import (
	"crypto/sha256"
	"fmt"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// session is what both sides must agree on for their proofs to fit: each takes
// the keys from its own end of the connection, so that a relay's two ends give
// two different sessions.
type session struct {
	mode        Mode
	code        string
	linkingCode string // link mode only
	joiner      mesh.KeyHash
	shower      mesh.KeyHash
	hello       HelloRequest
	reply       HelloReply
}

// sealKeySize is the size of an AES-256 key in bytes.
const sealKeySize = 32

// The purposes of the keys derived from an exchange, one per direction.
const (
	purposeToShower = Version + " seal j->s"
	purposeToJoiner = Version + " seal s->j"
)

// channel is CPace's CI.
func (s session) channel() []byte {
	return cpace.LVCat([]byte(Version), []byte(s.mode), s.joiner[:], s.shower[:])
}

// id is CPace's sid: fresh, because both sides put a nonce in.
func (s session) id() []byte {
	sum := sha256.Sum256(cpace.LVCat([]byte(Version+" sid"), []byte(s.code), s.hello.Nonce, s.reply.Nonce))
	return sum[:]
}

// password is CPace's PRS: the number and, in link mode, the link's secret.
func (s session) password(pin string) ([]byte, error) {
	prs := []byte(pin)
	if s.mode != ModeLink {
		return prs, nil
	}
	secret, err := parseCode(s.linkingCode)
	return append(prs, secret...), err
}

// joinerData and showerData are CPace's ADa and ADb: what each side has said
// of itself before anything was proved.
func (s session) joinerData() []byte {
	return cpace.LVCat([]byte("joiner"), []byte(s.hello.Name), []byte(s.hello.Kind))
}

func (s session) showerData() []byte {
	return cpace.LVCat([]byte("shower"), []byte(s.reply.Name))
}

// transcript binds a sealed payload to everything that went before.
func (s session) transcript(keys *cpace.Keys) []byte {
	sum := sha256.Sum256(cpace.LVCat([]byte(Version+" transcript"), s.channel(), s.id(), keys.SessionID()))
	return sum[:]
}

// start begins the joining side's exchange.
func (s session) start(pin string) (*cpace.Exchange, error) {
	prs, err := s.password(pin)
	if err != nil {
		return nil, err
	}
	defer clear(prs)
	return cpace.Start(prs, s.channel(), s.id(), s.joinerData())
}

// respond is the showing side's exchange.
func (s session) respond(pin string, share []byte) ([]byte, *cpace.Keys, error) {
	prs, err := s.password(pin)
	if err != nil {
		return nil, nil, err
	}
	defer clear(prs)
	return cpace.Respond(prs, s.channel(), s.id(), s.showerData(), share, s.joinerData())
}

// seal closes the payload for one direction.
func (s session) seal(keys *cpace.Keys, purpose string, p payload) ([]byte, error) {
	key, err := keys.Derive(purpose, sealKeySize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return p.seal(key, s.transcript(keys))
}

// open reads what the joining side sealed.
func (s session) open(keys *cpace.Keys, sealed []byte) (payload, error) {
	key, err := keys.Derive(purposeToShower, sealKeySize)
	if err != nil {
		return payload{}, fmt.Errorf("derive key: %w", err)
	}
	defer clear(key)
	return openPayload(sealed, key, s.transcript(keys), s.joiner)
}
