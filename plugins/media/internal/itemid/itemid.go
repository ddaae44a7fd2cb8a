// Package itemid makes the identifiers of stored files: 128 bits, of which the
// first 48 are the time, as in a version 7 UUID (RFC 9562), written in 26
// lower-case letters and digits. Sorted as text they are in the order in which
// they were made. It knows nothing of what they name.
package itemid

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// Length is the number of characters of an identifier.
const Length = 26

// base32hex keeps the order of the bytes (RFC 4648, section 7).
var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// Valid reports whether s is an identifier in its one canonical spelling.
func Valid(s string) bool {
	_, ok := decode(s)
	return ok
}

// decode goes by the alphabet itself: the standard decoder skips line breaks.
func decode(s string) (id [16]byte, ok bool) {
	if len(s) != Length || strings.ContainsAny(s, "\r\n") {
		return id, false
	}
	raw, err := encoding.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, false
	}
	copy(id[:], raw)
	return id, encoding.EncodeToString(raw) == s
}

// Source makes identifiers, each greater than all before it even when the
// clock is set back. It is safe for concurrent use.
type Source struct {
	mu   sync.Mutex
	last [16]byte
}

// NewSource returns a source that goes on after the identifier last; "" when
// there is none yet.
func NewSource(last string) *Source {
	s := &Source{}
	s.last, _ = decode(last)
	return s
}

// Next returns the identifier for something made at that time.
func (s *Source) Next(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := random(now)
	if string(id[:]) <= string(s.last[:]) {
		id = after(s.last)
	}
	s.last = id
	return encoding.EncodeToString(id[:])
}

func random(now time.Time) (id [16]byte) {
	rand.Read(id[6:])
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now.UnixMilli()))
	copy(id[:6], stamp[2:])
	return id
}

// after adds a random step, so that one identifier does not tell the next.
func after(id [16]byte) [16]byte {
	var step [4]byte
	rand.Read(step[:])
	low := binary.BigEndian.Uint64(id[8:])
	sum := low + 1 + uint64(binary.BigEndian.Uint32(step[:]))
	binary.BigEndian.PutUint64(id[8:], sum)
	if sum < low {
		binary.BigEndian.PutUint64(id[:8], binary.BigEndian.Uint64(id[:8])+1)
	}
	return id
}
