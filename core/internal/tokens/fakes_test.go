package tokens

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/bearer"
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

// The table's own pace.
const (
	flushEvery   = bearer.FlushEvery
	tellFor      = bearer.TellFor
	retryRenewal = bearer.RetryRenewal
	renewalQueue = bearer.RenewalQueue
)

var policy = mesh.TokenPolicy{Lifetime: lifetime, RenewWithin: within}

// memory is a Store in memory that counts visits and fails on demand.
type memory struct {
	mu     sync.Mutex
	rows   map[mesh.TokenHash]mesh.IssuedToken
	fail   error // of every write
	writes int
	stamps []int // tokens per TouchTokens
}

func (m *memory) IssuedTokens(context.Context) ([]mesh.IssuedToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	return slices.Collect(maps.Values(m.rows)), nil
}

// write runs change unless the store is broken.
func (m *memory) write(ctx context.Context, change func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.fail != nil {
		return m.fail
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	change()
	return nil
}

func (m *memory) RenewToken(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (renewed bool, err error) {
	err = m.write(ctx, func() {
		row, ok := m.rows[hash]
		if ok && row.RevokedAt.IsZero() && row.ExpiresAt.Equal(from) {
			row.ExpiresAt = to
			m.rows[hash] = row
			renewed = true
		}
	})
	return renewed, err
}

func (m *memory) RevokeTokens(ctx context.Context, device mesh.DeviceID, at time.Time) error {
	found := false
	err := m.write(ctx, func() {
		for hash, row := range m.rows {
			if row.DeviceID == device {
				found = true
				row.RevokedAt = at
				m.rows[hash] = row
			}
		}
	})
	if err == nil && !found {
		return &sdk.Error{Kind: sdk.NotFound}
	}
	return err
}

func (m *memory) TouchTokens(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return m.write(ctx, func() {
		m.stamps = append(m.stamps, len(used))
		for hash, at := range used {
			if row, ok := m.rows[hash]; ok {
				row.LastUsedAt = at
				m.rows[hash] = row
			}
		}
	})
}

// put stores a token as a pairing does: in place of the device's earlier ones.
func (m *memory) put(token mesh.IssuedToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.rows, func(_ mesh.TokenHash, row mesh.IssuedToken) bool { return row.DeviceID == token.DeviceID })
	m.rows[token.Hash] = token
}

func (m *memory) drop(hash mesh.TokenHash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, hash)
}

func (m *memory) row(hash mesh.TokenHash) mesh.IssuedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[hash]
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

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)}
}

func newMemory(tokens ...mesh.IssuedToken) *memory {
	m := &memory{rows: make(map[mesh.TokenHash]mesh.IssuedToken)}
	for _, token := range tokens {
		m.rows[token.Hash] = token
	}
	return m
}

func newService(t testing.TB, store Store, now func() time.Time) *Service {
	t.Helper()
	s, err := New(t.Context(), store, policy, hclog.NewNullLogger(), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// give issues a token, stores it and publishes it.
func give(s *Service, m *memory, device mesh.DeviceID, key mesh.KeyHash) (secret []byte, token mesh.IssuedToken) {
	text, token := s.Issue(device, key, mesh.Grant{"media:*"})
	m.put(token)
	s.Publish(token)
	return []byte(text), token
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mismatch (-want +got):\n%s", d)
	}
}
