package dataplane

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options bound a Transport. A zero field means its default.
type Options struct {
	// MaxConns is how many connections may be open at once: one per call in
	// flight, and one per upgraded connection. Default 256.
	MaxConns int
	// MaxIdle is how many connections are kept for later calls. Default 64.
	MaxIdle int
	// MaxWait is how long a call waits for a connection when all are in use,
	// before it fails with ErrBusy. Default one second; negative: no wait.
	MaxWait time.Duration
	// IdleTimeout closes a connection that was idle for so long. The peer should
	// keep them longer, or it may close one that is just being used. Default 90
	// seconds.
	IdleTimeout time.Duration
	// Warm is for how long a kept connection is taken for alive without asking the
	// kernel, which costs a system call per request. A request that is not
	// repeatable fails when the peer closed the connection in just that time.
	// Default 0: always ask.
	Warm time.Duration
	// HeaderTimeout bounds a dial, and the wait for the response head, which
	// starts when the request was sent whole. Default 30 seconds.
	HeaderTimeout time.Duration
	// StallTimeout ends a transfer of which the peer took or gave no byte for so
	// long: an upload, which is noticed within twice that time, or a response of
	// declared length. Responses without one are streams and may be silent.
	// Default one minute.
	StallTimeout time.Duration
	// MaxHeadBytes bounds a response head together with the interim ones before
	// it, and the trailers. Default 64 KiB.
	MaxHeadBytes int
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defInt := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	defInt(&o.MaxConns, 256)
	defInt(&o.MaxIdle, 64)
	defInt(&o.MaxHeadBytes, 64<<10)
	def(&o.MaxWait, time.Second)
	def(&o.IdleTimeout, 90*time.Second)
	def(&o.HeaderTimeout, 30*time.Second)
	def(&o.StallTimeout, time.Minute)
	return o
}

// smallBody is the largest body that is sent together with its head, in one
// write on the caller's goroutine, in bytes.
const smallBody = 8 << 10

// Transport is an http.RoundTripper over connections to one peer. It is safe
// for concurrent use.
//
// The request's body: RoundTrip closes it exactly once, after its last use,
// and that Close is the signal that it may be touched by others. A body of a
// known length up to 8 KiB is read and closed before RoundTrip sends anything.
// Any other is read by a goroutine that may still run when RoundTrip returns,
// with a response or with an error. The response's Body.Close waits for that
// goroutine; after an error, wait for the Close of the request's body. The
// goroutine ends at the next return of the body's Read: if that blocks, make it
// return, for example by a deadline on the connection that the body comes from.
//
// A body that has a method Pending() bool, reporting that its next Read will
// not block, is read until that says false before a piece is sent.
//
// Differences from net/http's Transport: hop-by-hop fields (RFC 9110, 7.6.1)
// are taken off requests and responses, and Expect off requests; nothing is added
// to a request but its framing; and answers that net/http reads leniently are
// ErrBadResponse.
type Transport struct {
	opts  Options
	pool  pool
	bufs  buffers
	heads sync.Pool // of *[]byte
}

var _ http.RoundTripper = (*Transport)(nil)

// New returns a transport whose connections come from dial.
func New(dial func(context.Context) (net.Conn, error), opts Options) *Transport {
	opts = opts.withDefaults()
	return &Transport{
		opts:  opts,
		pool:  pool{dial: dial, opts: opts, open: map[*conn]struct{}{}},
		heads: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// CloseIdleConnections closes the connections that no call uses.
func (t *Transport) CloseIdleConnections() { t.pool.closeIdle() }

// Close ends every call in flight, upgraded connections included, and makes
// later ones fail with ErrClosed. It does not wait for senders that block in
// the Read of a request body.
func (t *Transport) Close() error {
	t.pool.close()
	return nil
}

// RoundTrip sends the request and returns when the response head is there. The
// caller must close the response's body. An upgraded connection (101) is its
// body, an io.ReadWriteCloser. See Transport for the request's body and the
// package's errors for what can go wrong.
//
// A request is sent a second time only when its kept connection turned out dead
// before it gave a byte, and then only if nothing had been written, or if the
// method is safe and there is no body.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out, err := prepare(req)
	defer out.closeBody()
	if err != nil {
		return nil, err
	}
	buf, _ := t.heads.Get().(*[]byte)
	defer t.heads.Put(buf)
	*buf = out.appendHead((*buf)[:0], req)
	if 0 <= out.length && out.length <= smallBody {
		if *buf, err = out.appendBody(*buf); err != nil {
			return nil, err
		}
		out.closeBody()
	}
	resp, stale, err := t.attempt(req, &out, *buf)
	if stale {
		again, _, failed := t.attempt(req, &out, *buf)
		if !errors.Is(failed, ErrDial) {
			return again, failed
		}
		// The peer is gone, and how it went says more than that it is.
	}
	return resp, err
}

// attempt sends the request on one connection. It reports stale when the
// connection turned out dead and the request may be sent again.
func (t *Transport) attempt(req *http.Request, out *outgoing, head []byte) (resp *http.Response, stale bool, err error) {
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	c, err := t.pool.get(ctx)
	if err != nil {
		return nil, false, err
	}
	b := &call{t: t, c: c, ctx: ctx, once: req.Close}
	b.resp.Request = req
	if ctx.Done() != nil {
		b.unwatch = context.AfterFunc(ctx, c.shut)
	}
	if n, err := b.sendHead(head); n == 0 {
		return nil, b.dead(err), b.broken(err)
	} else if err == nil && out.body != nil {
		b.send = startSender(t, c, out)
	}
	// A head that went out in part may be answered all the same.
	if err := b.receive(out); err != nil {
		return nil, b.dead(err) && out.repeatable(), b.broken(err)
	}
	return &b.resp, false, nil
}
