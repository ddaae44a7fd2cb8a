package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/sdk"
)

// answering is an instance that answers everything in the same way.
func answering(f tripper) *instance {
	return &instance{transport: f, limit: 100, calls: newGauge(), pending: newGauge(), suspected: func() {}}
}

func fine(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func dead(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%w: %w", dataplane.ErrDial, errSocketGone)
}

// show puts the plugin on the board.
func (b *board) show(state State, i *instance, returning bool, resumes time.Duration) {
	b.update("media", func(e *entry) {
		e.status = Status{Name: "media", Title: "Photos", State: state}
		e.instance, e.returning = i, returning
		e.resumes = time.Time{}
		if resumes > 0 {
			e.resumes = time.Now().Add(resumes)
		}
	})
}

func ask(ctx context.Context, b *board, method string, body io.Reader) error {
	return Match{Plugin: "media", board: b}.ask(ctx, method, body)
}

// ask makes one request.
func (m Match) ask(ctx context.Context, method string, body io.Reader) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://x/"+m.Plugin, body)
	if err != nil {
		return err
	}
	resp, err := m.RoundTrip(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// TestRequestsWaitForARestart asks a plugin that is away. It is back after half
// a second, unless told otherwise.
func TestRequestsWaitForARestart(t *testing.T) {
	reason := errors.New("client went away")
	for _, c := range []struct {
		name      string
		method    string
		body      io.Reader
		state     State
		returning bool
		resumes   time.Duration
		back      time.Duration // 0: half a second
		leaves    time.Duration // the caller goes away then
		took      time.Duration
		status    int // 0: answered
		retry     time.Duration
	}{
		{name: "starting", method: "GET", state: Starting, returning: true, took: time.Second / 2},
		{name: "waiting to start", method: "HEAD", state: Backoff, returning: true, resumes: time.Second / 4, took: time.Second / 2},
		{name: "stopping to start again", method: "OPTIONS", state: Stopping, returning: true, took: time.Second / 2},
		{name: "too slow", method: "GET", state: Starting, returning: true, back: time.Minute, took: time.Second, status: 503, retry: time.Second},
		{name: "a long wait", method: "GET", state: Backoff, returning: true, resumes: 30 * time.Second, status: 503, retry: 30 * time.Second},
		{name: "gone for good", method: "GET", state: Quarantined, status: 503},
		{name: "being disabled", method: "GET", state: Stopping, status: 503},
		{name: "not repeatable", method: "POST", state: Starting, returning: true, status: 503, retry: time.Second},
		{name: "with a body", method: "GET", body: strings.NewReader("x"), state: Starting, returning: true, status: 503, retry: time.Second},
		{name: "with a body of unknown length", method: "GET", body: io.MultiReader(strings.NewReader("")), state: Starting, returning: true, status: 503, retry: time.Second},
		{name: "the caller leaves", method: "GET", state: Starting, returning: true, leaves: time.Second / 4, took: time.Second / 4, status: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBoard()
				b.show(c.state, nil, c.returning, c.resumes)
				ctx, leave := context.WithCancelCause(t.Context())
				defer leave(nil)
				if c.leaves > 0 {
					time.AfterFunc(c.leaves, func() { leave(reason) })
				}
				if c.back == 0 {
					c.back = time.Second / 2
				}
				time.AfterFunc(c.back, func() { b.show(Running, answering(fine), false, 0) })
				began := time.Now()
				err := ask(ctx, b, c.method, c.body)
				if took := time.Since(began); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				switch {
				case c.status == 0 && err != nil, c.status < 0 && !errors.Is(err, reason):
					t.Errorf("got %v", err)
				case c.status > 0:
					e := sdk.AsError(err)
					if e.HTTPStatus() != c.status || e.RetryAfter.Round(time.Millisecond) != c.retry {
						t.Errorf("got %v, status %d, retry after %s", err, e.HTTPStatus(), e.RetryAfter)
					}
				}
				if n := b.waiting.Load(); n != 0 {
					t.Errorf("%d still wait", n)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestRequestFindsTheSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		old, next := answering(dead), answering(fine)
		b.show(Running, old, false, 0)
		// It was replaced after the request had looked at the board.
		old.pending.close()
		time.AfterFunc(time.Millisecond, func() { b.show(Running, next, false, 0) })
		if err := ask(t.Context(), b, "GET", nil); err != nil {
			t.Error(err)
		}
		// It died, and nobody knows yet.
		suspected := 0
		gone := answering(dead)
		gone.suspected = func() { suspected++ }
		b.show(Running, gone, false, 0)
		time.AfterFunc(50*time.Millisecond, func() { b.show(Backoff, nil, true, 300*time.Millisecond) })
		time.AfterFunc(500*time.Millisecond, func() { b.show(Running, next, false, 0) })
		if err := ask(t.Context(), b, "GET", nil); err != nil {
			t.Error(err)
		}
		b.show(Running, gone, false, 0)
		if err := ask(t.Context(), b, "POST", nil); sdk.AsError(err).HTTPStatus() != 502 {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		if err := ask(t.Context(), b, "GET", nil); sdk.AsError(err).HTTPStatus() != 502 || time.Since(began) != maxWait {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestOnlySoManyRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		b.show(Starting, nil, true, 0)
		var work sync.WaitGroup
		for range maxWaiting {
			work.Go(func() {
				if err := ask(t.Context(), b, "GET", nil); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := ask(t.Context(), b, "GET", nil); sdk.AsError(err).HTTPStatus() != 503 || time.Since(began) != 0 {
			t.Errorf("got %v", err)
		}
		b.show(Running, &instance{transport: tripper(fine), limit: maxWaiting, calls: newGauge(), pending: newGauge()}, false, 0)
		work.Wait()
	})
}
