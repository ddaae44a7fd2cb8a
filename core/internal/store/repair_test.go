package store

import (
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const uuid mesh.DeviceID = "0192f0c1-7a2b-7c3d-8e4f-000000000002"

// keyless is a device as the earlier Salita left it.
func keyless(kind mesh.Kind) mesh.Device {
	return mesh.Device{
		ID: uuid, Name: "Old Laptop", Kind: kind, Hostname: "192.168.1.120",
		Addresses: []string{"192.168.1.120:6969"}, Metadata: map[string]string{"free": "1"},
		NeedsRepair: true, PairedAt: noon.Add(-time.Hour), LastSeen: noon.Add(-time.Hour),
	}
}

// insert stores a device as an import does: without any token.
func insert(t *testing.T, s *Store, d mesh.Device) {
	t.Helper()
	row := rowOfDevice(d)
	must(t, s.write.Create(&row).Error)
}

// TestRepairingAChosenDevice pairs in place of a device that the owner chose.
// There is one entry afterwards, and it is the chosen one with the new key.
func TestRepairingAChosenDevice(t *testing.T) {
	reinstalled := laptop(7)
	reinstalled.ID = uuid
	for name, test := range map[string]struct {
		before []mesh.Device // the first is the chosen one
		joins  mesh.Device
	}{
		"gateway of the earlier Salita":              {[]mesh.Device{keyless(mesh.KindGateway)}, laptop(1)},
		"gateway that was taken for a browser":       {[]mesh.Device{keyless(mesh.KindBrowser)}, laptop(1)},
		"browser that was taken for a gateway":       {[]mesh.Device{keyless(mesh.KindGateway)}, phone()},
		"phone again":                                {[]mesh.Device{keyless(mesh.KindBrowser)}, phone()},
		"gateway with the key it has":                {[]mesh.Device{laptop(1)}, laptop(1)},
		"gateway with another key":                   {[]mesh.Device{reinstalled}, laptop(1)},
		"gateway that was paired anew before":        {[]mesh.Device{keyless(mesh.KindGateway), laptop(1)}, laptop(1)},
		"reinstalled gateway that was paired before": {[]mesh.Device{reinstalled, laptop(1)}, laptop(1)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			for _, d := range test.before {
				insert(t, s, d)
				must(t, s.SaveSightings(t.Context(), []Sighting{{DeviceID: d.ID, Address: "a:1", CheckedAt: noon}}))
			}
			desktop := laptop(99)
			desktop.Name = "A desktop" // first by name
			bystander := pairingOf(desktop)
			pair(t, s, bystander)

			chosen := test.before[0]
			join := test.joins
			join.Name, join.Metadata, join.LastSeen = "laptop", nil, time.Time{}
			p := pairingOf(join)
			p.Replaces = chosen.ID
			want := join
			want.ID, want.Name, want.Metadata, want.LastSeen = chosen.ID, chosen.Name, chosen.Metadata, chosen.LastSeen
			diff(t, want, pair(t, s, p))
			checkRepaired(t, s, want, p, bystander)
		})
	}
}

func checkRepaired(t *testing.T, s *Store, want mesh.Device, p, bystander mesh.Pairing) {
	t.Helper()
	devices, err := s.Devices(t.Context())
	must(t, err)
	diff(t, []mesh.Device{bystander.Device, want}, devices)
	if got := mesh.PresenceOf(devices[1]).Status; got != mesh.StatusOffline {
		t.Errorf("it is still %s", got)
	}
	issued, err := s.IssuedTokens(t.Context())
	must(t, err)
	p.Issued.DeviceID = want.ID
	got := map[mesh.TokenHash]mesh.IssuedToken{}
	for _, token := range issued {
		got[token.Hash] = token
	}
	diff(t, map[mesh.TokenHash]mesh.IssuedToken{p.Issued.Hash: p.Issued, bystander.Issued.Hash: bystander.Issued}, got)
	if p.Peer != nil {
		token, err := s.PeerToken(t.Context(), want.ID)
		must(t, err)
		if token.Token != p.Peer.Token {
			t.Error("another peer token")
		}
	}
	if n := count(t, s, `SELECT count(*) FROM discovery_cache`); n != 1 {
		t.Errorf("%d sightings, want that of the chosen device", n)
	}
}

func TestRepairKeepsTheSessionUnderTheChosenID(t *testing.T) {
	s := newStore(t)
	insert(t, s, keyless(mesh.KindBrowser))
	p := pairingOf(phone())
	session := sessionOf(phone().ID)
	p.Session, p.Replaces = &session, uuid
	pair(t, s, p)
	if got := sessions(t, s); len(got) != 1 || got[0].DeviceID != uuid {
		t.Errorf("sessions = %+v", got)
	}
}

// TestRepairThatCannotBe leaves everything as it was.
func TestRepairThatCannotBe(t *testing.T) {
	s := newStore(t)
	before := pairingOf(laptop(1))
	pair(t, s, before)
	p := pairingOf(phone())
	p.Replaces = before.Device.ID
	_, err := s.CompletePairing(t.Context(), p, nil)
	wantKind(t, err, sdk.Conflict)
	if e := sdk.AsError(err); e.Friendly() == "" || e.Hint == "" {
		t.Errorf("error = %#v, want a sentence and a hint", e)
	}
	devices, err := s.Devices(t.Context())
	must(t, err)
	diff(t, []mesh.Device{before.Device}, devices)
	issued, err := s.IssuedTokens(t.Context())
	must(t, err)
	diff(t, []mesh.IssuedToken{before.Issued}, issued)
}

// TestRepairOfADeviceThatIsGone must not fail: the other side may have stored
// the pairing already.
func TestRepairOfADeviceThatIsGone(t *testing.T) {
	for name, known := range map[string]bool{"unknown key": false, "known key": true} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			if known {
				pair(t, s, pairingOf(laptop(1)))
			}
			p := pairingOf(laptop(1))
			p.Replaces = "gone"
			diff(t, laptop(1), pair(t, s, p))
			if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != 1 {
				t.Errorf("%d devices", n)
			}
		})
	}
}

// TestPairingAfterARepair finds the device under the id it kept.
func TestPairingAfterARepair(t *testing.T) {
	s := newStore(t)
	insert(t, s, keyless(mesh.KindGateway))
	p := pairingOf(laptop(1))
	p.Replaces = uuid
	pair(t, s, p)
	for range 3 {
		if got := pair(t, s, pairingOf(laptop(1))); got.ID != uuid || got.Name != "Old Laptop" {
			t.Errorf("paired as %s %q", got.ID, got.Name)
		}
	}
	if n := count(t, s, `SELECT (SELECT count(*) FROM mesh_nodes) + (SELECT count(*) FROM issued_tokens)`); n != 2 {
		t.Errorf("%d devices and tokens, want one each", n)
	}
}
