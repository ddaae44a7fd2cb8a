package plugins

import (
	"context"
	"net/http"
	"time"
)

// Bounds on requests that wait for a plugin to come back.
const (
	maxWait    = time.Second
	maxWaiting = 256 // at once, for all plugins
)

// admit finds the process that takes the request and counts it in there. Where
// that makes sense it waits for one other than gone.
func (m Match) admit(r *http.Request, gone *instance) (entry, error) {
	e, err := m.try(gone)
	if err == nil || !e.worthWaiting(gone) || !repeatable(r) {
		return e, err
	}
	if m.board.waiting.Add(1) > maxWaiting {
		m.board.waiting.Add(-1)
		return e, err
	}
	defer m.board.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	for {
		changed := m.board.next()
		if e, err = m.try(gone); err == nil || !e.worthWaiting(gone) {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if r.Context().Err() != nil {
				err = context.Cause(r.Context())
			}
			return e, err
		}
	}
}

// try asks the process that serves now. One that has just been replaced refuses,
// and by then its successor is on the board.
func (m Match) try(gone *instance) (entry, error) {
	for {
		e := m.board.look().entries[m.Plugin]
		if e.instance == nil || e.instance == gone {
			return e, e.away()
		}
		switch e.instance.acquire() {
		case admitted:
			return e, nil
		case full:
			return e, busy(e.status)
		}
		if m.board.look().entries[m.Plugin].instance == e.instance {
			// It is being stopped, and the board will soon tell for how long.
			e.instance, e.returning = nil, true
			return e, e.away()
		}
	}
}

// worthWaiting reports whether another process than gone may serve in time.
func (e entry) worthWaiting(gone *instance) bool {
	if e.instance != nil {
		return e.instance == gone
	}
	return e.returning && time.Until(e.resumes) < maxWait
}

// repeatable reports whether a request changes nothing, however often it is made
// (RFC 9110, 9.2.1), and can be made again.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return (r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0
	}
	return false
}
