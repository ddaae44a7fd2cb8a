package pairing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const (
	// patience is how long a person waits for the answer to a confirm.
	patience = time.Minute

	backoffStart = 100 * time.Millisecond
	backoffMost  = 30 * time.Second
)

// note is all that the joining side needs to repeat its confirm and to take the
// answer in. It holds neither the number nor the session key.
type note struct {
	Gateway    mesh.KeyHash     `json:"gateway"`
	Addresses  []string         `json:"addresses,omitzero"`
	Confirm    ConfirmRequest   `json:"confirm,omitzero"`
	PeerTag    Binary           `json:"peer_tag,omitzero"`   // the answer's tag must be this one
	OpenKey    Binary           `json:"open_key,omitzero"`   // opens the answer's payload,
	Transcript Binary           `json:"transcript,omitzero"` // bound to this
	Issued     mesh.IssuedToken `json:"issued,omitzero"`     // what the other side may use with us

	// Done marks a note whose pairing is stored, in the same transaction, so
	// that a crash before the note is deleted does not store it again. Nothing
	// else is kept then.
	Done bool `json:"done,omitzero"`
}

// newNote prepares the confirm.
func (s *Service) newNote(ctx context.Context, session session, keys *cpace.Keys, reached []string) (note, error) {
	earlier, err := s.earlier(ctx, session.shower)
	if err != nil {
		return note{}, err
	}
	token, issued := s.cfg.Tokens.Issue(session.shower.DeviceID(), session.shower, s.grant())
	own := newPayload(s.cfg.Self(), token, issued)
	own.Earlier = earlier
	sealed, err := session.seal(keys, purposeToShower, own)
	if err != nil {
		return note{}, fmt.Errorf("seal payload: %w", err)
	}
	openKey, err := keys.Derive(purposeToJoiner, sealKeySize)
	if err != nil {
		return note{}, fmt.Errorf("derive key: %w", err)
	}
	return note{
		Gateway: session.shower, Addresses: reached,
		Confirm: ConfirmRequest{Version: Version, Code: session.code, Tag: keys.Tag(), Sealed: sealed},
		PeerTag: keys.PeerTag(), OpenKey: openKey, Transcript: session.transcript(keys),
		Issued: issued,
	}, nil
}

func (n note) record(code string, expires time.Time) (mesh.PairingRecord, error) {
	secret, err := json.Marshal(n)
	if err != nil {
		return mesh.PairingRecord{}, fmt.Errorf("encode note: %w", err)
	}
	return mesh.PairingRecord{Code: code, Role: mesh.RoleJoining, Secret: secret, Expires: expires}, nil
}

// pendings are the confirms whose outcome is not known yet.
type pendings struct {
	mu     sync.Mutex
	byCode map[string]*pending
	begun  int
}

type pending struct {
	code    string
	note    note
	expires time.Time
	order   int // later ones have higher numbers
}

// add takes a pending in; mu is held.
func (ps *pendings) add(code string, n note, expires time.Time) *pending {
	ps.begun++
	p := &pending{code: code, note: n, expires: expires, order: ps.begun}
	ps.byCode[code] = p
	return p
}

// superseded ends an attempt that a later pairing with the same gateway
// overtook.
func superseded() error {
	return refused{mesh.PairingGone().Because(errors.New("overtaken by a later pairing with the same gateway"))}
}

// begin saves the note. Nothing may be sent before it is on disk.
func (s *Service) begin(ctx context.Context, code string, n note) (*pending, error) {
	expires := s.cfg.Now().Add(recordLife)
	record, err := n.record(code, expires)
	if err != nil {
		return nil, err
	}
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	if _, ok := s.pending.byCode[code]; ok {
		return nil, mesh.PairingBusy() // its note must not be lost
	}
	if len(s.pending.byCode) >= maxJoins {
		return nil, &sdk.Error{Kind: sdk.RateLimited}
	}
	if err := s.cfg.Store.SavePairingRecord(ctx, record); err != nil {
		return nil, fmt.Errorf("save pairing record: %w", err)
	}
	return s.pending.add(code, n, expires), nil
}

// resume takes up what an earlier run left unfinished.
func (s *Service) resume(ctx context.Context, running *sync.WaitGroup) error {
	records, err := s.cfg.Store.PairingRecords(ctx, mesh.RoleJoining)
	if err != nil {
		return fmt.Errorf("read pairing records: %w", err)
	}
	slices.SortStableFunc(records, func(a, b mesh.PairingRecord) int { return a.Expires.Compare(b.Expires) })
	for _, r := range records {
		var n note
		err := json.Unmarshal(r.Secret, &n)
		if err != nil {
			s.cfg.Log.Warn("pairing record is unreadable", "error", err)
		}
		if err != nil || n.Done || !s.cfg.Now().Before(r.Expires) {
			s.deleteRecord(ctx, r.Code, mesh.RoleJoining)
			continue
		}
		s.pending.mu.Lock()
		p := s.pending.add(r.Code, n, r.Expires)
		s.pending.mu.Unlock()
		running.Go(func() { s.resumeOne(ctx, p) })
	}
	return nil
}

func (s *Service) resumeOne(ctx context.Context, p *pending) {
	device := p.note.Gateway.DeviceID()
	s.cfg.Log.Info("finishing a pairing that was interrupted", "device", device)
	if _, err := s.finish(ctx, p, func(error) {}); err != nil {
		s.cfg.Log.Info("interrupted pairing ended", "device", device, "error", err)
	}
}

// finish repeats the confirm until its outcome is known, the note expires or
// ctx ends, and tells onRetry of each failure in between. Only when ctx ends is
// the note kept.
func (s *Service) finish(ctx context.Context, p *pending, onRetry func(error)) (mesh.Device, error) {
	var unsaved error // what the other side said before its window ended
	for retry := 0; ; retry++ {
		device, err := s.confirm(ctx, p)
		if err == nil {
			return device, nil
		}
		if isUnsaved(err) {
			unsaved = err
		}
		switch {
		case ctx.Err() != nil:
			return device, stopped(ctx)
		case errors.As(err, new(refused)) || !s.cfg.Now().Before(p.expires):
			s.forget(ctx, p)
			if unsaved != nil {
				err = unsaved
			}
			return device, err
		case !s.isPending(p):
			return device, superseded()
		}
		onRetry(err)
		if sleep(ctx, backoff(retry)) != nil {
			return device, stopped(ctx)
		}
	}
}

func stopped(ctx context.Context) error { return (&sdk.Error{Kind: sdk.Internal}).Because(ctx.Err()) }

func (s *Service) isPending(p *pending) bool {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	return s.pending.byCode[p.code] == p
}

// refused marks an error that repeating does not change. Silence, overload and
// failures of storage, here or there, are worth another try.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// confirm sends the confirm once and takes the answer in.
func (s *Service) confirm(ctx context.Context, p *pending) (mesh.Device, error) {
	var reply ConfirmReply
	key, err := s.call(ctx, p.note.Addresses, &p.note.Gateway, PathConfirm, p.note.Confirm, &reply)
	if err != nil {
		if key == p.note.Gateway && isRefusal(sdk.KindOf(err)) {
			err = refused{err}
		}
		return mesh.Device{}, err
	}
	if err := errors.Join(reply.check(), cpace.CheckTag(p.note.PeerTag, reply.Tag)); err != nil {
		return mesh.Device{}, refused{unfriendly(err)}
	}
	theirs, err := openPayload(reply.Sealed, p.note.OpenKey, p.note.Transcript, p.note.Gateway)
	if err != nil {
		return mesh.Device{}, refused{mesh.PairingVersion().Because(err)}
	}
	return s.settle(context.WithoutCancel(ctx), p, theirs)
}

// isRefusal lists the kinds with which a showing side says that it did not and
// will not store the pairing.
func isRefusal(kind sdk.Kind) bool {
	switch kind {
	case sdk.Expired, sdk.Forbidden, sdk.NotFound, sdk.Conflict, sdk.Unsupported:
		return true
	}
	return false
}

// settle ends with the pairing: this one, or a later one that the same gateway
// joined with meanwhile. It ends every earlier attempt at that gateway too, whose
// tokens are void now.
func (s *Service) settle(ctx context.Context, p *pending, theirs payload) (mesh.Device, error) {
	s.confirming.Lock()
	defer s.confirming.Unlock()
	if err := s.loadAnswers(ctx); err != nil {
		return mesh.Device{}, err
	}
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	if s.pending.byCode[p.code] != p {
		return mesh.Device{}, superseded()
	}
	turn := turn{number: theirs.Earlier + 1, joiner: s.cfg.Self().Key}
	end := s.take
	if s.turns[p.note.Gateway].after(turn) {
		end = s.leave
	}
	device, err := end(ctx, p, theirs)
	if err != nil {
		return device, err
	}
	s.turns.note(p.note.Gateway, turn)
	for code, other := range s.pending.byCode {
		if other.note.Gateway == p.note.Gateway && other.order <= p.order {
			delete(s.pending.byCode, code)
			s.deleteRecord(ctx, code, mesh.RoleJoining)
		}
	}
	return device, nil
}

// take stores the pairing and marks the note done in the same transaction.
func (s *Service) take(ctx context.Context, p *pending, theirs payload) (mesh.Device, error) {
	done, err := note{Gateway: p.note.Gateway, Done: true}.record(p.code, p.expires)
	if err != nil {
		return mesh.Device{}, err
	}
	device, err := s.complete(ctx, mesh.Pairing{
		Device: theirs.device(p.note.Gateway, p.note.Addresses, s.cfg.Now()), Issued: p.note.Issued, Peer: theirs.peerToken(),
	}, done)
	if sdk.KindOf(err) == sdk.Conflict {
		err = refused{err}
	}
	return device, err
}

// leave stores nothing: the pairing with the gateway that is stored is a later
// one, and the gateway has it too, or will. One whose device was removed since
// stays removed.
func (s *Service) leave(ctx context.Context, p *pending, _ payload) (mesh.Device, error) {
	devices, err := s.cfg.Store.Devices(ctx)
	if err != nil {
		return mesh.Device{}, fmt.Errorf("find device: %w", err)
	}
	i := slices.IndexFunc(devices, func(d mesh.Device) bool { return d.Key == p.note.Gateway })
	if i < 0 {
		return mesh.Device{}, superseded()
	}
	s.cfg.Log.Info("a later pairing with the device stays", "device", devices[i].ID)
	return devices[i], nil
}

// forget ends an attempt that leaves nothing behind.
func (s *Service) forget(ctx context.Context, p *pending) {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	if s.pending.byCode[p.code] == p {
		delete(s.pending.byCode, p.code)
		s.deleteRecord(ctx, p.code, mesh.RoleJoining)
	}
}

// backoff is the wait after a failure: 100 ms, doubling to half a minute.
func backoff(retry int) time.Duration {
	return min(backoffStart<<min(retry, 10), backoffMost)
}
