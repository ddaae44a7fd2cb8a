package pairing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// memory is a Store and outlives the services that use it, as a disk would. It
// keeps to the rules of the real one: a pairing replaces all tokens and sessions
// of its device, which keeps its id and name.
type memory struct {
	mu       sync.Mutex
	devices  map[mesh.DeviceID]mesh.Device
	issued   map[mesh.TokenHash]mesh.IssuedToken
	peers    map[mesh.DeviceID]mesh.PeerToken
	sessions map[mesh.DeviceID]mesh.Session
	records  map[recordKey]mesh.PairingRecord
}

type recordKey struct {
	code string
	role mesh.PairingRole
}

var _ Store = (*memory)(nil)

func newMemory() *memory {
	return &memory{
		devices:  map[mesh.DeviceID]mesh.Device{},
		issued:   map[mesh.TokenHash]mesh.IssuedToken{},
		peers:    map[mesh.DeviceID]mesh.PeerToken{},
		sessions: map[mesh.DeviceID]mesh.Session{},
		records:  map[recordKey]mesh.PairingRecord{},
	}
}

func (m *memory) CompletePairing(_ context.Context, p mesh.Pairing, record *mesh.PairingRecord) (mesh.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.devices[p.Device.ID]; p.Repeated && !ok {
		return mesh.Device{}, &sdk.Error{Kind: sdk.NotFound}
	}
	device := m.place(p)
	m.forget(device.ID)
	m.devices[device.ID] = device
	issued := p.Issued
	issued.DeviceID = device.ID
	m.issued[issued.Hash] = issued
	if p.Peer != nil {
		peer := *p.Peer
		peer.DeviceID = device.ID
		m.peers[device.ID] = peer
	}
	if p.Session != nil {
		session := *p.Session
		session.DeviceID = device.ID
		m.sessions[device.ID] = session
	}
	if record != nil {
		m.records[recordKey{record.Code, record.Role}] = *record
	}
	return device, nil
}

// place finds the place that the pairing's device takes.
func (m *memory) place(p mesh.Pairing) mesh.Device {
	device := p.Device
	for _, known := range m.devices {
		if known.ID == device.ID || !device.Key.IsZero() && known.Key == device.Key {
			device.ID, device.Name = known.ID, known.Name
		}
	}
	if known, ok := m.devices[p.Replaces]; ok && known.ID != device.ID {
		m.forget(device.ID)
		device.ID, device.Name = known.ID, known.Name
	}
	return device
}

// forget drops a device with all it has.
func (m *memory) forget(id mesh.DeviceID) {
	maps.DeleteFunc(m.issued, func(_ mesh.TokenHash, t mesh.IssuedToken) bool { return t.DeviceID == id })
	delete(m.devices, id)
	delete(m.peers, id)
	delete(m.sessions, id)
}

func (m *memory) remove(id mesh.DeviceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(id)
}

func (m *memory) Devices(context.Context) ([]mesh.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.devices)), nil
}

func (m *memory) SavePairingRecord(_ context.Context, record mesh.PairingRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[recordKey{record.Code, record.Role}] = record
	return nil
}

func (m *memory) PairingRecords(_ context.Context, role mesh.PairingRole) ([]mesh.PairingRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []mesh.PairingRecord
	for k, r := range m.records {
		if k.role == role {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) DeletePairingRecord(_ context.Context, code string, role mesh.PairingRole) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[recordKey{code, role}]; !ok {
		return &sdk.Error{Kind: sdk.NotFound}
	}
	delete(m.records, recordKey{code, role})
	return nil
}

func (m *memory) recordsOf(role mesh.PairingRole) []mesh.PairingRecord {
	records, _ := m.PairingRecords(context.Background(), role)
	return records
}

// tokenBook is a Tokens that counts.
type tokenBook struct {
	mu        sync.Mutex
	published []mesh.IssuedToken
	forgotten []mesh.DeviceID
	secrets   []string
}

var _ Tokens = (*tokenBook)(nil)

func (b *tokenBook) Issue(device mesh.DeviceID, key mesh.KeyHash, grant mesh.Grant) (string, mesh.IssuedToken) {
	token, hash := mesh.NewToken()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, token)
	now := time.Now().UTC()
	return token, mesh.IssuedToken{
		Hash: hash, DeviceID: device, Key: key, Permissions: grant,
		IssuedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
	}
}

func (b *tokenBook) Publish(token mesh.IssuedToken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = append(b.published, token)
}

func (b *tokenBook) Forget(device mesh.DeviceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgotten = append(b.forgotten, device)
}

// sessionBook is a Sessions that counts.
type sessionBook struct {
	mu        sync.Mutex
	published []mesh.Session
	secrets   []string
}

var _ Sessions = (*sessionBook)(nil)

func (b *sessionBook) Issue(device mesh.DeviceID, grant mesh.Grant, description string) (string, mesh.Session) {
	secret, hash := mesh.NewSessionSecret()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, secret)
	now := time.Now().UTC()
	return secret, mesh.Session{
		ID: mesh.NewSessionID(), Hash: hash, Kind: mesh.SessionDevice, DeviceID: device, Permissions: grant,
		Description: description, CreatedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
	}
}

func (b *sessionBook) Publish(session mesh.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = append(b.published, session)
}

// house is one device: what outlives its service, and the service that runs.
type house struct {
	name     string
	key      mesh.KeyHash
	address  string
	store    *memory
	tokens   *tokenBook
	sessions *sessionBook
	log      hclog.Logger
	wrap     func(Store) Store // between service and disk; nil: nothing
	caller   Caller
	policy   Policy
	crashed  bool // has been killed before

	mu       sync.Mutex
	service  *Service
	paired   []mesh.Device
	absorbed []mesh.DeviceID
	changed  []string
}

func newHouse(name string, n byte) *house {
	return &house{
		name: name, key: mesh.KeyHash{n, 0xee}, address: name + ".local:6969",
		store: newMemory(), tokens: &tokenBook{}, sessions: &sessionBook{},
		policy: Policy{Grant: mesh.Grant{"media:*", mesh.DevicesRead}},
	}
}

func (h *house) self() Self {
	return Self{
		ID: h.key.DeviceID(), Name: h.name, Hostname: h.name + ".local", Port: 6969,
		Addresses: []string{h.address}, Capabilities: []string{h.name + ".storage"}, Key: h.key,
	}
}

// start gives the house a new service on its old disk.
func (h *house) start() *Service {
	var store Store = h.store
	if h.wrap != nil {
		store = h.wrap(store)
	}
	s := New(Config{
		Policy: h.policy, Self: h.self, Store: store, Tokens: h.tokens, Sessions: h.sessions, Caller: h.caller, Log: h.log,
		Absorbed: func(id mesh.DeviceID) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.absorbed = append(h.absorbed, id)
		},
		Paired: func(d mesh.Device) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.paired = append(h.paired, d)
		},
		Changed: func(id string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.changed = append(h.changed, id)
		},
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.service = s
	return s
}

func (h *house) running() *Service {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.service
}

// run starts a service and its Run; the returned function ends both.
func (h *house) run(t *testing.T) (*Service, func()) {
	t.Helper()
	s := h.start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: run ended with %v", h.name, err)
		}
	}
}

// street is a network without sockets, on which every call is encoded, answered
// and decoded as over HTTP.
type street struct {
	mu     sync.Mutex
	houses map[string]*house
	before func(from *house, path string) error // the request is lost
	after  func(from *house, path string) error // the answer is lost
}

func newStreet(houses ...*house) *street {
	s := &street{houses: map[string]*house{}}
	for _, h := range houses {
		s.houses[h.address] = h
		h.caller = door{s, h}
	}
	return s
}

func (s *street) lose(before, after func(from *house, path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *street) hooks() (before, after func(from *house, path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nothing := func(*house, string) error { return nil }
	before, after = s.before, s.after
	if before == nil {
		before = nothing
	}
	if after == nil {
		after = nothing
	}
	return before, after
}

// door is the Caller of one house.
type door struct {
	street *street
	house  *house
}

var _ Caller = door{}

func (d door) Call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return mesh.KeyHash{}, err
	}
	for _, address := range addresses {
		d.street.mu.Lock()
		h := d.street.houses[address]
		d.street.mu.Unlock()
		if h == nil || (pin != nil && *pin != h.key) {
			continue
		}
		before, after := d.street.hooks()
		if err := before(d.house, path); err != nil {
			return mesh.KeyHash{}, (&sdk.Error{Kind: sdk.Offline}).Because(err)
		}
		status, answer := serve(ctx, h.running(), d.house.key, path, body)
		if err := after(d.house, path); err != nil {
			return mesh.KeyHash{}, (&sdk.Error{Kind: sdk.Offline}).Because(err)
		}
		return h.key, decodeAnswer(status, answer, out)
	}
	return mesh.KeyHash{}, (&sdk.Error{Kind: sdk.Offline}).Because(errors.New("no address answers"))
}

// serve is what the HTTP edge does with a request.
func serve(ctx context.Context, s *Service, from mesh.KeyHash, path string, body []byte) (int, []byte) {
	if s == nil {
		return written(nil, &sdk.Error{Kind: sdk.Offline})
	}
	switch path {
	case PathHello:
		return handle(ctx, body, from, s.Hello)
	case PathShare:
		return handle(ctx, body, from, s.Share)
	case PathConfirm:
		return handle(ctx, body, from, s.Confirm)
	}
	return written(nil, &sdk.Error{Kind: sdk.NotFound})
}

func handle[In, Out any](ctx context.Context, body []byte, from mesh.KeyHash, method func(context.Context, mesh.KeyHash, In) (Out, error)) (int, []byte) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return written(nil, (&sdk.Error{Kind: sdk.Invalid}).Because(err))
	}
	out, err := method(ctx, from, in)
	return written(out, err)
}

func written(out any, err error) (int, []byte) {
	status := 200
	if err != nil {
		e := sdk.AsError(err)
		status, out = e.HTTPStatus(), sdk.ErrorBody{Error: e.Friendly(), Code: e.Kind, Hint: e.Hint}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return status, body
}

func decodeAnswer(status int, body []byte, out any) error {
	if status == 200 {
		return json.Unmarshal(body, out)
	}
	var e sdk.ErrorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Code == "" {
		return fmt.Errorf("unexpected answer with status %d", status)
	}
	return &sdk.Error{Kind: e.Code, Message: e.Error, Hint: e.Hint}
}

// friends checks that two houses have each other and that each holds exactly
// the token that the other honours.
func friends(t *testing.T, a, b *house) {
	t.Helper()
	for _, side := range []struct{ from, to *house }{{a, b}, {b, a}} {
		device, ok := side.from.store.devices[side.to.key.DeviceID()]
		if !ok || device.Key != side.to.key || device.Kind != mesh.KindGateway {
			t.Errorf("%s does not have %s: %+v", side.from.name, side.to.name, device)
		}
		var issued []mesh.IssuedToken
		for _, token := range side.to.store.issued {
			if token.DeviceID == side.from.key.DeviceID() {
				issued = append(issued, token)
			}
		}
		held := side.from.store.peers[side.to.key.DeviceID()]
		hash, ok := mesh.HashToken([]byte(held.Token))
		if len(issued) != 1 || !ok || issued[0].Hash != hash {
			t.Errorf("%s holds a token of %s that is not the only one issued: %d issued", side.from.name, side.to.name, len(issued))
			continue
		}
		if issued[0].Key != side.from.key {
			t.Errorf("%s issued %s a token for another key", side.to.name, side.from.name)
		}
		if !slices.Equal(held.Permissions, issued[0].Permissions) || !held.ExpiresAt.Equal(issued[0].ExpiresAt) {
			t.Errorf("%s was told other terms than %s keeps", side.from.name, side.to.name)
		}
		if side.to.crashed {
			continue // the tokens of its store are honoured from its start
		}
		if !slices.ContainsFunc(side.to.tokens.published, func(p mesh.IssuedToken) bool { return p.Hash == hash }) {
			t.Errorf("%s does not honour the token it gave %s", side.to.name, side.from.name)
		}
	}
}

// strangers checks that neither house kept anything of the other.
func strangers(t *testing.T, a, b *house) {
	t.Helper()
	for _, h := range []*house{a, b} {
		if len(h.store.devices)+len(h.store.issued)+len(h.store.peers) != 0 {
			t.Errorf("%s kept %d devices, %d issued and %d received tokens", h.name, len(h.store.devices), len(h.store.issued), len(h.store.peers))
		}
		if len(h.tokens.published) != 0 {
			t.Errorf("%s honours %d tokens", h.name, len(h.tokens.published))
		}
	}
}

func kindIs(t *testing.T, err error, kind sdk.Kind, message string) {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil || e.Kind != kind || e.Friendly() != message {
		t.Errorf("got %v, want %s: %s", err, kind, message)
	}
}
