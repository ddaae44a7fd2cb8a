package pairing

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/store"
	"github.com/salita-mesh/salita/core/internal/tokens"
	"github.com/salita-mesh/salita/sdk"
)

// openSealer stands in for sealing; notes of browsers hold no secret.
type openSealer struct{}

func (openSealer) Seal(plaintext, _ []byte) ([]byte, error) { return plaintext, nil }
func (openSealer) Open(sealed, _ []byte) ([]byte, error)    { return sealed, nil }

// gateway is a Service over the real rooms.
type gateway struct {
	*Service
	store    *store.Store
	tokens   *tokens.Service
	sessions *sessions.Service
}

func openGateway(t *testing.T, dir string) gateway {
	t.Helper()
	var g gateway
	var err error
	log, ctx := hclog.NewNullLogger(), t.Context()
	policy := mesh.TokenPolicy{Lifetime: 720 * time.Hour, RenewWithin: 168 * time.Hour}
	if g.store, err = store.Open(ctx, store.Options{Path: filepath.Join(dir, "salita.db"), Sealer: openSealer{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.store.Close() })
	if g.tokens, err = tokens.New(ctx, g.store, policy, log, time.Now); err != nil {
		t.Fatal(err)
	}
	if g.sessions, err = sessions.New(ctx, g.store, policy, log, time.Now); err != nil {
		t.Fatal(err)
	}
	g.Service = New(Config{
		Policy: Policy{Grant: mesh.Grant{"media:*"}}, Self: newHouse("desktop", 1).self,
		Store: g.store, Tokens: g.tokens, Sessions: g.sessions,
	})
	return g
}

// wants checks whether token and session of the reply open something.
func (g gateway) wants(t *testing.T, reply VerifyReply, opens bool) {
	t.Helper()
	token, err := g.tokens.Verify([]byte(reply.PeerNode.AccessToken), mesh.KeyHash{})
	if (err == nil) != opens || opens && (token.DeviceID != reply.Device.ID || !token.Permissions.Allows("media:upload")) {
		t.Errorf("token: %+v, %v", token, err)
	}
	session, err := g.sessions.Verify([]byte(reply.SessionToken))
	if (err == nil) != opens || opens && (session.DeviceID != reply.Device.ID || session.Manage || session.Kind != mesh.SessionDevice) {
		t.Errorf("session: %+v, %v", session, err)
	}
}

// leaves checks what is stored of devices, tokens and sessions.
func (g gateway) leaves(t *testing.T, devices, issued, signedIn int) {
	t.Helper()
	d, err := g.store.Devices(t.Context())
	i, err2 := g.store.IssuedTokens(t.Context())
	s, err3 := g.store.Sessions(t.Context())
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	if len(d) != devices || len(i) != issued || len(s) != signedIn {
		t.Errorf("%d devices, %d tokens, %d sessions; want %d, %d, %d", len(d), len(i), len(s), devices, issued, signedIn)
	}
}

// TestPhoneOverTheRealRooms pairs a phone, repeats, restarts, repairs three times
// and removes it.
func TestPhoneOverTheRealRooms(t *testing.T) {
	dir := t.TempDir()
	g := openGateway(t, dir)
	w, pin := claimed(t, g.Service)
	lost, err := verify(g.Service, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	g.wants(t, lost, true)
	if err := g.store.Close(); err != nil { // the program ends, and starts again
		t.Fatal(err)
	}
	g = openGateway(t, dir)
	g.wants(t, lost, true)
	reply, err := verify(g.Service, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	g.wants(t, lost, false)
	g.wants(t, reply, true)
	g.leaves(t, 1, 1, 1)

	for range 3 {
		repaired := pairPhone(t, g.Service, repairing(t, g.Service, reply.Device.ID))
		if repaired.Device.ID != reply.Device.ID {
			t.Fatalf("repaired as another device %s", repaired.Device.ID)
		}
		g.wants(t, reply, false)
		reply = repaired
		g.wants(t, reply, true)
		g.leaves(t, 1, 1, 1)
	}

	// As removing a device does.
	if err := g.tokens.Revoke(t.Context(), reply.Device.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.sessions.RemoveDevice(t.Context(), reply.Device.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.store.RemoveDevice(t.Context(), reply.Device.ID); err != nil {
		t.Fatal(err)
	}
	g.wants(t, reply, false)
	g.leaves(t, 0, 0, 0)
}

// TestRemovedPhoneOverTheRealRooms: the request that paired it does not bring it
// back.
func TestRemovedPhoneOverTheRealRooms(t *testing.T) {
	g := openGateway(t, t.TempDir())
	w, pin := claimed(t, g.Service)
	reply, err := verify(g.Service, verifyBy(w, pin))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.store.RemoveDevice(t.Context(), reply.Device.ID); err != nil {
		t.Fatal(err)
	}
	_, err = verify(g.Service, verifyBy(w, pin))
	kindIs(t, err, sdk.Expired, mesh.WordsGone)
	g.leaves(t, 0, 0, 0)
}
