package sessions

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// A day of the real policy is an hour here, which spares the flush ticks of a
// month.
const (
	day      = time.Hour
	lifetime = 30 * day
	within   = 7 * day
)

var policy = mesh.TokenPolicy{Lifetime: lifetime, RenewWithin: within}

// memory is a Store that outlives the services that use it, as a disk would, and
// fails on demand.
type memory struct {
	mu     sync.Mutex
	rows   map[mesh.SessionID]mesh.Session
	fail   error
	writes int
}

var _ Store = (*memory)(nil)

func newMemory(rows ...mesh.Session) *memory {
	m := &memory{rows: map[mesh.SessionID]mesh.Session{}}
	for _, row := range rows {
		m.rows[row.ID] = row
	}
	return m
}

func (m *memory) Sessions(context.Context) ([]mesh.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.rows)), m.fail
}

// write runs change unless the store is broken.
func (m *memory) write(ctx context.Context, change func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.fail != nil {
		return m.fail
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return change()
}

func (m *memory) AddSession(ctx context.Context, session mesh.Session) error {
	return m.write(ctx, func() error {
		m.rows[session.ID] = session
		return nil
	})
}

// each changes the rows that match and counts them.
func (m *memory) each(match func(mesh.Session) bool, change func(*mesh.Session)) (n int) {
	for id, row := range m.rows {
		if match(row) {
			n++
			change(&row)
			m.rows[id] = row
		}
	}
	return n
}

func (m *memory) RenewSession(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (renewed bool, err error) {
	err = m.write(ctx, func() error {
		renewed = m.each(
			func(s mesh.Session) bool { return s.Hash == hash && s.ExpiresAt.Equal(from) },
			func(s *mesh.Session) { s.ExpiresAt = to },
		) == 1
		return nil
	})
	return renewed, err
}

func (m *memory) TouchSessions(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return m.write(ctx, func() error {
		m.each(
			func(s mesh.Session) bool { _, ok := used[s.Hash]; return ok },
			func(s *mesh.Session) { s.LastUsedAt = used[s.Hash] },
		)
		return nil
	})
}

func (m *memory) SetSessionsManage(ctx context.Context, device mesh.DeviceID, manage bool) (n int, err error) {
	err = m.write(ctx, func() error {
		n = m.each(func(s mesh.Session) bool { return s.DeviceID == device }, func(s *mesh.Session) { s.Manage = manage })
		return nil
	})
	return n, err
}

func (m *memory) RemoveSession(ctx context.Context, id mesh.SessionID) error {
	return m.write(ctx, func() error {
		if _, ok := m.rows[id]; !ok {
			return &sdk.Error{Kind: sdk.NotFound}
		}
		delete(m.rows, id)
		return nil
	})
}

func (m *memory) RemoveSessions(ctx context.Context, device mesh.DeviceID) error {
	return m.write(ctx, func() error {
		maps.DeleteFunc(m.rows, func(_ mesh.SessionID, s mesh.Session) bool { return s.DeviceID == device })
		return nil
	})
}

// put stores a device's session as a pairing does: in place of earlier ones.
func (m *memory) put(session mesh.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.rows, func(_ mesh.SessionID, s mesh.Session) bool { return s.DeviceID == session.DeviceID })
	m.rows[session.ID] = session
}

func (m *memory) row(id mesh.SessionID) (mesh.Session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[id]
	return row, ok
}

func (m *memory) broken(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) writesSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

func newService(t testing.TB, store Store) *Service {
	t.Helper()
	s, err := New(t.Context(), store, policy, hclog.NewNullLogger(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// give signs the browser of a paired device in.
func give(s *Service, m *memory, device mesh.DeviceID) (secret []byte, session mesh.Session) {
	text, session := s.Issue(device, mesh.Grant{"media:*"}, "Phone")
	m.put(session)
	s.Publish(session)
	return []byte(text), session
}

// signIn signs the owner's browser in.
func signIn(t testing.TB, s *Service) (secret []byte, session mesh.Session) {
	t.Helper()
	link, _ := s.MintLink()
	text, session, err := s.Redeem(t.Context(), link, "Firefox")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text), session
}

// bubble is a Service whose Run runs, in a bubble of its own time.
func bubble(t *testing.T, test func(t *testing.T, s *Service, m *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := newService(t, m)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		test(t, s, m)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// opens checks that the secret opens something, or why not.
func opens(t *testing.T, s *Service, secret []byte, want error) Verified {
	t.Helper()
	got, err := s.Verify(secret)
	if !errorIs(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
	return got
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mismatch (-want +got):\n%s", d)
	}
}
