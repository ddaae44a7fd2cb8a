package tokens

import (
	"sync/atomic"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// entry is one token in memory. Times are microseconds since 1970, the finest
// that the store keeps.
type entry struct {
	token   mesh.IssuedToken // as loaded or published; its expiry and uses may be old
	denied  atomic.Bool      // for good
	expires atomic.Int64     // as stored
	used    atomic.Int64     // last use; 0: never
	saved   atomic.Int64     // last use as stored
	renewal atomic.Pointer[renewal]
}

// renewal is what there is to know of a token's latest renewal. It is never
// changed, only replaced.
type renewal struct {
	pending bool      // on its way to the store
	expires time.Time // the new expiry; zero when the renewal failed
	until   time.Time // tell the holder until then; after a failure: leave it be until then
}

func newEntry(token mesh.IssuedToken) *entry {
	e := &entry{token: token}
	e.denied.Store(!token.RevokedAt.IsZero())
	e.expires.Store(token.ExpiresAt.UnixMicro())
	if !token.LastUsedAt.IsZero() {
		e.used.Store(token.LastUsedAt.UnixMicro())
		e.saved.Store(token.LastUsedAt.UnixMicro())
	}
	return e
}

func (e *entry) expiry() time.Time { return time.UnixMicro(e.expires.Load()).UTC() }

func (e *entry) lastUse() time.Time {
	used := e.used.Load()
	if used == 0 {
		return time.Time{}
	}
	return time.UnixMicro(used).UTC()
}

// stampStep is how far apart two noted uses are, so that a busy token does not
// make its processors fight over one cache line.
const stampStep = time.Second

func (e *entry) stamp(now time.Time) {
	if at := now.UnixMicro(); at-e.used.Load() >= stampStep.Microseconds() {
		e.used.Store(at)
	}
}

// instant is a time in the form that the store keeps.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
