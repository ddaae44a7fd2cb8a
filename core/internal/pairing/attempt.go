package pairing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const (
	// callTimeout bounds one call of the protocol.
	callTimeout = 15 * time.Second
	// retries is how often a hello or share is sent again when the other side,
	// once found, does not answer. Repeated, they cost no attempt.
	retries = 3
)

// greeting is what a hello established: one attempt at the number.
type greeting struct {
	session session
	expires time.Time
}

// join carries one join out, from hello to its end.
func (s *Service) join(ctx context.Context, j *joining) {
	device, err := s.attempts(ctx, j)
	var failed *Problem
	if err != nil {
		failed = s.failed("joining failed", err, "join", j.view.ID)
	}
	s.show(j, func(v *JoinView) {
		if failed != nil {
			v.State, v.Error = JoinFailed, failed
			return
		}
		v.State, v.Error = JoinPaired, nil
		v.Device = &Device{ID: device.ID, Name: device.Name, Kind: device.Kind}
	})
}

// attempts tries numbers until one is right or no more are allowed. A wrong one
// is followed by a new hello at once, which tells whether another may follow.
func (s *Service) attempts(ctx context.Context, j *joining) (mesh.Device, error) {
	var wrong error
	for {
		g, err := s.hello(ctx, j)
		if err != nil {
			return mesh.Device{}, err
		}
		s.show(j, func(v *JoinView) {
			v.State, v.Gateway, v.Error = JoinPINNeeded, Gateway{Name: g.session.reply.Name}, problem(wrong)
		})
		pin, err := s.awaitPIN(ctx, j, g)
		if err != nil {
			return mesh.Device{}, err
		}
		device, err := s.try(ctx, j, g, pin)
		if isUnsaved(err) {
			err = mesh.PairingUnsavedBy(g.session.reply.Name, sdk.KindOf(err)).Because(err)
		}
		if !isWrongPIN(err) {
			return device, err
		}
		wrong = err
	}
}

func isWrongPIN(err error) bool {
	var e *sdk.Error
	return errors.As(err, &e) && e.Kind == sdk.Forbidden && e.Message == mesh.WordsWrongPIN
}

// isUnsaved reports whether the other side said that it could not store the
// pairing.
func isUnsaved(err error) bool {
	var e *sdk.Error
	return errors.As(err, &e) && e.Message == mesh.WordsUnsaved
}

// hello begins an attempt. The first one settles which key the other side has;
// every later call must meet the same.
func (s *Service) hello(ctx context.Context, j *joining) (greeting, error) {
	self := s.cfg.Self()
	req := HelloRequest{
		Version: Version, Mode: j.target.mode, Code: j.target.code, Nonce: newNonce(),
		Name: nameOr(self.Name), Kind: mesh.KindGateway,
	}
	var reply HelloReply
	key, err := s.callAgain(ctx, j, PathHello, req, &reply)
	if err != nil {
		return greeting{}, err
	}
	if key == self.Key {
		return greeting{}, mesh.PairingSelf()
	}
	if err := reply.check(); err != nil {
		return greeting{}, unfriendly(err)
	}
	if reply.Version != Version {
		return greeting{}, mesh.PairingVersion().Because(fmt.Errorf("version %q", reply.Version))
	}
	if j.target.mode == ModeLink && reply.Code != j.target.code {
		return greeting{}, unfriendly(errors.New("hello is answered for another code"))
	}
	j.target.key, j.met = &key, true
	reply.Name = nameOr(reply.Name)
	return greeting{
		expires: s.cfg.Now().Add(time.Duration(reply.ExpiresIn) * time.Second),
		session: session{
			mode: j.target.mode, code: reply.Code, linkingCode: j.target.linkingCode,
			joiner: self.Key, shower: key, hello: req, reply: reply,
		},
	}, nil
}

// awaitPIN waits for EnterPIN, at most as long as the window lasts.
func (s *Service) awaitPIN(ctx context.Context, j *joining, g greeting) (string, error) {
	timer := time.NewTimer(g.expires.Sub(s.cfg.Now()))
	defer timer.Stop()
	select {
	case pin := <-j.pins:
		return pin, nil
	case <-timer.C:
		return "", mesh.PairingGone()
	case <-ctx.Done():
		return "", (&sdk.Error{Kind: sdk.Internal}).Because(ctx.Err())
	}
}

// try makes one attempt: share, proof, and the commit on both sides.
func (s *Service) try(ctx context.Context, j *joining, g greeting, pin string) (mesh.Device, error) {
	exchange, err := g.session.start(pin)
	if err != nil {
		return mesh.Device{}, err
	}
	defer exchange.Close()
	reply, err := s.share(ctx, j, g, exchange.Share())
	if err != nil {
		return mesh.Device{}, err
	}
	keys, err := exchange.Finish(reply.Share, g.session.showerData())
	if err != nil {
		return mesh.Device{}, unfriendly(err)
	}
	defer keys.Close()
	note, err := s.newNote(ctx, g.session, keys, j.target.addresses)
	if err != nil {
		return mesh.Device{}, err
	}
	p, err := s.begin(ctx, g.session.code, note)
	if err != nil {
		return mesh.Device{}, err
	}
	return s.finish(ctx, p, s.losePatience(j))
}

func (s *Service) share(ctx context.Context, j *joining, g greeting, share []byte) (ShareReply, error) {
	req := ShareRequest{Version: Version, Code: g.session.code, Share: share}
	var reply ShareReply
	if _, err := s.callAgain(ctx, j, PathShare, req, &reply); err != nil {
		return reply, err
	}
	if err := reply.check(); err != nil {
		return reply, unfriendly(err)
	}
	return reply, nil
}

// callAgain makes a call that may be repeated. It is, only when the other side
// has answered before: whoever typed a wrong address wants to know at once.
func (s *Service) callAgain(ctx context.Context, j *joining, path string, in, out any) (mesh.KeyHash, error) {
	for retry := 0; ; retry++ {
		key, err := s.call(ctx, j.target.addresses, j.target.key, path, in, out)
		if sdk.KindOf(err) != sdk.Offline || !j.met || retry == retries {
			return key, err
		}
		if sleep(ctx, backoff(retry)) != nil {
			return key, err
		}
	}
}

// losePatience tells the person who waits that the other side is silent, after
// a while; finishing goes on without them.
func (s *Service) losePatience(j *joining) func(error) {
	began := s.cfg.Now()
	told := false
	return func(err error) {
		if told || s.cfg.Now().Sub(began) < patience {
			return
		}
		told = true
		failed := s.failed("joining takes long", err, "join", j.view.ID)
		s.show(j, func(v *JoinView) { v.State, v.Error = JoinFailed, failed })
	}
}

// call makes one call and holds the other side to its key. What a stranger
// writes is not shown to people: of its errors only the kind is kept, and the
// message if it is one of the protocol's own sentences.
func (s *Service) call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key, err := s.cfg.Caller.Call(ctx, addresses, pin, path, in, out)
	switch {
	case err != nil:
		return key, tame(err)
	case key.IsZero() || (pin != nil && key != *pin):
		return key, (&sdk.Error{Kind: sdk.Offline}).Because(errors.New("another key answered"))
	}
	return key, nil
}

func tame(err error) error {
	e := sdk.AsError(err)
	tamed := &sdk.Error{Kind: sdk.Internal, Cause: err}
	if slices.Contains(sdk.Kinds(), e.Kind) {
		tamed.Kind = e.Kind
	}
	sentences := []string{
		mesh.WordsWrongPIN, mesh.WordsGone, mesh.WordsTooMany, mesh.WordsBusy, mesh.WordsStopped, mesh.WordsSelf, mesh.WordsVersion,
		mesh.WordsOther, mesh.WordsUnsaved,
	}
	if slices.Contains(sentences, e.Message) {
		tamed.Message = e.Message
	}
	return tamed
}

// unfriendly is the error of an other side that does not keep to the protocol.
func unfriendly(cause error) error {
	return sdk.Errorf(sdk.Invalid, "Couldn't connect to device").Because(cause)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
