package socket

import (
	"io"
	"sync"
	"sync/atomic"
)

// A copy starts with a small buffer and exchanges it for a large one once a
// read fills it, so that only fast transfers hold much memory, and at most
// maxLarge of them.
const (
	smallSize = 32 << 10
	largeSize = 1 << 20
	maxLarge  = 16
)

// buffers lends copy buffers.
type buffers struct {
	small, large sync.Pool // of *[]byte
	lent         atomic.Int32
}

func (b *buffers) get() *[]byte {
	if p, ok := b.small.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, smallSize)
	return &p
}

// grow exchanges a small buffer for a large one, unless too many are lent.
func (b *buffers) grow(p *[]byte) *[]byte {
	if b.lent.Add(1) > maxLarge {
		b.lent.Add(-1)
		return p
	}
	b.small.Put(p)
	if l, ok := b.large.Get().(*[]byte); ok {
		return l
	}
	l := make([]byte, largeSize)
	return &l
}

func (b *buffers) put(p *[]byte) {
	if len(*p) == smallSize {
		b.small.Put(p)
		return
	}
	b.large.Put(p)
	b.lent.Add(-1)
}

// copy is io.Copy with lent buffers; it calls nothing but Read and Write.
func (b *buffers) copy(dst io.Writer, src io.Reader) (written int64, err error) {
	buf := b.get()
	defer func() { b.put(buf) }()
	for {
		n, readErr := src.Read(*buf)
		if n > 0 {
			w, err := dst.Write((*buf)[:n])
			written += int64(w)
			if err != nil {
				return written, err
			}
			if w < n {
				return written, io.ErrShortWrite
			}
		}
		if readErr == io.EOF {
			return written, nil
		}
		if readErr != nil {
			return written, readErr
		}
		if n == smallSize && len(*buf) == smallSize {
			buf = b.grow(buf)
		}
	}
}
