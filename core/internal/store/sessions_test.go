package store

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func phone() mesh.Device {
	return mesh.Device{ID: "phone", Name: "Phone", Kind: mesh.KindBrowser, PairedAt: noon}
}

// sessionOf is a session of the device, or of the owner when there is none.
func sessionOf(device mesh.DeviceID) mesh.Session {
	_, hash := mesh.NewSessionSecret()
	s := mesh.Session{
		ID: mesh.NewSessionID(), Hash: hash, Kind: mesh.SessionOwner, Permissions: mesh.Grant{},
		Description: "Firefox", CreatedAt: noon, ExpiresAt: noon.Add(720 * time.Hour),
	}
	if device != "" {
		s.Kind, s.DeviceID, s.Permissions = mesh.SessionDevice, device, mesh.Grant{"media:*", "devices:read"}
	}
	return s
}

func pairPhone(t *testing.T, s *Store) mesh.Session {
	t.Helper()
	session := sessionOf(phone().ID)
	p := pairingOf(phone())
	p.Session = &session
	pair(t, s, p)
	return session
}

func sessions(t *testing.T, s *Store) []mesh.Session {
	t.Helper()
	all, err := s.Sessions(t.Context())
	must(t, err)
	return all
}

func TestSessionsSurviveReopening(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	device := pairPhone(t, s)
	owner := sessionOf("")
	owner.CreatedAt = noon.Add(time.Second)
	owner.LastUsedAt = noon.Add(time.Minute)
	must(t, s.AddSession(t.Context(), owner))
	must(t, s.Close())
	diff(t, []mesh.Session{device, owner}, sessions(t, openStore(t, o)))
}

func TestAddSessionDropsExpiredOnes(t *testing.T) {
	now := noon
	o := optionsIn(t.TempDir())
	o.Now = func() time.Time { return now }
	s := openStore(t, o)
	old, young := sessionOf(""), sessionOf("")
	must(t, s.AddSession(t.Context(), old))
	now = old.ExpiresAt
	young.ExpiresAt = now.Add(time.Hour)
	must(t, s.AddSession(t.Context(), young))
	diff(t, []mesh.Session{young}, sessions(t, s))
}

func TestSessionsThatCannotBe(t *testing.T) {
	s := newStore(t)
	taken := pairPhone(t, s)
	for name, spoil := range map[string]func(*mesh.Session){
		"another's hash":          func(x *mesh.Session) { x.Hash = taken.Hash },
		"another's id":            func(x *mesh.Session) { x.ID = taken.ID },
		"no hash":                 func(x *mesh.Session) { x.Hash = mesh.TokenHash{} },
		"a device's, of nobody":   func(x *mesh.Session) { x.Kind = mesh.SessionDevice },
		"the owner's, of a phone": func(x *mesh.Session) { x.DeviceID = taken.DeviceID },
		"of an unknown device":    func(x *mesh.Session) { x.Kind, x.DeviceID = mesh.SessionDevice, "nobody" },
		"of an unknown kind":      func(x *mesh.Session) { x.Kind = "guest" },
	} {
		x := sessionOf("")
		spoil(&x)
		if s.AddSession(t.Context(), x) == nil {
			t.Errorf("%s: stored", name)
		}
	}
	diff(t, []mesh.Session{taken}, sessions(t, s))
}

func TestRenewSession(t *testing.T) {
	s := newStore(t)
	session := pairPhone(t, s)
	from, to := session.ExpiresAt, session.ExpiresAt.Add(24*time.Hour)
	for _, step := range []struct {
		name string
		hash mesh.TokenHash
		from time.Time
		want bool
	}{
		{"moved already", session.Hash, from.Add(-time.Second), false},
		{"no such session", mesh.TokenHash{7}, from, false},
		{"as expected", session.Hash, from, true},
		{"again", session.Hash, from, false},
	} {
		got, err := s.RenewSession(t.Context(), step.hash, step.from, to)
		must(t, err)
		if got != step.want {
			t.Errorf("%s: renewed = %v", step.name, got)
		}
	}
	if got := sessions(t, s)[0].ExpiresAt; got != to {
		t.Errorf("expires %v, want %v", got, to)
	}
}

func TestTouchSessions(t *testing.T) {
	s := newStore(t)
	session := pairPhone(t, s)
	for _, at := range []time.Time{noon.Add(time.Hour), noon} { // the later one stays
		must(t, s.TouchSessions(t.Context(), map[mesh.TokenHash]time.Time{session.Hash: at, {9}: at}))
	}
	if got := sessions(t, s)[0].LastUsedAt; got != noon.Add(time.Hour) {
		t.Errorf("last used %v", got)
	}
}

func TestSetSessionsManage(t *testing.T) {
	s := newStore(t)
	phones := pairPhone(t, s)
	owner := sessionOf("")
	must(t, s.AddSession(t.Context(), owner))
	n, err := s.SetSessionsManage(t.Context(), phones.DeviceID, true)
	must(t, err)
	if n != 1 {
		t.Errorf("%d sessions changed", n)
	}
	for _, got := range sessions(t, s) {
		if got.Manage != (got.ID == phones.ID) {
			t.Errorf("%s manages: %v", got.Kind, got.Manage)
		}
	}
	if n, err := s.SetSessionsManage(t.Context(), "nobody", true); n != 0 || err != nil {
		t.Errorf("nobody: %d, %v", n, err)
	}
}

func TestRemoveSession(t *testing.T) {
	s := newStore(t)
	phones := pairPhone(t, s)
	owner := sessionOf("")
	must(t, s.AddSession(t.Context(), owner))
	must(t, s.RemoveSession(t.Context(), owner.ID))
	wantKind(t, s.RemoveSession(t.Context(), owner.ID), sdk.NotFound)
	diff(t, []mesh.Session{phones}, sessions(t, s))
	must(t, s.AddSession(t.Context(), owner))
	must(t, s.RemoveSessions(t.Context(), phones.DeviceID))
	must(t, s.RemoveSessions(t.Context(), "nobody"))
	diff(t, []mesh.Session{owner}, sessions(t, s))
}

// TestSessionsGoWithTheirDevice: removed, or paired again, also when the foreign
// keys are off.
func TestSessionsGoWithTheirDevice(t *testing.T) {
	for _, keys := range []string{"ON", "OFF"} {
		s := newStore(t)
		pairPhone(t, s)
		owner := sessionOf("")
		owner.CreatedAt = noon.Add(-time.Hour)
		must(t, s.AddSession(t.Context(), owner))
		execute(t, s, "PRAGMA foreign_keys = "+keys)
		second := pairPhone(t, s)
		diff(t, []mesh.Session{owner, second}, sessions(t, s))
		must(t, s.RemoveDevice(t.Context(), phone().ID))
		diff(t, []mesh.Session{owner}, sessions(t, s))
	}
}

func TestPairingWithASessionIsWhole(t *testing.T) {
	s := newStore(t)
	taken := sessionOf("")
	must(t, s.AddSession(t.Context(), taken))
	p := pairingOf(phone())
	for name, spoil := range map[string]func(*mesh.Session){
		"another's hash": func(x *mesh.Session) { x.Hash = taken.Hash },
		"no hash":        func(x *mesh.Session) { x.Hash = mesh.TokenHash{} },
		"no id":          func(x *mesh.Session) { x.ID = "" },
	} {
		session := sessionOf(phone().ID)
		spoil(&session)
		p.Session = &session
		if _, err := s.CompletePairing(t.Context(), p, nil); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if n := count(t, s, `SELECT (SELECT count(*) FROM mesh_nodes) + (SELECT count(*) FROM issued_tokens)`); n != 0 {
		t.Errorf("%d rows of a pairing that failed", n)
	}
}

// TestRepeatedPairing replaces tokens and session while the device is there, and
// does not bring it back.
func TestRepeatedPairing(t *testing.T) {
	s := newStore(t)
	pairPhone(t, s)
	session := sessionOf(phone().ID)
	p := pairingOf(phone())
	p.Session, p.Repeated = &session, true
	pair(t, s, p)
	diff(t, []mesh.Session{session}, sessions(t, s))
	issued, err := s.IssuedTokens(t.Context())
	must(t, err)
	diff(t, []mesh.IssuedToken{p.Issued}, issued)

	must(t, s.RemoveDevice(t.Context(), phone().ID))
	_, err = s.CompletePairing(t.Context(), p, &mesh.PairingRecord{Code: "code", Role: mesh.RoleShowing, Expires: noon.Add(time.Hour)})
	wantKind(t, err, sdk.NotFound)
	if n := count(t, s, `SELECT (SELECT count(*) FROM mesh_nodes) + (SELECT count(*) FROM pairing_records)`); n != 0 {
		t.Errorf("%d rows came back", n)
	}
}

// TestPairingFilesTheSessionUnderTheKnownDevice whatever it named.
func TestPairingFilesTheSessionUnderTheKnownDevice(t *testing.T) {
	s := newStore(t)
	session := sessionOf("")
	p := pairingOf(phone())
	p.Session = &session
	pair(t, s, p)
	got := sessions(t, s)[0]
	if got.Kind != mesh.SessionDevice || got.DeviceID != phone().ID {
		t.Errorf("the session is %s of %q", got.Kind, got.DeviceID)
	}
}

// TestSessionsComeToAnOlderFile upgrades a file of the schema before.
func TestSessionsComeToAnOlderFile(t *testing.T) {
	first, err := fs.ReadFile(embeddedSteps(), "00001_mesh.sql")
	must(t, err)
	o := optionsIn(t.TempDir())
	old, err := open(t.Context(), o, fstest.MapFS{"00001_mesh.sql": {Data: first}})
	must(t, err)
	// As the program of that time did: without the table of sessions.
	execute(t, old, `INSERT INTO mesh_nodes (id, name, kind, paired_at) VALUES (?, 'Phone', 'browser', ?)`, string(phone().ID), noon)
	must(t, old.Close())

	s := openStore(t, o)
	if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != 1 {
		t.Errorf("%d devices after the upgrade", n)
	}
	diff(t, []mesh.Session{pairPhone(t, s)}, sessions(t, s))
	if got := backups(t, o); len(got) != 1 {
		t.Errorf("copies = %v", got)
	}
}
