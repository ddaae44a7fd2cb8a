package dataplane

import (
	"errors"
	"net"
)

// What a call can fail with, to be tested with errors.Is. Anything else is an
// error of the connection itself: the peer went away. When the request's
// context has ended, its cause is returned instead.
var (
	// ErrBusy means that every connection stayed in use for Options.MaxWait.
	ErrBusy = errors.New("dataplane: all connections are in use")
	// ErrClosed means that the transport was closed.
	ErrClosed = errors.New("dataplane: transport closed")
	// ErrDial means that no connection could be opened; nothing was sent.
	ErrDial = errors.New("dataplane: cannot connect")
	// ErrBadRequest means that the request cannot be put into HTTP/1.1; nothing
	// was sent.
	ErrBadRequest = errors.New("dataplane: bad request")
	// ErrRequestBody means that reading the request's own body failed, or that it
	// was shorter or longer than its declared length.
	ErrRequestBody = errors.New("dataplane: request body failed")
	// ErrBadResponse means that the peer's answer is not strict HTTP/1.1, or its
	// head is larger than Options.MaxHeadBytes.
	ErrBadResponse = errors.New("dataplane: bad response")
	// ErrHeaderTimeout means that no response head came within
	// Options.HeaderTimeout after the request was sent. It is a net.Error.
	ErrHeaderTimeout error = timeoutError("dataplane: no response in time")
	// ErrStalled means that the peer neither took nor gave a byte of a body for
	// Options.StallTimeout. It is a net.Error.
	ErrStalled error = timeoutError("dataplane: transfer stalled")
)

// timeoutError is told from other errors as net/http's timeouts are.
type timeoutError string

var _ net.Error = timeoutError("")

func (e timeoutError) Error() string { return string(e) }

// Timeout is true.
func (e timeoutError) Timeout() bool { return true }

// Temporary is false: nobody tries again by itself.
func (e timeoutError) Temporary() bool { return false }

// errBodyClosed is what a read gives after the response body was closed.
var errBodyClosed = errors.New("dataplane: read on closed response body")
