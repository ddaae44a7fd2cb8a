package pairing

import (
	"bytes"
	"context"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// turn is the place of a pairing in the order of all pairings of the same two
// gateways, on which both agree: a logical clock (Lamport, 1978). Two people may
// show a number and type the other's at the same moment; then each side stores
// one pairing as the showing side and another as the joining side, and it is not
// the last one stored that counts, which differs between them, but the one whose
// turn is later.
//
// The showing side gives the number when it stores the pairing: one more than
// any that either side knew of. So the pairing that it stores is always the
// latest one it knows, and only the joining side may find that it has a later
// one.
type turn struct {
	number int          // counted from 1; 0: there was no pairing
	joiner mesh.KeyHash // decides between two of the same number
}

// after reports whether t is a later turn than u.
func (t turn) after(u turn) bool {
	if t.number != u.number {
		return t.number > u.number
	}
	return bytes.Compare(t.joiner[:], u.joiner[:]) > 0
}

// maxEarlier bounds what the other side may claim. More would only keep that
// device from being paired again.
const maxEarlier = 1 << 30

// turns are the latest pairings with each gateway. What was stored as the
// showing side is kept with the answers' notes, since an answer to us may come
// after a restart. What was stored as the joining side is kept in memory only: an
// earlier pairing could follow it only through a window that was open before, and
// a restart closes windows. Service.confirming guards them.
type turns map[mesh.KeyHash]turn

// note takes in a pairing with the gateway.
func (ts turns) note(gateway mesh.KeyHash, t turn) {
	if t.after(ts[gateway]) {
		ts[gateway] = t
	}
}

// next is the turn of the pairing that is to be stored on the showing side, when
// the joining side knows of that many earlier ones.
func (ts turns) next(joiner mesh.KeyHash, earlier int) turn {
	return turn{number: max(earlier, ts[joiner].number) + 1, joiner: joiner}
}

// earlier is the number of the latest pairing with the gateway.
func (s *Service) earlier(ctx context.Context, gateway mesh.KeyHash) (int, error) {
	s.confirming.Lock()
	defer s.confirming.Unlock()
	if err := s.loadAnswers(ctx); err != nil {
		return 0, err
	}
	return s.turns[gateway].number, nil
}
