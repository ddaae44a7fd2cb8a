package pairing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// recordLife is how long both sides keep their note of a pairing. The joining
// side makes its note first, so that it has given up before the answer goes.
const recordLife = 24 * time.Hour

// answers are the showing side's answers to what proved the number, for as long
// as it may be repeated. Service.confirming guards them.
type answers struct {
	loaded bool // those of an earlier run were read
	byCode map[string]answer
}

// answer is one of them, as it is kept in its record. A gateway gets the same
// reply again. A browser gets new secrets for the same device, because those of
// its reply are kept nowhere.
type answer struct {
	Key     mesh.KeyHash `json:"key"`
	Request Binary       `json:"request"` // fingerprint of the confirm or verify
	Reply   ConfirmReply `json:"reply,omitzero"`
	Browser *Device      `json:"browser,omitzero"`
	Number  int          `json:"number,omitzero"` // of the gateway's turn

	expires time.Time
}

func newAnswer(t turn, req ConfirmRequest, reply ConfirmReply, now time.Time) answer {
	return answer{Key: t.joiner, Request: fingerprint(req), Reply: reply, Number: t.number, expires: now.Add(recordLife)}
}

func fingerprint(req ConfirmRequest) Binary {
	sum := sha256.Sum256(cpace.LVCat([]byte(req.Code), req.Tag, req.Sealed))
	return sum[:]
}

func (a answer) record(code string) (mesh.PairingRecord, error) {
	secret, err := json.Marshal(a)
	if err != nil {
		return mesh.PairingRecord{}, fmt.Errorf("encode answer: %w", err)
	}
	return mesh.PairingRecord{Code: code, Role: mesh.RoleShowing, Secret: secret, Expires: a.expires}, nil
}

// findAnswer returns the answer to a confirm that is repeated. The code of an
// answered one with anything else changed is refused like an unknown code.
func (s *Service) findAnswer(ctx context.Context, key mesh.KeyHash, req ConfirmRequest) (ConfirmReply, bool, error) {
	if err := s.loadAnswers(ctx); err != nil {
		return ConfirmReply{}, false, err
	}
	a, ok := s.answers.byCode[req.Code]
	if !ok {
		return ConfirmReply{}, false, nil
	}
	if a.Key != key || !sameCode(string(a.Request), string(fingerprint(req))) || !s.cfg.Now().Before(a.expires) {
		return ConfirmReply{}, false, mesh.PairingGone()
	}
	return a.Reply, true, nil
}

// loadAnswers reads what an earlier run left, once.
func (s *Service) loadAnswers(ctx context.Context) error {
	if s.answers.loaded {
		return nil
	}
	records, err := s.cfg.Store.PairingRecords(ctx, mesh.RoleShowing)
	if err != nil {
		return fmt.Errorf("read pairing records: %w", err)
	}
	found := make(map[string]answer, len(records))
	for _, r := range records {
		var a answer
		if err := json.Unmarshal(r.Secret, &a); err != nil {
			s.cfg.Log.Warn("pairing record is unreadable", "error", err)
			continue
		}
		a.expires = r.Expires
		found[r.Code] = a
	}
	for _, code := range slices.SortedFunc(maps.Keys(found), func(a, b string) int { return found[a].compare(found[b]) }) {
		s.keepAnswer(ctx, code, found[code])
	}
	s.answers.loaded = true
	return nil
}

// compare puts the later of two answers to one device last; see put. The clock
// of the wall, which may be set back, decides only between browsers.
func (a answer) compare(b answer) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), a.expires.Compare(b.expires))
}

func (a answer) sameDevice(b answer) bool {
	if a.Browser == nil || b.Browser == nil {
		return a.Browser == b.Browser && a.Key == b.Key
	}
	return a.Browser.ID == b.Browser.ID
}

// put keeps an answer and returns the codes of those it replaces: a device that
// pairs again has no use for the tokens of the time before.
func (as *answers) put(code string, a answer) []string {
	var replaced []string
	for other, old := range as.byCode {
		if other != code && old.sameDevice(a) {
			delete(as.byCode, other)
			replaced = append(replaced, other)
		}
	}
	as.byCode[code] = a
	return replaced
}

// keepAnswer remembers an answer whose record is stored already.
func (s *Service) keepAnswer(ctx context.Context, code string, a answer) {
	if a.Browser == nil {
		s.turns.note(a.Key, turn{number: a.Number, joiner: a.Key})
	}
	for _, old := range s.answers.put(code, a) {
		s.deleteRecord(ctx, old, mesh.RoleShowing)
	}
}

// sweepAnswers forgets those that nobody can need any more.
func (s *Service) sweepAnswers(ctx context.Context) {
	s.confirming.Lock()
	defer s.confirming.Unlock()
	now := s.cfg.Now()
	for code, a := range s.answers.byCode {
		if !now.Before(a.expires) {
			s.dropAnswer(ctx, code)
		}
	}
}

func (s *Service) dropAnswer(ctx context.Context, code string) {
	delete(s.answers.byCode, code)
	s.deleteRecord(ctx, code, mesh.RoleShowing)
}

// deleteRecord forgets a note. A note that stays behind does no harm: it
// expires.
func (s *Service) deleteRecord(ctx context.Context, code string, role mesh.PairingRole) {
	err := s.cfg.Store.DeletePairingRecord(ctx, code, role)
	if err != nil && sdk.KindOf(err) != sdk.NotFound {
		s.cfg.Log.Warn("pairing record not deleted", "role", role, "error", err)
	}
}
