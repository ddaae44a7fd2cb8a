package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestPairingAgainReplacesTheTokens(t *testing.T) {
	s := newStore(t)
	d := laptop(1)
	pair(t, s, pairingOf(d))
	must(t, s.RenameDevice(t.Context(), d.ID, "Mum's laptop"))
	broken := d
	broken.Name, broken.NeedsRepair = "Mum's laptop", true
	must(t, s.UpdateDevice(t.Context(), broken))

	var last mesh.Pairing
	for i := range 3 {
		again := d
		again.Name, again.PairedAt = "Laptop", noon.Add(time.Duration(i+1)*time.Hour)
		again.Addresses, again.Metadata, again.LastSeen = []string{fmt.Sprintf("10.0.0.%d:6969", i)}, nil, time.Time{}
		last = pairingOf(again)
		want := again
		want.Name, want.Metadata, want.LastSeen = "Mum's laptop", d.Metadata, d.LastSeen
		diff(t, want, pair(t, s, last))
		got, err := s.Device(t.Context(), d.ID)
		must(t, err)
		diff(t, want, got)
	}
	issued, err := s.IssuedTokens(t.Context())
	must(t, err)
	diff(t, []mesh.IssuedToken{last.Issued}, issued)
	peer, err := s.PeerToken(t.Context(), d.ID)
	must(t, err)
	diff(t, *last.Peer, peer)
	if n := count(t, s, `SELECT count(*) FROM peer_tokens`); n != 1 {
		t.Errorf("%d peer tokens", n)
	}
}

func TestPairingFindsTheDevice(t *testing.T) {
	uuid := mesh.DeviceID("0192f0c1-7a2b-7c3d-8e4f-000000000002")
	legacy := mesh.Device{ID: uuid, Name: "Old Laptop", Kind: mesh.KindGateway, PairedAt: noon}
	keyed := laptop(1)
	keyed.ID = uuid
	otherKey := laptop(2)
	otherKey.ID = uuid
	phone := mesh.Device{ID: "phone", Name: "Phone", Kind: mesh.KindBrowser, PairedAt: noon}
	impostor := laptop(3)
	impostor.ID = phone.ID
	keyless := keyed
	keyless.Key = mesh.KeyHash{}

	for name, test := range map[string]struct {
		before, joins mesh.Device
		id            mesh.DeviceID
		kind          sdk.Kind
	}{
		"new":                            {phone, laptop(1), laptop(1).ID, ""},
		"same id, same key":              {laptop(1), laptop(1), laptop(1).ID, ""},
		"same key under an old id":       {keyed, laptop(1), uuid, ""},
		"old id, first key":              {legacy, keyed, uuid, ""},
		"old id, another key":            {keyed, otherKey, uuid, sdk.Conflict},
		"old id, no key any more":        {keyed, keyless, uuid, sdk.Conflict},
		"browser again":                  {phone, phone, phone.ID, ""},
		"gateway with the id of a phone": {phone, impostor, phone.ID, sdk.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			before := pairingOf(test.before)
			pair(t, s, before)
			p := pairingOf(test.joins)
			got, err := s.CompletePairing(t.Context(), p, nil)
			wantKind(t, err, test.kind)
			issued, listErr := s.IssuedTokens(t.Context())
			must(t, listErr)
			if err != nil {
				diff(t, []mesh.IssuedToken{before.Issued}, issued) // nothing was touched
				return
			}
			if got.ID != test.id || got.Key != test.joins.Key {
				t.Errorf("stored as %s with key %s", got.ID, got.Key)
			}
			for _, token := range issued {
				if token.Hash == p.Issued.Hash && token.DeviceID != test.id {
					t.Errorf("token belongs to %s", token.DeviceID)
				}
			}
			if p.Peer != nil {
				peer, err := s.PeerToken(t.Context(), test.id)
				must(t, err)
				if peer.Token != p.Peer.Token {
					t.Error("another peer token")
				}
			}
		})
	}
}

func TestPairingOfABrowserDropsNothingElse(t *testing.T) {
	s := newStore(t)
	pair(t, s, pairingOf(laptop(1)))
	pair(t, s, pairingOf(mesh.Device{ID: "phone", Name: "Phone", Kind: mesh.KindBrowser, PairedAt: noon}))
	if _, err := s.PeerToken(t.Context(), laptop(1).ID); err != nil {
		t.Error(err)
	}
	_, err := s.PeerToken(t.Context(), "phone")
	wantKind(t, err, sdk.NeedsRepair)
}

func TestUnfinishedPairingIsRefused(t *testing.T) {
	s := newStore(t)
	for name, spoil := range map[string]func(*mesh.Pairing){
		"no id":         func(p *mesh.Pairing) { p.Device.ID = "" },
		"no hash":       func(p *mesh.Pairing) { p.Issued.Hash = mesh.TokenHash{} },
		"no peer token": func(p *mesh.Pairing) { p.Peer.Token = "" },
		"no kind":       func(p *mesh.Pairing) { p.Device.Kind = "" },
	} {
		p := pairingOf(laptop(1))
		spoil(&p)
		if _, err := s.CompletePairing(t.Context(), p, nil); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if n := count(t, s, `SELECT (SELECT count(*) FROM mesh_nodes) + (SELECT count(*) FROM issued_tokens)`); n != 0 {
		t.Errorf("%d rows stored", n)
	}
}

// unsealable fails like a sealer whose key is gone.
type unsealable struct{ gcm }

func (unsealable) Seal(_, _ []byte) ([]byte, error) { return nil, errors.New("no key") }

func TestPairingFailsWhole(t *testing.T) {
	s := newStore(t)
	before := pairingOf(laptop(1))
	pair(t, s, before)
	taken := pairingOf(laptop(2))
	taken.Issued.Hash = before.Issued.Hash

	for name, attempt := range map[string]func() error{
		"token hash is taken": func() error {
			_, err := s.CompletePairing(t.Context(), taken, nil)
			return err
		},
		"record cannot be stored": func() error {
			_, err := s.CompletePairing(t.Context(), pairingOf(laptop(1)), &mesh.PairingRecord{Code: "c", Role: "onlooker"})
			return err
		},
		"token cannot be sealed": func() error {
			sealer := s.Sealer
			defer func() { s.Sealer = sealer }()
			s.Sealer = unsealable{}
			_, err := s.CompletePairing(t.Context(), pairingOf(laptop(1)), nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if attempt() == nil {
				t.Fatal("stored")
			}
			devices, err := s.Devices(t.Context())
			must(t, err)
			diff(t, []mesh.Device{before.Device}, devices)
			issued, err := s.IssuedTokens(t.Context())
			must(t, err)
			diff(t, []mesh.IssuedToken{before.Issued}, issued)
			peer, err := s.PeerToken(t.Context(), before.Device.ID)
			must(t, err)
			diff(t, *before.Peer, peer)
		})
	}
}

// TestCancelledWhilePairing cancels pairings at any moment: each is whole or
// leaves nothing, and one reported as done is done.
func TestCancelledWhilePairing(t *testing.T) {
	s := newStore(t)
	stored := 0
	for round := 1; round <= 200; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(rand.IntN(1500))*time.Microsecond, cancel)
		p, record := roundPairing(round)
		_, err := s.CompletePairing(ctx, p, record)
		timer.Stop()
		cancel()
		if err == nil {
			stored = round
		}
		if stored == 0 && lastRound(s) == 0 {
			continue
		}
		checkWhole(t, s, stored)
	}
	t.Logf("last round stored: %d of 200", lastRound(s))
}

func checkWhole(t *testing.T, s *Store, acknowledged int) {
	t.Helper()
	var marks []string
	must(t, s.read.Raw(`SELECT 'round:' || hostname FROM mesh_nodes UNION SELECT permissions ->> '$[0]' FROM issued_tokens`).Scan(&marks).Error)
	if len(marks) != 1 {
		t.Fatalf("device and token disagree: %v", marks)
	}
	if n := count(t, s, `SELECT count(*) FROM issued_tokens`); n != 1 {
		t.Fatalf("%d issued tokens", n)
	}
	if round := lastRound(s); round < acknowledged {
		t.Fatalf("round %d is stored, %d was acknowledged", round, acknowledged)
	}
}

func TestConcurrentWriters(t *testing.T) {
	s := newStore(t)
	const writers, rounds = 16, 15
	var wg sync.WaitGroup
	for n := range byte(writers) {
		wg.Go(func() {
			d := laptop(n)
			for range rounds {
				p := pairingOf(d)
				if _, err := s.CompletePairing(t.Context(), p, nil); err != nil {
					t.Error(err)
				}
				if err := s.TouchTokens(t.Context(), map[mesh.TokenHash]time.Time{p.Issued.Hash: noon}); err != nil {
					t.Error(err)
				}
				if err := s.UpdateDevice(t.Context(), d); err != nil {
					t.Error(err)
				}
				if _, err := s.Devices(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, table := range []string{"mesh_nodes", "issued_tokens", "peer_tokens"} {
		if n := count(t, s, `SELECT count(*) FROM `+table); n != writers {
			t.Errorf("%s has %d rows, want %d", table, n, writers)
		}
	}
}
