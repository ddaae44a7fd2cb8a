package cpace

import (
	"errors"

	"github.com/gtank/ristretto255"
)

// Exchange is the initiator's side (A of the draft) between its share and the
// responder's. It is good for one answer.
type Exchange struct {
	ya    *ristretto255.Scalar // nil once used
	sid   []byte
	share []byte
	ad    []byte
}

// ErrUsed means that an exchange was finished before; the draft forbids a scalar
// to meet a second share.
var ErrUsed = errors.New("cpace: exchange was used before")

// Start begins an exchange as the initiator. password is PRS, ci the channel
// identifier both sides must agree on, sid a session id that never repeats, ad
// what the initiator sends along with its share (ADa).
func Start(password, ci, sid, ad []byte) (*Exchange, error) {
	return start(password, ci, sid, ad, sampleScalar())
}

func start(password, ci, sid, ad []byte, ya *ristretto255.Scalar) (*Exchange, error) {
	share, err := makeShare(password, ci, sid, ya)
	if err != nil {
		return nil, err
	}
	return &Exchange{ya: ya, sid: clone(sid), share: share, ad: clone(ad)}, nil
}

// Share returns Ya, 32 bytes to send to the responder.
func (e *Exchange) Share() []byte { return clone(e.share) }

// Finish takes the responder's share Yb and associated data ADb. The keys are
// the responder's only if its tag verifies. It returns ErrInvalidShare for a
// share that must be refused and ErrUsed the second time.
func (e *Exchange) Finish(peerShare, peerAD []byte) (*Keys, error) {
	if e.ya == nil {
		return nil, ErrUsed
	}
	defer e.Close()
	k, err := scalarMultVfy(e.ya, peerShare)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	keys := deriveKeys(e.sid, k, message{e.share, e.ad}, message{clone(peerShare), clone(peerAD)})
	keys.own, keys.peer = keys.tagA, keys.tagB
	return keys, nil
}

// Close wipes the secret scalar of an exchange that will not be finished.
func (e *Exchange) Close() {
	if e.ya != nil {
		e.ya.Zero()
		e.ya = nil
	}
}

// Respond is the responder's side (B of the draft): it takes the initiator's
// share Ya and ADa and returns its own share Yb, to be sent along with ad
// (ADb), and the keys. The keys are the initiator's only if its tag verifies.
func Respond(password, ci, sid, ad, peerShare, peerAD []byte) ([]byte, *Keys, error) {
	return respond(password, ci, sid, ad, peerShare, peerAD, sampleScalar())
}

func respond(password, ci, sid, ad, peerShare, peerAD []byte, yb *ristretto255.Scalar) ([]byte, *Keys, error) {
	defer yb.Zero()
	share, err := makeShare(password, ci, sid, yb)
	if err != nil {
		return nil, nil, err
	}
	k, err := scalarMultVfy(yb, peerShare)
	if err != nil {
		return nil, nil, err
	}
	defer clear(k)
	keys := deriveKeys(sid, k, message{clone(peerShare), clone(peerAD)}, message{share, clone(ad)})
	keys.own, keys.peer = keys.tagB, keys.tagA
	return clone(share), keys, nil
}

func makeShare(password, ci, sid []byte, y *ristretto255.Scalar) ([]byte, error) {
	g := calculateGenerator(password, ci, sid)
	defer g.Zero()
	share := scalarMult(y, g)
	if isIdentity(share) {
		return nil, errors.New("cpace: own share is the neutral element")
	}
	return share, nil
}

// isIdentity knows that ristretto255 encodes the neutral element as zeros.
func isIdentity(share []byte) bool {
	for _, b := range share {
		if b != 0 {
			return false
		}
	}
	return true
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
