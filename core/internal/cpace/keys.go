package cpace

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"errors"
)

// TagSize is the length of a key confirmation tag in bytes.
const TagSize = sha512.Size

// ErrTag means that the peer's tag is wrong: it used another password, channel
// or session.
var ErrTag = errors.New("cpace: key confirmation failed")

// message is what one side sends: its share and its associated data.
type message struct{ share, ad []byte }

func (m message) encode() []byte { return LVCat(m.share, m.ad) }

// Keys is the outcome of an exchange. Nothing may be sent under it before the
// peer's tag has verified, except one's own tag.
type Keys struct {
	isk        []byte
	sidOutput  []byte
	tagA, tagB []byte
	own, peer  []byte // tagA and tagB, as seen from this side
}

func deriveKeys(sid, k []byte, a, b message) *Keys {
	transcript := append(a.encode(), b.encode()...) // transcript_ir
	secret := LVCat([]byte(dsiISK), sid, k)
	defer clear(secret)
	isk := sha512Of(secret, transcript)
	macKey := sha512Of([]byte(dsiMac), sid, isk)
	defer clear(macKey)
	return &Keys{
		isk:       isk,
		sidOutput: sha512Of([]byte(dsiSidOutput), transcript),
		tagA:      mac(macKey, a.encode()),
		tagB:      mac(macKey, b.encode()),
	}
}

// Tag is this side's key confirmation tag (Ta or Tb), HMAC-SHA-512 over what
// it sent.
func (k *Keys) Tag() []byte { return clone(k.own) }

// PeerTag is the tag the peer must show. It is as secret as the key until the
// peer has shown it; use it only to check a tag later.
func (k *Keys) PeerTag() []byte { return clone(k.peer) }

// Verify checks the peer's tag in constant time; it returns ErrTag.
func (k *Keys) Verify(tag []byte) error { return CheckTag(k.peer, tag) }

// CheckTag compares a tag with one that PeerTag returned, in constant time; it
// returns ErrTag when they differ.
func CheckTag(want, got []byte) error {
	if len(want) != TagSize || !hmac.Equal(want, got) {
		return ErrTag
	}
	return nil
}

// SessionID is sid_output_ir of the draft: a public name of this exchange that
// covers both messages.
func (k *Keys) SessionID() []byte { return clone(k.sidOutput) }

// Derive returns a key of length bytes for one purpose, by HKDF-SHA-512 (RFC
// 5869) from ISK, which the draft wants never to be used itself. length is at
// most 255 * 64 bytes. It fails after Close.
func (k *Keys) Derive(info string, length int) ([]byte, error) {
	if k.isk == nil {
		return nil, errors.New("cpace: keys were wiped")
	}
	return hkdf.Key(sha512.New, k.isk, nil, info, length)
}

// Close wipes the keys.
func (k *Keys) Close() {
	for _, b := range [][]byte{k.isk, k.tagA, k.tagB} {
		clear(b)
	}
	k.isk, k.tagA, k.tagB, k.own, k.peer = nil, nil, nil, nil, nil
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha512.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func sha512Of(parts ...[]byte) []byte {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}
