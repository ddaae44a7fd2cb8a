package pairing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Hello claims the open window for the gateway with the key, or gives the
// claimant a fresh attempt. The number is made, and shown, at the first hello.
// No window, another code and one that is over are all the same sdk.Expired; a
// window claimed by another key is sdk.Conflict.
func (s *Service) Hello(_ context.Context, key mesh.KeyHash, req HelloRequest) (HelloReply, error) {
	if err := admit(key, req.Version, req.check); err != nil {
		return HelloReply{}, err
	}
	self := s.cfg.Self()
	if key == self.Key {
		return HelloReply{}, mesh.PairingSelf()
	}
	w := s.current()
	if w == nil || (req.Mode == ModeLink && !sameCode(w.link.Code, req.Code)) {
		return HelloReply{}, mesh.PairingGone()
	}
	var reply HelloReply
	err := s.with(w, func(now time.Time) error {
		if err := w.fits(mesh.KindGateway); err != nil {
			return err
		}
		_, err := w.next(mesh.PairingClaim, key, now)
		if err == nil {
			reply = w.greet(self, key, req, now)
		}
		return err
	})
	if err == nil {
		s.cfg.Log.Info("device wants to join", "device", key.DeviceID(), "mode", req.Mode)
	}
	return reply, err
}

// current is the window that runs, or the last one that did.
func (s *Service) current() *window {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.windows.current
}

// greet begins an attempt.
func (w *window) greet(self Self, key mesh.KeyHash, req HelloRequest, now time.Time) HelloReply {
	w.device = &Device{ID: key.DeviceID(), Name: nameOr(req.Name), Kind: req.Kind}
	reply := HelloReply{
		Version: Version, Code: w.link.Code, Nonce: newNonce(), Name: nameOr(self.Name),
		ExpiresIn:    int(min(w.state.Expires.Sub(now)/time.Second, maxSeconds)),
		AttemptsLeft: min(w.state.AttemptsLeft(), maxAttempts),
	}
	w.exchange = &exchange{session: session{
		mode: req.Mode, code: w.link.Code, linkingCode: w.link.LinkingCode,
		joiner: key, shower: self.Key, hello: req, reply: reply,
	}}
	return reply
}

// Share answers one attempt at the number; the attempt is counted before
// anything else. The very same share may be repeated until its confirm and
// counts once, so that a lost answer costs nothing.
func (s *Service) Share(_ context.Context, key mesh.KeyHash, req ShareRequest) (ShareReply, error) {
	if err := admit(key, req.Version, req.check); err != nil {
		return ShareReply{}, err
	}
	w := s.running(req.Code)
	if w == nil {
		return ShareReply{}, mesh.PairingGone()
	}
	var reply ShareReply
	err := s.with(w, func(now time.Time) error {
		var err error
		reply, err = w.attempt(key, req.Share, now)
		return err
	})
	return reply, err
}

func (w *window) attempt(key mesh.KeyHash, share []byte, now time.Time) (ShareReply, error) {
	if x := w.exchange; x != nil && x.session.joiner == key && x.share != nil && sameCode(string(x.share), string(share)) {
		return x.reply, nil
	}
	if _, err := w.next(mesh.PairingShare, key, now); err != nil {
		return ShareReply{}, err
	}
	x := w.exchange
	yb, keys, err := x.session.respond(w.pin, share)
	if err != nil {
		w.next(mesh.PairingConfirmBad, key, now)
		return ShareReply{}, (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	x.share, x.reply, x.keys = share, ShareReply{Share: yb}, keys
	return x.reply, nil
}

// running finds the current window by its code; nil when it is another.
func (s *Service) running(code string) *window {
	w := s.current()
	if w == nil || !sameCode(w.link.Code, code) {
		return nil
	}
	return w
}

// Confirm checks the joining side's proof, stores the pairing and answers with
// the showing side's proof. The same request by the same key gets the same
// answer for a day, also after a restart and after the window is over.
func (s *Service) Confirm(ctx context.Context, key mesh.KeyHash, req ConfirmRequest) (ConfirmReply, error) {
	if err := admit(key, req.Version, req.check); err != nil {
		return ConfirmReply{}, err
	}
	s.confirming.Lock()
	defer s.confirming.Unlock()
	if reply, found, err := s.findAnswer(ctx, key, req); err != nil || found {
		return reply, err
	}
	p, err := s.prove(key, req)
	if err != nil {
		s.cfg.Log.Info("pairing attempt refused", "device", key.DeviceID(), "reason", sdk.KindOf(err))
		return ConfirmReply{}, err
	}
	// From here the joining side hanging up must not stop what is half done.
	return s.commit(context.WithoutCancel(ctx), p)
}

// proof is an attempt that was right, ready to be stored.
type proof struct {
	window  *window
	request ConfirmRequest
	session session
	keys    *cpace.Keys
	joiner  payload
}

// prove judges the tag. The window is left in state proved when it is right.
func (s *Service) prove(key mesh.KeyHash, req ConfirmRequest) (proof, error) {
	w := s.running(req.Code)
	if w == nil {
		return proof{}, mesh.PairingGone()
	}
	p := proof{window: w, request: req}
	err := s.with(w, func(now time.Time) error {
		joiner, reason := w.judge(key, req)
		event := mesh.PairingConfirmOK
		if reason != nil {
			event = mesh.PairingConfirmBad
		}
		if _, err := w.next(event, key, now); err != nil {
			if version := new(sdk.Error); errors.As(reason, &version) {
				return version
			}
			return err
		}
		p.session, p.keys, p.joiner = w.exchange.session, w.exchange.keys, joiner
		return nil
	})
	return p, err
}

// judge opens what came with a right tag. A payload that cannot be understood
// although its sender knew the number is another version's.
func (w *window) judge(key mesh.KeyHash, req ConfirmRequest) (payload, error) {
	x := w.exchange
	if x == nil || x.keys == nil || x.session.joiner != key {
		return payload{}, errors.New("no attempt in flight")
	}
	if err := x.keys.Verify(req.Tag); err != nil {
		return payload{}, err
	}
	p, err := x.session.open(x.keys, req.Sealed)
	if err != nil {
		return payload{}, mesh.PairingVersion().Because(err)
	}
	return p, nil
}

// commit stores pairing and answer in one transaction, then lets the token
// work.
func (s *Service) commit(ctx context.Context, p proof) (ConfirmReply, error) {
	now := s.cfg.Now()
	key := p.session.joiner
	token, issued := s.cfg.Tokens.Issue(p.joiner.DeviceID, key, s.grant())
	own := newPayload(s.cfg.Self(), token, issued)
	turn := s.turns.next(key, p.joiner.Earlier)
	own.Earlier = turn.number - 1
	sealed, err := p.session.seal(p.keys, purposeToJoiner, own)
	if err != nil {
		return ConfirmReply{}, s.notStored(p.window, fmt.Errorf("seal payload: %w", err))
	}
	a := newAnswer(turn, p.request, ConfirmReply{Tag: p.keys.Tag(), Sealed: sealed}, now)
	record, err := a.record(p.request.Code)
	if err != nil {
		return ConfirmReply{}, s.notStored(p.window, err)
	}
	device, err := s.complete(ctx, mesh.Pairing{
		Device: p.joiner.device(key, nil, now), Issued: issued, Peer: p.joiner.peerToken(), Replaces: p.window.repairs.ID,
	}, record)
	if err != nil {
		return ConfirmReply{}, s.notStored(p.window, err)
	}
	s.stored(p.window, device)
	s.keepAnswer(ctx, p.request.Code, a)
	return a.Reply, nil
}

func newNonce() Binary {
	b := make([]byte, nonceSize)
	rand.Read(b)
	return b
}
