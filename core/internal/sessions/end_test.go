package sessions

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

var diskFull = (&sdk.Error{Kind: sdk.NoSpace}).Because(errors.New("disk full"))

func kindIs(t *testing.T, err error, want sdk.Kind) {
	t.Helper()
	if got := sdk.KindOf(err); got != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestRemove(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	gone, removed := signIn(t, s)
	stays, _ := signIn(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // its caller has gone away
	if err := s.Remove(ctx, removed.ID); err != nil {
		t.Fatal(err)
	}
	opens(t, s, gone, ErrUnknown)
	opens(t, s, stays, nil)
	if _, ok := m.row(removed.ID); ok {
		t.Error("still stored")
	}
	kindIs(t, s.Remove(t.Context(), removed.ID), sdk.NotFound)
	kindIs(t, s.Remove(t.Context(), ""), sdk.NotFound)
}

// TestRemoveThatTheStoreForgotAlready, as one that it purged.
func TestRemoveThatTheStoreForgotAlready(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	secret, session := signIn(t, s)
	if err := m.RemoveSession(t.Context(), session.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), session.ID); err != nil {
		t.Error(err)
	}
	opens(t, s, secret, ErrUnknown)
}

func TestRemovalThatCannotBeStored(t *testing.T) {
	for name, end := range map[string]func(*Service, mesh.Session) error{
		"one session": func(s *Service, x mesh.Session) error { return s.Remove(context.Background(), x.ID) },
		"a device's":  func(s *Service, x mesh.Session) error { return s.RemoveDevice(context.Background(), x.DeviceID) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *Service, m *memory) {
				secret, session := give(s, m, "phone")
				m.broken(diskFull)
				err := end(s, session)
				kindIs(t, err, sdk.NoSpace)
				if sdk.AsError(err).Hint == "" {
					t.Error("no hint")
				}
				opens(t, s, secret, ErrRevoked)
				time.Sleep(3 * bearer.FlushEvery)
				m.broken(nil)
				time.Sleep(bearer.FlushEvery)
				synctest.Wait()
				if _, ok := m.row(session.ID); ok {
					t.Error("never removed, although the store is well again")
				}
			})
		})
	}
}

func TestRemoveDevice(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	phone, session := give(s, m, "phone")
	tablet, _ := give(s, m, "tablet")
	owner, _ := signIn(t, s)
	if err := s.RemoveDevice(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	opens(t, s, phone, ErrRevoked)
	opens(t, s, tablet, nil)
	opens(t, s, owner, nil)
	if _, ok := m.row(session.ID); ok {
		t.Error("still stored")
	}
	if err := s.RemoveDevice(t.Context(), "nobody"); err != nil {
		t.Errorf("a device without sessions: %v", err)
	}
	again, _ := give(s, m, "phone")
	opens(t, s, again, nil)
}

// TestRemovedWhileBeingPaired is a removal between the moment a session was made
// and the moment it would begin to work.
func TestRemovedWhileBeingPaired(t *testing.T) {
	bubble(t, func(t *testing.T, s *Service, m *memory) {
		text, session := s.Issue("phone", nil, "")
		time.Sleep(time.Second)
		if err := s.RemoveDevice(t.Context(), "phone"); err != nil {
			t.Fatal(err)
		}
		m.put(session)
		s.Publish(session)
		opens(t, s, []byte(text), ErrRevoked)
		synctest.Wait()
		if _, ok := m.row(session.ID); ok {
			t.Error("a restart would let it in")
		}
	})
}

// TestPairedAgainBeforeARemovalIsStored: the removal that waits for a well store
// must not end the session that came after it.
func TestPairedAgainBeforeARemovalIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, s *Service, m *memory) {
		give(s, m, "phone")
		m.broken(diskFull)
		kindIs(t, s.RemoveDevice(t.Context(), "phone"), sdk.NoSpace)
		synctest.Wait()
		m.broken(nil)
		time.Sleep(time.Second)
		secret, session := give(s, m, "phone")
		time.Sleep(3 * bearer.FlushEvery)
		synctest.Wait()
		if _, ok := m.row(session.ID); !ok {
			t.Error("the new session is gone")
		}
		opens(t, s, secret, nil)
	})
}

func TestSetManage(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	phone, session := give(s, m, "phone")
	tablet, _ := give(s, m, "tablet")
	for _, manage := range []bool{true, false, true} {
		if err := s.SetManage(t.Context(), "phone", manage); err != nil {
			t.Fatal(err)
		}
		if got := opens(t, s, phone, nil); got.Manage != manage {
			t.Errorf("manages: %v, want %v", got.Manage, manage)
		}
		if row, _ := m.row(session.ID); row.Manage != manage {
			t.Errorf("stored: %v, want %v", row.Manage, manage)
		}
	}
	if opens(t, s, tablet, nil).Manage {
		t.Error("another device may manage")
	}
	for _, s := range s.List() {
		if s.Manage != (s.DeviceID == "phone") {
			t.Errorf("listed: %s manages: %v", s.DeviceID, s.Manage)
		}
	}
	again, _ := give(s, m, "phone")
	if opens(t, s, again, nil).Manage {
		t.Error("paired again, and still may manage")
	}
	kindIs(t, s.SetManage(t.Context(), "nobody", true), sdk.NotFound)
	signIn(t, s)
	kindIs(t, s.SetManage(t.Context(), "", false), sdk.NotFound) // the owner's are no device's
}

// TestManageThatCannotBeStored: taking it away counts at once and is tried
// again; giving it does not count.
func TestManageThatCannotBeStored(t *testing.T) {
	bubble(t, func(t *testing.T, s *Service, m *memory) {
		secret, session := give(s, m, "phone")
		m.broken(diskFull)
		kindIs(t, s.SetManage(t.Context(), "phone", true), sdk.NoSpace)
		if opens(t, s, secret, nil).Manage {
			t.Error("may manage although that is not stored")
		}
		m.broken(nil)
		if err := s.SetManage(t.Context(), "phone", true); err != nil {
			t.Fatal(err)
		}
		m.broken(diskFull)
		kindIs(t, s.SetManage(t.Context(), "phone", false), sdk.NoSpace)
		if opens(t, s, secret, nil).Manage {
			t.Error("may still manage")
		}
		synctest.Wait()
		m.broken(nil)
		time.Sleep(bearer.FlushEvery)
		synctest.Wait()
		if row, _ := m.row(session.ID); row.Manage {
			t.Error("a restart would give it back")
		}
	})
}

// TestRemoveAgainstVerify hammers sessions while they are removed: no use that
// begins after a removal was acknowledged may succeed.
func TestRemoveAgainstVerify(t *testing.T) {
	m := newMemory()
	s := newService(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { s.Run(ctx) })
	var workers sync.WaitGroup
	for n := range 4 {
		device := mesh.DeviceID(rune('a' + n))
		workers.Go(func() {
			for range 100 {
				secret, _ := give(s, m, device)
				opens(t, s, secret, nil)
				s.List()
				if err := s.RemoveDevice(ctx, device); err != nil {
					t.Error(err)
				}
				opens(t, s, secret, ErrRevoked)
				owner, session := signIn(t, s)
				if err := s.Remove(ctx, session.ID); err != nil {
					t.Error(err)
				}
				opens(t, s, owner, ErrUnknown)
			}
		})
	}
	workers.Wait()
}
