package dataplane

import (
	"sync"
	"sync/atomic"
)

// Sizes of the buffers that bodies are copied with. A transfer starts with a
// small one and gets a large one once it fills the small one, so that slow
// clients and silent event streams pin little memory. Four times as large was
// not faster (BenchmarkBulk): it leaves the processor's cache.
const (
	smallBuffer = 32 << 10
	largeBuffer = 256 << 10
	// maxLargeBuffers bounds the memory of many fast transfers at once, to 32 MiB;
	// those beyond it go on with small buffers.
	maxLargeBuffers = 128
)

// buffers lends copy buffers of the two sizes.
type buffers struct {
	small, large sync.Pool // of *[]byte
	lent         atomic.Int32
}

// get lends a small buffer.
func (b *buffers) get() *[]byte {
	if p, ok := b.small.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, smallBuffer)
	return &p
}

// put takes a buffer back.
func (b *buffers) put(p *[]byte) {
	if len(*p) == smallBuffer {
		b.small.Put(p)
		return
	}
	b.large.Put(p)
	b.lent.Add(-1)
}

// fit exchanges the buffer for one of the size that the last piece asks for: a
// full small buffer for a large one, a large one that stayed nearly empty for
// a small one. The content is lost.
func (b *buffers) fit(p *[]byte, n int) *[]byte {
	switch size := len(*p); {
	case size == smallBuffer && n >= size-chunkOverhead:
		return b.grow(p)
	case size == largeBuffer && n < smallBuffer:
		b.put(p)
		return b.get()
	}
	return p
}

func (b *buffers) grow(p *[]byte) *[]byte {
	if b.lent.Add(1) > maxLargeBuffers {
		b.lent.Add(-1)
		return p
	}
	b.put(p)
	if l, ok := b.large.Get().(*[]byte); ok {
		return l
	}
	l := make([]byte, largeBuffer)
	return &l
}
