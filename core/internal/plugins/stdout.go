package plugins

import (
	"io"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// Bounds on a plugin's standard output.
const (
	maxStdoutLine = 8 << 10   // bytes kept of one line; a handshake is about 1 KiB
	maxPreamble   = 256 << 10 // bytes of other text before the handshake
	quotedBytes   = 512       // bytes of other text shown in the log
)

// stdoutReader reads a plugin's standard output: one sound handshake line is
// passed on, everything else is dropped, the beginning of it quoted in one
// warning. Passed reads as that line and then ends, whatever happens.
type stdoutReader struct {
	log    hclog.Logger
	passed *io.PipeReader
	pass   *io.PipeWriter
	broken func() // called when no handshake can come any more

	mu    sync.Mutex
	err   error
	sound bool
}

func newStdoutReader(log hclog.Logger, broken func()) *stdoutReader {
	r := &stdoutReader{log: log, broken: broken}
	r.passed, r.pass = io.Pipe()
	return r
}

// run reads to the end.
func (s *stdoutReader) run(r io.Reader) {
	defer s.pass.Close()
	preamble := &io.LimitedReader{R: r, N: maxPreamble}
	lines := newLineReader(preamble, maxStdoutLine)
	line, found := s.findHandshake(lines)
	if !found && preamble.N == 0 {
		s.fail(protocolError("it wrote %d bytes to standard output and no handshake", maxPreamble))
	}
	if found {
		s.take(line)
	}
	_ = s.pass.Close()
	s.drain(io.MultiReader(lines.in, r))
}

// take passes a sound handshake on.
func (s *stdoutReader) take(line string) {
	if _, err := parseHandshake(line); err != nil {
		s.fail(err)
		return
	}
	s.succeed()
	_, _ = io.WriteString(s.pass, line+"\n") // fails only when nobody waits any more
}

// findHandshake reads up to the first line that looks like a handshake, and
// quotes what comes before it.
func (s *stdoutReader) findHandshake(lines *lineReader) (string, bool) {
	var quote []byte
	total := 0
	defer func() { s.warn(quote, total) }()
	for {
		line, skipped, err := lines.next()
		if err != nil {
			return "", false
		}
		if skipped == 0 && looksLikeHandshake(string(line)) {
			return string(line), true
		}
		total += len(line) + skipped + 1
		if room := quotedBytes - len(quote); room > 0 {
			quote = append(append(quote, line[:min(len(line), room)]...), '\n')
		}
	}
}

// drain drops the rest, however much, and quotes the beginning of it.
func (s *stdoutReader) drain(r io.Reader) {
	quote := make([]byte, quotedBytes)
	n, err := r.Read(quote)
	s.warn(quote[:n], n)
	if err == nil {
		_, _ = io.Copy(io.Discard, r)
	}
}

func (s *stdoutReader) warn(quote []byte, total int) {
	if total > 0 {
		text := printable(strings.TrimSpace(string(quote)), quotedBytes)
		s.log.Warn("plugin wrote to its standard output, which is not for text", "text", text, "bytes", total)
	}
}

// fail notes why there will be no handshake.
func (s *stdoutReader) fail(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.broken()
}

func (s *stdoutReader) succeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sound = true
}

// succeeded reports whether a sound handshake came.
func (s *stdoutReader) succeeded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sound
}

// failure is why there was no handshake, if the output itself was the reason.
func (s *stdoutReader) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
