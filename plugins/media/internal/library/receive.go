package library

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"

	"github.com/salita-mesh/salita/plugins/media/internal/mediatype"
)

// A file passes through chunks that stay in the processor's cache. With this
// many of them the checksum is computed on another processor while the next
// chunk is read and written; an upload holds chunkSize*chunkCount bytes at most.
const (
	chunkSize  = 256 << 10
	chunkCount = 4
)

// content is what is known of a received file.
type content struct {
	size   int64
	sha256 string
	head   []byte // its first bytes, for telling its type
}

// receive copies src to dst to its end.
func receive(dst io.Writer, src io.Reader, chunks *sync.Pool) (content, error) {
	d := newDigest(chunks)
	defer d.end()
	var c content
	for {
		chunk := d.chunk()
		n, err := fill(src, chunk)
		if c.size == 0 {
			c.head = append(c.head, chunk[:min(n, mediatype.HeadSize)]...)
		}
		c.size += int64(n)
		// A source that ends within the first chunk is not worth a goroutine.
		d.add(chunk, n, err == nil)
		if n > 0 {
			if _, err := dst.Write(chunk[:n]); err != nil {
				return content{}, err
			}
		}
		if err == io.EOF {
			c.sha256 = d.sum()
			return c, nil
		}
		if err != nil {
			return content{}, err
		}
	}
}

// fill reads until the chunk is full. Unlike io.ReadFull it passes the source's
// own errors on unchanged: a body that was cut must not look like one that ended.
func fill(src io.Reader, chunk *[chunkSize]byte) (n int, err error) {
	for empty := 0; n < len(chunk) && err == nil; {
		var m int
		m, err = src.Read(chunk[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// digest computes a checksum beside the goroutine that reads and writes, and
// lends the chunks for it.
type digest struct {
	hash   hash.Hash
	chunks *sync.Pool
	idle   chan *[chunkSize]byte
	lent   int
	work   chan piece // nil until the first chunk that is not the last
	done   chan struct{}
}

type piece struct {
	chunk *[chunkSize]byte
	n     int
}

func newDigest(chunks *sync.Pool) *digest {
	return &digest{hash: sha256.New(), chunks: chunks, idle: make(chan *[chunkSize]byte, chunkCount)}
}

// chunk returns a chunk that is no longer read.
func (d *digest) chunk() *[chunkSize]byte {
	select {
	case c := <-d.idle:
		return c
	default:
	}
	if d.lent < chunkCount {
		d.lent++
		return d.chunks.Get().(*[chunkSize]byte)
	}
	return <-d.idle
}

// add hashes the first n bytes of the chunk, in the background when more is to
// come. The caller may read the chunk until its next call of chunk.
func (d *digest) add(c *[chunkSize]byte, n int, more bool) {
	if d.work == nil && !more {
		d.hash.Write(c[:n])
		d.idle <- c
		return
	}
	if d.work == nil {
		d.work = make(chan piece, chunkCount)
		d.done = make(chan struct{})
		go d.run()
	}
	d.work <- piece{c, n}
}

func (d *digest) run() {
	defer close(d.done)
	for p := range d.work {
		d.hash.Write(p.chunk[:p.n])
		d.idle <- p.chunk
	}
}

// wait ends the background work.
func (d *digest) wait() {
	if d.work != nil {
		close(d.work)
		<-d.done
		d.work = nil
	}
}

func (d *digest) sum() string {
	d.wait()
	return hex.EncodeToString(d.hash.Sum(nil))
}

// end gives the chunks back; every chunk must have been added.
func (d *digest) end() {
	d.wait()
	for ; d.lent > 0; d.lent-- {
		d.chunks.Put(<-d.idle)
	}
}
