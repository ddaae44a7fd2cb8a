package listener

import "sync"

// joinSize is how much is sent to the network at once, in bytes: 16 full TLS
// records with their 22 bytes of framing.
const joinSize = 16 * (maxRecord + 22)

// outBuffer joins what crypto/tls writes record by record.
type outBuffer struct {
	mu     sync.Mutex // crypto/tls may answer a key update while we write
	memory *[joinSize]byte
	used   int
	err    error // a failed write leaves half a record: nothing may follow
}

// cork makes writes wait for each other until uncork.
func (s *socket) cork() {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.memory = s.buffers.join.Get().(*[joinSize]byte)
}

// uncork sends what waits.
func (s *socket) uncork() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.flush()
	s.buffers.join.Put(s.out.memory)
	s.out.memory = nil
	return s.out.err
}

// Write sends p, or lets it wait for more while corked.
func (s *socket) Write(p []byte) (int, error) {
	out := &s.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.memory == nil {
		return s.send(p)
	}
	if out.used+len(p) > joinSize {
		s.flush()
	}
	if out.err != nil {
		return 0, out.err
	}
	if len(p) > joinSize {
		return s.send(p)
	}
	out.used += copy(out.memory[out.used:], p)
	return len(p), nil
}

func (s *socket) flush() {
	if s.out.used > 0 {
		s.send(s.out.memory[:s.out.used])
		s.out.used = 0
	}
}

func (s *socket) send(p []byte) (n int, err error) {
	if s.out.err != nil {
		return 0, s.out.err
	}
	n, s.out.err = s.writeRaw(p)
	return n, s.out.err
}
