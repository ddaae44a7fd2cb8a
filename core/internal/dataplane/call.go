package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// call is one request and its answer, and the answer's body: one allocation
// for all of it. Read and WriteTo are for one goroutine at a time; Close may
// come from any.
type call struct {
	resp    http.Response
	t       *Transport
	c       *conn
	ctx     context.Context
	unwatch func() bool // ends the watch on ctx; nil when ctx cannot end
	send    *sender     // nil when the request went out whole
	state   atomic.Int32
	once    bool // the connection must not carry another call

	answered bool // the final head came
	kind     framing
	left     int64 // framedLength: bytes of the body still to come
	chunks   dechunker
	err      error // sticky end of Read
}

// The states of a call. Whoever moves it to callOver gives the connection back.
const (
	callOpen  = iota
	callEnded // the body was read to its end, the sender still runs
	callOver
)

// sendHead writes the head, and the body with it when that is small. Its
// deadline is also the answer's when there is nothing else to send.
func (b *call) sendHead(head []byte) (int, error) {
	_ = b.c.nc.SetDeadline(time.Now().Add(b.t.opts.HeaderTimeout))
	return b.c.nc.Write(head)
}

// receive reads the final response head, skipping interim ones, and prepares
// the body.
func (b *call) receive(out *outgoing) error {
	for limit := b.t.opts.MaxHeadBytes; ; {
		text, err := b.c.readHead(limit)
		if err != nil {
			return err
		}
		limit -= len(text)
		h, err := parseHead(&b.resp, string(text))
		if err != nil {
			return err
		}
		if b.resp.StatusCode < 200 && b.resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		if b.kind, err = h.frame(&b.resp, out); err != nil {
			return err
		}
		return b.open()
	}
}

// open makes the response's body.
func (b *call) open() error {
	b.answered = true
	b.once = b.once || b.resp.Close
	if b.left = b.resp.ContentLength; b.left == 0 && b.kind == framedLength {
		b.kind = framedEmpty
	}
	switch {
	case b.kind == framedUpgrade:
		return b.handOver()
	case b.send != nil:
		b.send.answer()
	case b.kind == framedEmpty:
		b.resp.Body = http.NoBody
		b.ended()
		return nil
	case b.kind != framedLength:
		_ = b.c.nc.SetReadDeadline(time.Time{})
	}
	b.resp.Body = b
	return nil
}

// handOver gives the connection itself to the caller.
func (b *call) handOver() error {
	if b.send != nil {
		return fmt.Errorf("%w: switches protocols in the middle of a request", ErrBadResponse)
	}
	if b.unwatch != nil && !b.unwatch() {
		return context.Cause(b.ctx)
	}
	b.state.Store(callOver)
	_ = b.c.nc.SetDeadline(time.Time{})
	b.resp.Body = &upgraded{p: &b.t.pool, c: b.c}
	return nil
}

// dead reports whether a failed call only found out that its kept connection
// had ended before: nothing came back on it.
func (b *call) dead(err error) bool {
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return ended && b.c.reused && b.resp.StatusCode == 0 && b.ctx.Err() == nil
}

// ended gives the connection back when the body was read to its end. While the
// sender runs, that is left to Close, which can wait for it.
func (b *call) ended() {
	if b.send != nil {
		select {
		case <-b.send.done:
		default:
			if b.state.CompareAndSwap(callOpen, callEnded) {
				b.send.halt()
			}
			return
		}
	}
	if b.state.CompareAndSwap(callOpen, callOver) {
		b.release(true)
	}
}

// broken ends the call after a failed read and says why it failed.
func (b *call) broken(err error) error {
	if !b.state.CompareAndSwap(callOpen, callOver) {
		return errBodyClosed
	}
	err = b.cause(err)
	if b.send != nil {
		b.send.halt()
	}
	b.release(false)
	return err
}

// release gives the connection back: to the pool when another call can use it.
func (b *call) release(clean bool) {
	if b.unwatch != nil && !b.unwatch() {
		clean = false // the context ended: the connection is being closed
	}
	clean = clean && !b.once && b.c.buffered() == 0
	if clean && b.send != nil {
		clean = b.send.whole
		_ = b.c.nc.SetWriteDeadline(time.Time{})
	}
	if !clean {
		b.t.pool.discard(b.c)
		return
	}
	b.t.pool.put(b.c)
}

// cause finds the first reason for a failed read: the connection's own error is
// often only the last link.
func (b *call) cause(err error) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if b.send != nil {
		if failure := b.send.failure(); failure != nil {
			return failure
		}
	}
	switch {
	case errors.Is(err, ErrBadResponse):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded) && !b.answered:
		return ErrHeaderTimeout
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: the peer stopped sending", ErrStalled)
	case b.t.pool.isClosed():
		return ErrClosed
	case b.answered:
		return fmt.Errorf("response body: %w", err)
	}
	return fmt.Errorf("no answer: %w", err)
}
