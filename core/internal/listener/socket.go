package listener

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// socket is a raw connection with the deadlines of this package. TLS, where
// there is any, runs on top of it.
//
// Its reads may be buffered and its writes joined, see buffer.go and join.go;
// what actually touches the network is readRaw and writeRaw.
type socket struct {
	net.Conn
	idle    time.Duration
	buffers *buffers

	deadlines  sync.Mutex // the state below and setting it on Conn go together
	streaming  bool       // reads get a rolling deadline
	cut        bool       // reads have ended for good
	writeLimit time.Time  // set from outside; zero: none

	in  inBuffer
	out outBuffer
}

// SetReadDeadline sets an absolute deadline and ends streaming.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.streaming = false
	if s.cut {
		return nil
	}
	return s.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets a limit beside the rolling deadline.
func (s *socket) SetWriteDeadline(t time.Time) error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.writeLimit = t
	return s.Conn.SetWriteDeadline(s.writeDeadline())
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// writeDeadline is when a write that makes no progress from now on fails.
func (s *socket) writeDeadline() time.Time {
	rolling := time.Now().Add(s.idle)
	if !s.writeLimit.IsZero() && s.writeLimit.Before(rolling) {
		return s.writeLimit
	}
	return rolling
}

// stream makes each read get its own deadline until SetReadDeadline is called.
func (s *socket) stream() {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.streaming = true
}

// stopReading fails every read from now on, and one that waits.
func (s *socket) stopReading() error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.cut = true
	return s.Conn.SetReadDeadline(longAgo())
}

// unread reports whether a request's body may still be on its way.
func (s *socket) unread() bool {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	return s.cut || s.streaming
}

func (s *socket) isStreaming() bool {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	return s.streaming
}

func (s *socket) readRaw(p []byte) (int, error) {
	if err := s.beforeRead(); err != nil {
		return 0, err
	}
	return s.Conn.Read(p)
}

func (s *socket) beforeRead() error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	if s.cut {
		return os.ErrDeadlineExceeded
	}
	if s.streaming {
		return s.Conn.SetReadDeadline(time.Now().Add(s.idle))
	}
	return nil
}

// writeRaw writes all of p as long as some of it moves within each idle time.
func (s *socket) writeRaw(p []byte) (int, error) {
	written := 0
	for {
		if err := s.beforeWrite(); err != nil {
			return written, err
		}
		n, err := s.Conn.Write(p[written:])
		written += n
		// The deadline counts from the write's beginning. One that moved
		// something in the meantime is slow, not stalled. After the limit the
		// next try moves nothing.
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}

func (s *socket) beforeWrite() error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	return s.Conn.SetWriteDeadline(s.writeDeadline())
}

// longAgo is a deadline that has passed by any clock.
func longAgo() time.Time { return time.Unix(1, 0) }
