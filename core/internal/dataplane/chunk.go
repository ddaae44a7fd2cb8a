package dataplane

import "fmt"

// maxChunkLine bounds the line before each chunk: 16 digits and whatever
// extensions somebody invents.
const maxChunkLine = 1 << 10

// chunkState is what the next byte of a chunked body is part of.
type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	inSizeEnd // the line feed after a size
	inData
	inDataCR
	inDataLF
	inTrailer // the last chunk has passed; decode stops here
)

// dechunker takes chunked coding (RFC 9112, 7.1) apart as a pure state machine:
// it does no I/O and can stop and go on at any byte.
type dechunker struct {
	state  chunkState
	left   uint64 // of this chunk's data; while in inSize, the size so far
	digits int
	line   int // length of the size line so far
}

// done reports whether the last chunk has passed.
func (d *dechunker) done() bool { return d.state == inTrailer }

// decode moves the data in src to dst and reports how much was written and
// read. It stops when either is exhausted or the last chunk has passed. The two
// may start at the same byte: data only ever moves forward.
func (d *dechunker) decode(dst, src []byte) (written, read int, err error) {
	for read < len(src) && !d.done() {
		if d.state != inData {
			if err := d.step(src[read]); err != nil {
				return written, read, err
			}
			read++
			continue
		}
		n := int(min(uint64(len(src)-read), uint64(len(dst)-written), d.left))
		if n == 0 {
			break
		}
		if &dst[written] != &src[read] {
			copy(dst[written:], src[read:read+n])
		}
		written, read = written+n, read+n
		if d.left -= uint64(n); d.left == 0 {
			d.state = inDataCR
		}
	}
	return written, read, nil
}

// step takes one byte of everything that is not data.
func (d *dechunker) step(c byte) error {
	switch d.state {
	case inSize, inExtension:
		return d.sizeLine(c)
	case inSizeEnd:
		d.state = inData
		if d.left == 0 {
			d.state = inTrailer
		}
		return expect(c, '\n')
	case inDataCR:
		d.state = inDataLF
		return expect(c, '\r')
	default: // inDataLF
		*d = dechunker{}
		return expect(c, '\n')
	}
}

func (d *dechunker) sizeLine(c byte) error {
	if d.line++; d.line > maxChunkLine {
		return fmt.Errorf("%w: chunk line longer than %d bytes", ErrBadResponse, maxChunkLine)
	}
	switch {
	case d.digits == 0:
		return d.digit(c)
	case c == '\r':
		d.state = inSizeEnd
	case d.state == inExtension:
		if c < ' ' && c != '\t' {
			return fmt.Errorf("%w: %q in a chunk extension", ErrBadResponse, c)
		}
	case c == ';' || c == ' ' || c == '\t':
		d.state = inExtension
	default:
		return d.digit(c)
	}
	return nil
}

func (d *dechunker) digit(c byte) error {
	var v byte
	switch {
	case '0' <= c && c <= '9':
		v = c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		v = c | 0x20 - 'a' + 10
	default:
		return fmt.Errorf("%w: %q in a chunk size", ErrBadResponse, c)
	}
	if d.digits++; d.digits > 15 { // fits an int64
		return fmt.Errorf("%w: chunk size too large", ErrBadResponse)
	}
	d.left = d.left<<4 | uint64(v)
	return nil
}

func expect(c, want byte) error {
	if c != want {
		return fmt.Errorf("%w: %q where a chunk line ends", ErrBadResponse, c)
	}
	return nil
}
