package store

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func issuedToken(t *testing.T, s *Store, hash mesh.TokenHash) mesh.IssuedToken {
	t.Helper()
	all, err := s.IssuedTokens(t.Context())
	must(t, err)
	for _, token := range all {
		if token.Hash == hash {
			return token
		}
	}
	t.Fatal("token is gone")
	return mesh.IssuedToken{}
}

func TestRevokeTokens(t *testing.T) {
	s := newStore(t)
	revoked, kept := pairingOf(laptop(1)), pairingOf(laptop(2))
	pair(t, s, revoked)
	pair(t, s, kept)
	must(t, s.RevokeTokens(t.Context(), revoked.Device.ID, noon))
	must(t, s.RevokeTokens(t.Context(), revoked.Device.ID, noon.Add(time.Hour)))
	if got := issuedToken(t, s, revoked.Issued.Hash).RevokedAt; got != noon {
		t.Errorf("revoked at %v, want the first time, %v", got, noon)
	}
	if got := issuedToken(t, s, kept.Issued.Hash).RevokedAt; !got.IsZero() {
		t.Error("another device's token was revoked")
	}
}

func TestRevokeADeviceWithoutTokens(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	execute(t, s, `DELETE FROM issued_tokens`)
	must(t, s.RevokeTokens(t.Context(), d.ID, noon))
}

func TestRenewToken(t *testing.T) {
	from := noon.Add(720 * time.Hour)
	to := from.Add(24 * time.Hour)
	for name, test := range map[string]struct {
		hash    func(mesh.TokenHash) mesh.TokenHash
		from    time.Time
		revoked bool
		want    bool
	}{
		"as expected":    {nil, from, false, true},
		"in other zone":  {nil, from.In(time.FixedZone("west", -5*3600)), false, true},
		"finer clock":    {nil, from.Add(999 * time.Nanosecond), false, true},
		"moved already":  {nil, from.Add(-time.Second), false, false},
		"revoked":        {nil, from, true, false},
		"no such token":  {func(h mesh.TokenHash) mesh.TokenHash { h[0]++; return h }, from, false, false},
		"the zero token": {func(mesh.TokenHash) mesh.TokenHash { return mesh.TokenHash{} }, from, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			p := pairingOf(laptop(1))
			pair(t, s, p)
			if test.revoked {
				must(t, s.RevokeTokens(t.Context(), p.Device.ID, noon))
			}
			hash := p.Issued.Hash
			if test.hash != nil {
				hash = test.hash(hash)
			}
			got, err := s.RenewToken(t.Context(), hash, test.from, to)
			must(t, err)
			want := from
			if test.want {
				want = to
			}
			if expires := issuedToken(t, s, p.Issued.Hash).ExpiresAt; got != test.want || expires != want {
				t.Errorf("renewed = %v, expires %v; want %v, %v", got, expires, test.want, want)
			}
		})
	}
}

func TestTouchTokens(t *testing.T) {
	s := newStore(t)
	used := map[mesh.TokenHash]time.Time{{0xff}: noon} // a token that is gone
	const devices = touchChunk + touchChunk/2
	for n := range devices {
		p := pairingOf(laptop(byte(n)))
		pair(t, s, p)
		used[p.Issued.Hash] = noon.Add(time.Duration(n) * time.Second)
	}
	must(t, s.TouchTokens(t.Context(), nil))
	must(t, s.TouchTokens(t.Context(), used))
	earlier := map[mesh.TokenHash]time.Time{}
	for hash := range used {
		earlier[hash] = noon.Add(-time.Hour)
	}
	must(t, s.TouchTokens(t.Context(), earlier))

	all, err := s.IssuedTokens(t.Context())
	must(t, err)
	if len(all) != devices {
		t.Fatalf("%d tokens", len(all))
	}
	for _, token := range all {
		if token.LastUsedAt != used[token.Hash] {
			t.Errorf("last used %v, want %v", token.LastUsedAt, used[token.Hash])
		}
	}
}

func TestMalformedPermissionAllowsNothing(t *testing.T) {
	s := newStore(t)
	p := pairingOf(laptop(1))
	pair(t, s, p)
	execute(t, s, `UPDATE issued_tokens SET permissions = '["media", "::", "", "posts:read"]'`)
	grant := issuedToken(t, s, p.Issued.Hash).Permissions
	for want, allowed := range map[mesh.Permission]bool{"posts:read": true, "media:upload": false, "posts:create": false} {
		if grant.Allows(want) != allowed {
			t.Errorf("%s allowed = %v", want, !allowed)
		}
	}
}

func TestPeerTokenExpiry(t *testing.T) {
	s := newStore(t)
	p := pairingOf(laptop(1))
	pair(t, s, p)
	later := noon.Add(9000 * time.Hour)
	must(t, s.SetPeerTokenExpiry(t.Context(), p.Device.ID, later))
	p.Peer.ExpiresAt = later
	got, err := s.PeerToken(t.Context(), p.Device.ID)
	must(t, err)
	diff(t, *p.Peer, got)
	wantKind(t, s.SetPeerTokenExpiry(t.Context(), "nobody", later), sdk.NeedsRepair)
	_, err = s.PeerToken(t.Context(), "nobody")
	wantKind(t, err, sdk.NeedsRepair)
}

func TestPeerTokensListWithoutSecrets(t *testing.T) {
	s := newStore(t)
	p := pairingOf(laptop(1))
	pair(t, s, p)
	got, err := s.PeerTokens(t.Context())
	must(t, err)
	p.Peer.Token = ""
	diff(t, []mesh.PeerToken{*p.Peer}, got)
}

func TestSealedTokenOpensInItsRowOnly(t *testing.T) {
	s := newStore(t)
	a, b := pairingOf(laptop(1)), pairingOf(laptop(2))
	pair(t, s, a)
	pair(t, s, b)
	execute(t, s, `UPDATE peer_tokens SET sealed_token = (SELECT sealed_token FROM peer_tokens WHERE node_id = ?)`, string(a.Device.ID))
	got, err := s.PeerToken(t.Context(), a.Device.ID)
	must(t, err)
	diff(t, *a.Peer, got)
	_, err = s.PeerToken(t.Context(), b.Device.ID)
	wantKind(t, err, sdk.NeedsRepair)
}

func TestOtherKeyNeedsRepair(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	p, record := roundPairing(1)
	_, err := s.CompletePairing(t.Context(), p, record)
	must(t, err)
	must(t, s.Close())
	o.Sealer = newSealer(1)
	s = openStore(t, o)
	_, err = s.PeerToken(t.Context(), p.Device.ID)
	wantKind(t, err, sdk.NeedsRepair)
	records, err := s.PairingRecords(t.Context(), mesh.RoleShowing)
	must(t, err)
	if len(records) != 0 {
		t.Errorf("records = %v", records)
	}
}

// TestNoSecretInAnyFile looks for secrets in every file of the folder, also
// after they were replaced and removed, and in copies.
func TestNoSecretInAnyFile(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	var secrets []string
	for n := range byte(20) {
		p := pairingOf(laptop(n % 10))
		given, hash := mesh.NewToken()
		p.Issued.Hash = hash
		code, _ := mesh.NewToken()
		_, err := s.CompletePairing(t.Context(), p, &mesh.PairingRecord{
			Code: "code", Role: mesh.RoleJoining, Secret: []byte(code), Expires: noon.Add(time.Hour),
		})
		must(t, err)
		secrets = append(secrets, given, p.Peer.Token, code)
	}
	must(t, s.RemoveDevice(t.Context(), laptop(1).ID))
	must(t, s.Backup(t.Context(), filepath.Join(filepath.Dir(o.Path), "copy.db")))
	check := func() {
		t.Helper()
		for name, content := range snapshot(t, filepath.Dir(o.Path)) {
			for _, secret := range secrets {
				if bytes.Contains([]byte(content), []byte(secret)) || bytes.Contains([]byte(content), []byte(secret[20:])) {
					t.Errorf("%s holds a secret", name)
				}
			}
		}
	}
	if info, err := os.Stat(o.Path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatal("no log to look into")
	}
	check()
	must(t, s.Close())
	check()
}

func TestPairingRecords(t *testing.T) {
	now := noon
	o := optionsIn(t.TempDir())
	o.Now = func() time.Time { return now }
	s := openStore(t, o)
	record := func(code string, role mesh.PairingRole, minutes int) mesh.PairingRecord {
		r := mesh.PairingRecord{Code: code, Role: role, Secret: []byte(code + "'s"), Expires: noon.Add(time.Duration(minutes) * time.Minute)}
		must(t, s.SavePairingRecord(t.Context(), r))
		return r
	}
	list := func(role mesh.PairingRole) []mesh.PairingRecord {
		records, err := s.PairingRecords(t.Context(), role)
		must(t, err)
		return records
	}
	late := record("late", mesh.RoleShowing, 10)
	soon := record("soon", mesh.RoleShowing, 5)
	joining := record("soon", mesh.RoleJoining, 5)
	diff(t, []mesh.PairingRecord{soon, late}, list(mesh.RoleShowing))
	diff(t, []mesh.PairingRecord{joining}, list(mesh.RoleJoining))

	soon = record("soon", mesh.RoleShowing, 7) // replaced
	diff(t, []mesh.PairingRecord{soon, late}, list(mesh.RoleShowing))
	must(t, s.DeletePairingRecord(t.Context(), "soon", mesh.RoleShowing))
	wantKind(t, s.DeletePairingRecord(t.Context(), "soon", mesh.RoleShowing), sdk.NotFound)
	diff(t, []mesh.PairingRecord{late}, list(mesh.RoleShowing))
	diff(t, []mesh.PairingRecord{joining}, list(mesh.RoleJoining))

	now = noon.Add(5 * time.Minute) // joining's very moment
	if got := list(mesh.RoleJoining); len(got) != 0 {
		t.Errorf("expired, yet listed: %v", got)
	}
	must(t, s.Close())
	s = openStore(t, o)
	if n := count(t, s, `SELECT count(*) FROM pairing_records`); n != 1 {
		t.Errorf("%d records after reopening, want the one not expired", n)
	}
	now = noon.Add(time.Hour)
	record("new", mesh.RoleShowing, 90)
	if n := count(t, s, `SELECT count(*) FROM pairing_records`); n != 1 {
		t.Errorf("%d records after saving another, want that one", n)
	}
}

func TestDiskFull(t *testing.T) {
	s := newStore(t)
	before := pairingOf(laptop(1))
	pair(t, s, before)
	execute(t, s, `PRAGMA max_page_count = 1`) // as many as there are
	var err error
	for n := byte(2); err == nil && n < math.MaxUint8; n++ {
		_, err = s.CompletePairing(t.Context(), pairingOf(laptop(n)), nil)
	}
	wantKind(t, err, sdk.NoSpace)
	devices := count(t, s, `SELECT count(*) FROM mesh_nodes`)
	if tokens := count(t, s, `SELECT count(*) FROM peer_tokens`); tokens != devices {
		t.Errorf("%d devices, %d tokens", devices, tokens)
	}
	must(t, s.RevokeTokens(t.Context(), before.Device.ID, noon)) // needs no room
	execute(t, s, `PRAGMA max_page_count = 100000`)
	pair(t, s, pairingOf(laptop(255)))
}
