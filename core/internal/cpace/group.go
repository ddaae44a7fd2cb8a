package cpace

import (
	"crypto/rand"
	"crypto/sha512"
	"errors"

	"github.com/gtank/ristretto255"
)

// ErrInvalidShare means that the peer's share is no element of the group, or
// the neutral one; the draft wants the exchange to end there.
var ErrInvalidShare = errors.New("cpace: peer's share is not a valid group element")

func calculateGenerator(prs, ci, sid []byte) *ristretto255.Element {
	text := generatorString(prs, ci, sid)
	defer clear(text)
	hash := sha512.Sum512(text)
	defer clear(hash[:])
	return ristretto255.NewElement().FromUniformBytes(hash[:uniformLength])
}

// sampleScalar draws uniformly; zero has probability 2^-252 and is caught
// where the share it gives would be the neutral element.
func sampleScalar() *ristretto255.Scalar {
	var b [uniformLength]byte
	defer clear(b[:])
	rand.Read(b[:])
	return ristretto255.NewScalar().FromUniformBytes(b[:])
}

// scalarMult returns the encoding of g^y.
func scalarMult(y *ristretto255.Scalar, g *ristretto255.Element) []byte {
	return ristretto255.NewElement().ScalarMult(y, g).Encode(nil)
}

// scalarMultVfy returns the encoding of X^y and refuses an X that does not
// decode or a result that is the neutral element, with one and the same error.
func scalarMultVfy(y *ristretto255.Scalar, share []byte) ([]byte, error) {
	x := ristretto255.NewElement()
	if err := x.Decode(share); err != nil {
		return nil, ErrInvalidShare
	}
	k := ristretto255.NewElement().ScalarMult(y, x)
	if k.Equal(ristretto255.NewElement()) == 1 {
		return nil, ErrInvalidShare
	}
	return k.Encode(nil), nil
}
