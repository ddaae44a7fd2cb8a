package pairing

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// repeatLife is how long a verify that was right may be repeated, because its
// answer may get lost.
const repeatLife = time.Minute

// admission is a browser that has proved to know the number.
type admission struct {
	request VerifyRequest
	window  *window // nil: it proved so before, and this is its request again
	device  Device
	expires time.Time // of its being repeated
}

// Verify tries the number, and on the right one stores the device and answers
// with a session for a browser and a token for a script. The attempt is counted
// before anything is compared; errors are those of Claim, sdk.Forbidden for a
// wrong number, and sdk.Expired for the last of them.
//
// The very same request may be repeated within a minute of its success, also
// after a restart: it is answered with new secrets for the same device, which
// take the place of the earlier ones.
func (s *Service) Verify(ctx context.Context, req VerifyRequest) (VerifyReply, error) {
	pin, err := req.read()
	if err != nil {
		return VerifyReply{}, err
	}
	s.confirming.Lock()
	defer s.confirming.Unlock()
	a, err := s.admit(ctx, req, pin)
	if err != nil {
		s.cfg.Log.Debug("pairing attempt refused", "reason", sdk.KindOf(err))
		return VerifyReply{}, err
	}
	// From here the browser hanging up must not stop what is half done.
	return s.signIn(context.WithoutCancel(ctx), a)
}

// admit judges the number, unless the request is one that was right before.
func (s *Service) admit(ctx context.Context, req VerifyRequest, pin string) (admission, error) {
	if err := s.loadAnswers(ctx); err != nil {
		return admission{}, err
	}
	if before, ok := s.answers.byCode[req.Code]; ok {
		return s.admitAgain(ctx, req, before)
	}
	a := admission{request: req}
	err := s.invited(req.Code, req.LinkingCode, func(w *window, now time.Time) error {
		if err := w.tryPIN(pin, now); err != nil {
			return err
		}
		a.window, a.device, a.expires = w, *w.device, now.Add(repeatLife)
		if a.device.Name == unnamed { // it said nothing when it claimed
			a.device.Name = nameOr(req.NodeIdentity.Name)
		}
		return nil
	})
	return a, err
}

// tryPIN makes one attempt. The window is left in state proved when it is right.
func (w *window) tryPIN(pin string, now time.Time) error {
	if _, err := w.next(mesh.PairingShare, mesh.KeyHash{}, now); err != nil {
		return err
	}
	event := mesh.PairingConfirmBad
	if sameCode(w.pin, pin) {
		event = mesh.PairingConfirmOK
	}
	_, err := w.next(event, mesh.KeyHash{}, now)
	return err
}

// admitAgain lets the very same request in again. Anything else under its code
// is a guess, and there is one only: nobody who lost a reply sends another
// request.
func (s *Service) admitAgain(ctx context.Context, req VerifyRequest, before answer) (admission, error) {
	if before.Browser == nil || !s.cfg.Now().Before(before.expires) {
		return admission{}, s.turnAway()
	}
	if !sameCode(string(before.Request), string(req.fingerprint())) {
		s.dropAnswer(ctx, req.Code)
		return admission{}, s.turnAway()
	}
	return admission{request: req, device: *before.Browser, expires: before.expires}, nil
}

// fingerprint tells whether two requests are the very same. The linking code in
// it keeps anyone from finding the number by it.
func (m *VerifyRequest) fingerprint() Binary {
	id := m.NodeIdentity
	sum := sha256.Sum256(cpace.LVCat(
		[]byte("browser"), []byte(m.Code), []byte(m.LinkingCode), []byte(m.PIN),
		[]byte(id.NodeID), []byte(id.Name), []byte(id.Hostname), []byte(id.Kind),
	))
	return sum[:]
}

// signIn stores device, token, session and the note for a repeated request in
// one transaction, then lets token and session work.
func (s *Service) signIn(ctx context.Context, a admission) (VerifyReply, error) {
	grant := s.grant()
	token, issued := s.cfg.Tokens.Issue(a.device.ID, mesh.KeyHash{}, grant)
	secret, session := s.cfg.Sessions.Issue(a.device.ID, grant, a.request.Description)
	again := answer{Request: a.request.fingerprint(), Browser: &a.device, expires: a.expires}
	record, err := again.record(a.request.Code)
	if err != nil {
		return VerifyReply{}, s.notAdmitted(ctx, a, err)
	}
	p := mesh.Pairing{Device: a.stored(s.cfg.Now()), Issued: issued, Session: &session, Repeated: a.window == nil}
	if a.window != nil {
		p.Replaces = a.window.repairs.ID
	}
	device, err := s.complete(ctx, p, record)
	if err != nil {
		return VerifyReply{}, s.notAdmitted(ctx, a, err)
	}
	if a.window != nil {
		s.stored(a.window, device)
	}
	s.keepAnswer(ctx, a.request.Code, again)
	return VerifyReply{
		OK: true, SessionToken: secret, PeerNode: newPeerNode(s.cfg.Self(), token, issued),
		Device: device, SessionExpires: session.ExpiresAt,
	}, nil
}

// notAdmitted lets the same request be tried again, unless its device was
// removed meanwhile.
func (s *Service) notAdmitted(ctx context.Context, a admission, err error) error {
	switch {
	case a.window != nil:
		return s.notStored(a.window, err)
	case sdk.KindOf(err) == sdk.NotFound:
		s.dropAnswer(ctx, a.request.Code)
		return s.turnAway()
	}
	return err
}

// stored is the device as it is to be stored. What it says of its capabilities
// is not kept: nobody can call it.
func (a admission) stored(now time.Time) mesh.Device {
	host := a.request.NodeIdentity.Hostname
	if checkHost(host) != nil {
		host = ""
	}
	return mesh.Device{
		ID: a.device.ID, Name: a.device.Name, Kind: a.device.Kind, Hostname: host, PairedAt: now, LastSeen: now,
	}
}

// newPeerNode describes this device to a browser or script.
func newPeerNode(self Self, token string, issued mesh.IssuedToken) PeerNode {
	return PeerNode{
		NodeID: self.ID, Name: self.Name, Hostname: self.Hostname, Port: self.Port,
		Capabilities: keep(self.Capabilities, maxCapabilities, checkCapability),
		AccessToken:  token,
		Permissions:  append(mesh.Grant{}, issued.Permissions...),
		ExpiresAt:    issued.ExpiresAt.UTC(),
	}
}
