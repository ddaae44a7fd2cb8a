// Package stdio takes a plugin's standard streams out of harm's way: standard
// output belongs to the handshake, standard error to the log, standard input
// tells whether the gateway lives. Nothing that an author prints can then reach
// the protocol.
package stdio

import (
	"io"
	"os"
	"sync"
)

// Streams are the standard streams of a plugin process.
type Streams struct {
	stdin     *os.File
	stderr    *os.File
	handshake *os.File
	restore   sync.Once
}

// Take points descriptor 1 at standard error and sets os.Stdout to a private
// duplicate of the real one, where go-plugin prints the handshake.
func Take() (*Streams, error) {
	handshake, err := moveStdout()
	if err != nil {
		return nil, err
	}
	s := &Streams{stdin: os.Stdin, stderr: os.Stderr, handshake: handshake}
	os.Stdout = handshake
	return s, nil
}

// Log is the real standard error.
func (s *Streams) Log() *os.File { return s.stderr }

// HandshakeDone ends the use of the real standard output: whatever is printed
// from now on goes to standard error. Only the first call does anything. It
// must come after go-plugin began to serve, which replaces both variables.
func (s *Streams) HandshakeDone() {
	s.restore.Do(func() {
		os.Stdout, os.Stderr = s.stderr, s.stderr
		_ = s.handshake.Close()
	})
}

// Lifeline returns a channel that is closed when standard input ends, which the
// gateway holds open as long as it lives.
func (s *Streams) Lifeline() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, s.stdin)
	}()
	return gone
}
