package plugins

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader reads lines of foreign output in bounded memory: what a line has
// beyond the limit is skipped, not kept.
type lineReader struct {
	in   *bufio.Reader
	kept []byte // the beginning of an overlong line
}

// newLineReader keeps at most limit bytes of each line.
func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, limit)}
}

// next returns the next line without its end, and how many bytes of it were
// skipped. The slice is good until the next call. The last line may lack its
// newline; after it the error is that of the reader, usually io.EOF.
func (l *lineReader) next() (line []byte, skipped int, err error) {
	line, err = l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.kept = append(l.kept[:0], line...)
		skipped, err = l.skip()
		line = l.kept
	}
	if err != nil && len(line) > 0 {
		err = nil // the reader repeats its error on the next call
	}
	return bytes.TrimRight(line, "\r\n"), skipped, err
}

// skip reads up to the end of the line.
func (l *lineReader) skip() (int, error) {
	n := 0
	for {
		rest, err := l.in.ReadSlice('\n')
		n += len(rest)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err
		}
	}
}
