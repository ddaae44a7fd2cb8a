package pairing

import (
	"context"
	"testing"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// joiner plays the joining side message by message, honest or not, so that
// tests can leave out, repeat and change each.
type joiner struct {
	t           *testing.T
	key         mesh.KeyHash
	name        string
	linkingCode string // link mode when set

	session session
	keys    *cpace.Keys
	tokens  tokenBook
}

func newJoiner(t *testing.T, n byte) *joiner {
	return &joiner{t: t, key: mesh.KeyHash{n, 0xaa}, name: "NAS"}
}

func (j *joiner) request(code string) HelloRequest {
	req := HelloRequest{Version: Version, Mode: ModeNearby, Nonce: newNonce(), Name: j.name, Kind: mesh.KindGateway}
	if j.linkingCode != "" {
		req.Mode, req.Code = ModeLink, code
	}
	return req
}

// hello says hello and remembers the session.
func (j *joiner) hello(s *Service, code string) error {
	req := j.request(code)
	reply, err := s.Hello(context.Background(), j.key, req)
	if err != nil {
		return err
	}
	j.session = session{
		mode: req.Mode, code: reply.Code, linkingCode: j.linkingCode,
		joiner: j.key, shower: s.cfg.Self().Key, hello: req, reply: reply,
	}
	return nil
}

func (j *joiner) share(s *Service, pin string) error {
	j.t.Helper()
	exchange, err := j.session.start(pin)
	if err != nil {
		j.t.Fatal(err)
	}
	reply, err := s.Share(context.Background(), j.key, ShareRequest{Version: Version, Code: j.session.code, Share: exchange.Share()})
	if err != nil {
		return err
	}
	j.keys, err = exchange.Finish(reply.Share, j.session.showerData())
	if err != nil {
		j.t.Fatal(err)
	}
	return nil
}

// confirm makes the confirm of the present exchange, with a fresh token.
func (j *joiner) confirm() ConfirmRequest {
	j.t.Helper()
	token, issued := j.tokens.Issue(j.session.shower.DeviceID(), j.session.shower, mesh.Grant{"posts:*"})
	self := Self{ID: j.key.DeviceID(), Name: j.name, Hostname: "nas.local", Port: 6969, Addresses: []string{"nas.local:6969"}, Key: j.key}
	p := newPayload(self, token, issued)
	sealed, err := j.session.seal(j.keys, purposeToShower, p)
	if err != nil {
		j.t.Fatal(err)
	}
	return ConfirmRequest{Version: Version, Code: j.session.code, Tag: j.keys.Tag(), Sealed: sealed}
}

// try is a whole attempt with a number.
func (j *joiner) try(s *Service, code, pin string) (ConfirmReply, error) {
	j.t.Helper()
	if err := j.hello(s, code); err != nil {
		return ConfirmReply{}, err
	}
	if err := j.share(s, pin); err != nil {
		return ConfirmReply{}, err
	}
	return s.Confirm(context.Background(), j.key, j.confirm())
}

// read opens an answer as the joining side would.
func (j *joiner) read(reply ConfirmReply) payload {
	j.t.Helper()
	if err := j.keys.Verify(reply.Tag); err != nil {
		j.t.Fatal(err)
	}
	key, err := j.keys.Derive(purposeToJoiner, sealKeySize)
	if err != nil {
		j.t.Fatal(err)
	}
	p, err := openPayload(reply.Sealed, key, j.session.transcript(j.keys), j.session.shower)
	if err != nil {
		j.t.Fatal(err)
	}
	return p
}

// wrong is a number other than pin.
func wrong(pin string) string {
	if pin == "000000" {
		return "000001"
	}
	return "000000"
}

// pinOf reads the number off the screen.
func pinOf(t *testing.T, s *Service, code string) string {
	t.Helper()
	v, err := s.Window(code)
	if err != nil || len(v.PIN) != 6 {
		t.Fatalf("no number on the screen: %+v, %v", v, err)
	}
	return v.PIN
}

func opened(t *testing.T, s *Service) Window {
	t.Helper()
	w, err := s.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return w
}
