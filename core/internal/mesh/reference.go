package mesh

import "math/rand/v2"

// referenceAlphabet leaves out letters that people mistake for others.
const referenceAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// NewReference returns five characters that find a log line. They need to be
// short and seldom the same, not secret.
func NewReference() string {
	var b [5]byte
	for i := range b {
		b[i] = referenceAlphabet[rand.IntN(len(referenceAlphabet))]
	}
	return string(b[:])
}
