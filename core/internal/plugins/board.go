package plugins

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// Status is what a person may know about a plugin. Texts that came from the
// plugin are printable.
type Status struct {
	Name         string
	State        State
	Version      string // "" until the plugin said it
	Title        string // its name in plain words; the name itself until known
	Capabilities []sdk.Capability
	LastError    string // a plain sentence; "" when there is nothing to say
	Path         string // of the program; "" when there is none
	// Since is when the process that serves took over, and changes with it; zero
	// when none does.
	Since time.Time
}

// board is the live picture of all plugins. Writers replace it piece by piece;
// readers look at a snapshot and never wait for anybody.
type board struct {
	mu      sync.Mutex
	entries map[string]entry
	changed chan struct{}
	waiting atomic.Int64 // requests that wait for a plugin

	snapshot atomic.Pointer[picture]
}

// entry is one plugin on the board. It is a value and never changed in place.
type entry struct {
	status    Status
	manifest  *sdk.Manifest   // that status and routes were made from
	routes    *routeTable     // nil until the manifest is known
	calls     map[string]Call // by capability id
	instance  *instance       // nil unless requests may be sent to it
	returning bool            // without an instance: there will be one soon
	resumes   time.Time       // when the next launch begins, if that is known
}

// newEntry is a plugin of which no more is known than its program.
func newEntry(p program, state State) entry {
	name := printable(p.name, sdk.MaxNameLength)
	return entry{status: Status{Name: name, Title: name, State: state, Path: p.path}}
}

// foundEntry is a program that no configuration enables.
func foundEntry(p program) entry {
	e := newEntry(p, Found)
	e.status.LastError = friendly(p.problem, e.status.Title)
	return e
}

// apply takes over what a supervisor reports.
func (e *entry) apply(r report) {
	if r.manifest != nil && r.manifest != e.manifest {
		e.manifest = r.manifest
		e.routes = newRouteTable(r.manifest.Routes)
		e.calls = callsOf(r.manifest)
		e.status.Title = r.manifest.Title
		e.status.Version = r.manifest.Version
		e.status.Capabilities = r.manifest.Capabilities
	}
	e.status.State = r.state
	e.status.Path = r.assignment.program.path
	e.status.LastError = lastError(r, e.status.Title)
	e.status.Since = r.since
	e.instance, e.returning, e.resumes = r.instance, r.returning, r.resumes
}

// picture is an immutable view of the board.
type picture struct {
	entries      map[string]entry
	statuses     []Status // by name
	capabilities []sdk.Capability
}

func newBoard() *board {
	b := &board{entries: make(map[string]entry), changed: make(chan struct{})}
	b.snapshot.Store(&picture{})
	return b
}

// update changes one entry and wakes everybody who waits for a change, if there
// was one to see.
func (b *board) update(name string, change func(*entry)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, existed := b.entries[name]
	after := before
	change(&after)
	b.entries[name] = after
	b.snapshot.Store(takePicture(b.entries))
	if existed && sameStatus(before.status, after.status) && before.instance == after.instance {
		return
	}
	b.wake()
}

// remove takes an entry off the board.
func (b *board) remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, exists := b.entries[name]; !exists {
		return
	}
	delete(b.entries, name)
	b.snapshot.Store(takePicture(b.entries))
	b.wake()
}

func (b *board) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// next returns a channel that is closed at the next change.
func (b *board) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *board) look() *picture { return b.snapshot.Load() }

func takePicture(entries map[string]entry) *picture {
	p := &picture{entries: maps.Clone(entries)}
	for _, e := range entries {
		p.statuses = append(p.statuses, e.status)
	}
	slices.SortFunc(p.statuses, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range p.statuses {
		if s.State == Running {
			p.capabilities = append(p.capabilities, s.Capabilities...)
		}
	}
	return p
}

func sameStatus(a, b Status) bool {
	return a.Name == b.Name && a.State == b.State && a.Version == b.Version && a.Title == b.Title &&
		a.LastError == b.LastError && a.Path == b.Path && a.Since.Equal(b.Since) && slices.Equal(a.Capabilities, b.Capabilities)
}

// settled reports whether no plugin is in its first launch any more.
func (p *picture) settled() bool {
	return !slices.ContainsFunc(p.statuses, func(s Status) bool { return s.State == Starting })
}
