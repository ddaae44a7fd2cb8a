// Package entryid makes the identifiers of posts and comments: 80 bits, the time
// in milliseconds in the first 48 and chance in the rest, written as 16 lower-case
// letters and digits. Sorted as text they are in the order in which they were
// made, so an identifier is also a place in a list. The package knows nothing of
// what they name.
package entryid

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// Length is the number of characters of an identifier.
const Length = 16

// alphabet is in the order of its bytes, which keeps the order of what is written
// in it (base32hex of RFC 4648, section 7). 80 bits fill 16 of its characters
// exactly, so each identifier has one spelling.
const alphabet = "0123456789abcdefghijklmnopqrstuv"

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// Valid reports whether s is an identifier. It need not be that of anything.
func Valid(s string) bool {
	return len(s) == Length && strings.Trim(s, alphabet) == ""
}

// Next returns an identifier for something made now that sorts after the
// identifier last, also when the clock was set back since; "" when there is none
// yet.
func Next(now time.Time, last string) string {
	var id [10]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(now.UnixMilli(), 0))<<16)
	rand.Read(id[6:])
	if next := encoding.EncodeToString(id[:]); next > last {
		return next
	}
	return after(last)
}

// after returns the very next identifier.
func after(last string) string {
	var id [10]byte
	_, _ = encoding.Decode(id[:], []byte(last))
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 { // else it carries
			break
		}
	}
	return encoding.EncodeToString(id[:])
}
