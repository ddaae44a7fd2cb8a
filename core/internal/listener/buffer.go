package listener

import "sync"

const (
	// readBufferSize is how much is taken from the network at once while a body
	// streams, in bytes. crypto/tls alone asks for little more than one record.
	readBufferSize = 128 << 10
	// maxRecord is the most plaintext a TLS record holds, in bytes (RFC 8446
	// section 5.1).
	maxRecord = 16 << 10
)

// buffers are the pieces of memory that a listener's connections share.
type buffers struct {
	read  sync.Pool // of *[readBufferSize]byte
	ahead sync.Pool // of *[maxRecord]byte
	join  sync.Pool // of *[joinSize]byte
}

func newBuffers() *buffers {
	return &buffers{
		read:  sync.Pool{New: func() any { return new([readBufferSize]byte) }},
		ahead: sync.Pool{New: func() any { return new([maxRecord]byte) }},
		join:  sync.Pool{New: func() any { return new([joinSize]byte) }},
	}
}

// inBuffer stands between the network and crypto/tls. It holds memory only
// while a body streams and keeps filling it, so an idle connection costs
// nothing.
type inBuffer struct {
	data    []byte                // received, not read yet
	memory  *[readBufferSize]byte // what data lies in; nil for the sniffed byte
	flowing bool                  // the last read from the network was a full one
	only    bool                  // never wait: fail when data is empty
}

// errNothingBuffered is what a read gets instead of waiting. crypto/tls keeps
// no error that calls itself temporary, so the next read goes on as before.
type errNothingBuffered struct{}

func (errNothingBuffered) Error() string   { return "nothing buffered" }
func (errNothingBuffered) Timeout() bool   { return true }
func (errNothingBuffered) Temporary() bool { return true }

// Read reads what is buffered, else from the network. Calls must not overlap.
func (s *socket) Read(p []byte) (int, error) {
	in := &s.in
	if len(in.data) > 0 {
		return s.take(p), nil
	}
	if in.only {
		return 0, errNothingBuffered{}
	}
	if !in.flowing || !s.isStreaming() {
		n, err := s.readRaw(p)
		in.flowing = n == len(p)
		return n, err
	}
	in.memory = s.buffers.read.Get().(*[readBufferSize]byte)
	n, err := s.readRaw(in.memory[:])
	in.flowing = n > maxRecord
	in.data = in.memory[:n]
	return s.take(p), err
}

// take moves buffered bytes to p and gives the memory back after the last.
func (s *socket) take(p []byte) int {
	in := &s.in
	n := copy(p, in.data)
	in.data = in.data[n:]
	if len(in.data) == 0 && in.memory != nil {
		s.buffers.read.Put(in.memory)
		in.memory = nil
	}
	return n
}
