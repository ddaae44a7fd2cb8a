package dataplane

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// errHalted ends a sender that nobody needs any more.
var errHalted = errors.New("dataplane: sending was halted")

// pender is a body reader that knows whether its next Read would return at
// once. Pieces that are already here are joined into one write.
type pender interface{ Pending() bool }

// sender writes a body that is large or of unknown length, in its own
// goroutine, while the call waits for the answer. From start to the end of done
// the body is its alone.
type sender struct {
	c     *conn
	opts  *Options
	bufs  *buffers
	body  io.ReadCloser
	more  pender // nil when the body cannot tell
	left  int64  // bytes still to send, or chunked
	tail  http.Header
	done  chan struct{}
	whole bool // everything went out; to be read after done

	halted   atomic.Bool
	mu       sync.Mutex
	answered bool  // a final head came: read deadlines are the reader's now
	err      error // why the call has to fail; set before the connection closes
}

// startSender takes the body over from out.
func startSender(t *Transport, c *conn, out *outgoing) *sender {
	s := &sender{c: c, opts: &t.opts, bufs: &t.bufs, body: out.body, left: out.length, tail: out.trailer, done: make(chan struct{})}
	out.body = nil
	s.more, _ = s.body.(pender)
	_ = c.nc.SetReadDeadline(time.Time{}) // the clock starts when all is sent
	go s.run()
	return s
}

func (s *sender) run() {
	defer close(s.done)
	defer s.body.Close()
	err := s.copy()
	switch {
	case err == nil:
		s.whole = true
		s.await()
	case errors.Is(err, errHalted):
	case errors.Is(err, ErrRequestBody), errors.Is(err, ErrStalled) && !s.hasAnswer():
		s.fail(err)
	default:
		// The peer takes no more, but its answer may be on the way: an early
		// refusal of the upload looks like this.
		s.await()
	}
}

// await starts the clock for the response head.
func (s *sender) await() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.answered {
		_ = s.c.nc.SetReadDeadline(time.Now().Add(s.opts.HeaderTimeout))
	}
}

// answer hands the read deadline over to the reader of the response.
func (s *sender) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = true
	_ = s.c.nc.SetReadDeadline(time.Time{})
}

// hasAnswer reports whether the answer has begun: it is then worth more than the
// rest of the body.
func (s *sender) hasAnswer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered
}

// fail ends the call from the sending side.
func (s *sender) fail(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.c.shut()
}

// failure is why the sender ended the call, if it did.
func (s *sender) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// halt makes the sender end at its next step, without waiting for it. A body
// that blocks in Read is not interrupted.
func (s *sender) halt() {
	s.halted.Store(true)
	_ = s.c.nc.SetWriteDeadline(time.Unix(1, 0))
}

// Room in a copy buffer for the size line before a chunk and the line end
// after it.
const (
	chunkBefore   = len("fffffff\r\n")
	chunkAfter    = len("\r\n")
	chunkOverhead = chunkBefore + chunkAfter
)

func (s *sender) copy() error {
	p := s.bufs.get()
	defer func() { s.bufs.put(p) }()
	for empty := 0; ; {
		n, err := s.fill((*p)[chunkBefore : len(*p)-chunkAfter])
		if s.halted.Load() {
			return errHalted
		}
		if err = s.account(n, err); err != nil && err != io.EOF {
			return err
		}
		if n > 0 {
			empty = 0
			if werr := s.write(s.piece(*p, n)); werr != nil {
				return werr
			}
		} else if empty++; empty > 100 {
			return fmt.Errorf("%w: %w", ErrRequestBody, io.ErrNoProgress)
		}
		if err == io.EOF {
			return s.finish()
		}
		p = s.bufs.fit(p, n)
	}
}

// fill reads once, and on while more is there without waiting. It asks for one
// byte more than there should be, to notice a body that is too long.
func (s *sender) fill(room []byte) (int, error) {
	if s.left >= 0 {
		room = room[:min(int64(len(room)), s.left+1)]
	}
	n, err := s.body.Read(room)
	for s.more != nil && err == nil && n < len(room) && s.more.Pending() {
		var m int
		if m, err = s.body.Read(room[n:]); m == 0 {
			break
		}
		n += m
	}
	return n, err
}

// account holds the body against its declared length. It returns io.EOF after
// the last byte.
func (s *sender) account(n int, err error) error {
	if err != nil && err != io.EOF {
		return fmt.Errorf("%w: %w", ErrRequestBody, err)
	}
	if s.left == chunked {
		return err
	}
	s.left -= int64(n)
	switch {
	case s.left < 0:
		return fmt.Errorf("%w: longer than its declared length", ErrRequestBody)
	case s.left == 0:
		return io.EOF
	case err == io.EOF:
		return fmt.Errorf("%w: %d bytes missing: %w", ErrRequestBody, s.left, io.ErrUnexpectedEOF)
	}
	return nil
}

// piece frames the n bytes that fill read into the buffer.
func (s *sender) piece(buf []byte, n int) []byte {
	end := chunkBefore + n
	if s.left != chunked {
		return buf[chunkBefore:end]
	}
	var line [chunkBefore]byte
	size := append(strconv.AppendInt(line[:0], int64(n), 16), "\r\n"...)
	start := chunkBefore - len(size)
	copy(buf[start:], size)
	copy(buf[end:], "\r\n")
	return buf[start : end+chunkAfter]
}

// finish writes the last chunk and the trailers, whose values the body's owner
// may have set as late as its last Read.
func (s *sender) finish() error {
	if s.left != chunked {
		return nil
	}
	if err := checkTrailer(s.tail); err != nil {
		return fmt.Errorf("%w: %w", ErrRequestBody, err)
	}
	b := []byte("0\r\n")
	for name, values := range s.tail {
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	return s.write(append(b, "\r\n"...))
}

func (s *sender) write(p []byte) error {
	err := s.c.write(p, s.opts.StallTimeout, s.halted.Load)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if s.halted.Load() {
		return errHalted
	}
	return fmt.Errorf("%w: the peer stopped reading", ErrStalled)
}
