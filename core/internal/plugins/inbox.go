package plugins

import "sync"

// inbox is how others tell a supervisor what they want. Nobody ever waits to put
// something in, and nothing in it grows: what comes later replaces what came
// before, or adds nothing to it.
type inbox struct {
	full chan struct{} // holds a token when there is mail

	mu   sync.Mutex
	mail mail
}

// mail is everything that came since the supervisor looked.
type mail struct {
	assignment *assignment // the newest; nil without
	restart    bool        // a person wants a new process
	check      bool        // the health is in doubt
}

func newInbox() *inbox { return &inbox{full: make(chan struct{}, 1)} }

func (b *inbox) put(change func(*mail)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.mail)
	select {
	case b.full <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mail
	b.mail = mail{}
	return m
}

// assign gives the supervisor something else to do.
func (b *inbox) assign(a assignment) { b.put(func(m *mail) { m.assignment = &a }) }

// restart asks for a new process.
func (b *inbox) restart() { b.put(func(m *mail) { m.restart = true }) }

// check asks for a health check before its time.
func (b *inbox) check() { b.put(func(m *mail) { m.check = true }) }
