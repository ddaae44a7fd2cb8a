package dataplane

import (
	"io"
	"time"
)

// Read reads the response body. Into a buffer of 4 KiB or more it reads
// straight from the socket. It returns what is there without waiting for more,
// io.EOF at the true end and io.ErrUnexpectedEOF at any other.
func (b *call) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.state.Load() == callOver:
		return 0, errBodyClosed
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.next(p)
	switch {
	case err == io.EOF:
		b.err = io.EOF
		b.ended()
	case err != nil:
		b.err = b.broken(err)
	}
	return n, b.err
}

// WriteTo copies the rest of the body to w, in writes as large as what the
// socket gives, up to 256 KiB.
func (b *call) WriteTo(w io.Writer) (int64, error) {
	p := b.t.bufs.get()
	defer func() { b.t.bufs.put(p) }()
	for total := int64(0); ; {
		n, err := b.Read(*p)
		if n > 0 {
			m, werr := w.Write((*p)[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
			if m < n {
				return total, io.ErrShortWrite
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		p = b.t.bufs.fit(p, n)
	}
}

// Close ends the call. It returns after the last use of the request's body, so
// it blocks as long as that blocks in Read.
func (b *call) Close() error {
	was := b.state.Swap(callOver)
	if was == callOpen {
		b.c.shut() // what is still on the way must not meet another call
	}
	if b.send != nil {
		if was != callOver {
			b.send.halt()
		}
		<-b.send.done
	}
	if was != callOver {
		b.release(was == callEnded)
	}
	return nil
}

// next reads some of the body.
func (b *call) next(p []byte) (int, error) {
	switch b.kind {
	case framedEmpty:
		return 0, io.EOF
	case framedChunks:
		return b.nextChunks(p)
	case framedClose:
		return b.read(p)
	}
	n, err := b.read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, eofInside(err, true)
}

// read reads raw bytes: buffered ones, else a large piece directly, else
// through the buffer.
func (b *call) read(p []byte) (int, error) {
	c := b.c
	if c.buffered() == 0 {
		b.arm()
		if len(p) >= readBuffer {
			return c.nc.Read(p)
		}
		if err := c.fill(readBuffer); err != nil {
			return 0, err
		}
	}
	return c.take(p), nil
}

// arm limits the wait for the next piece of a body whose length was declared.
// The others are streams, and a stream may be silent.
func (b *call) arm() {
	if b.kind == framedLength {
		_ = b.c.nc.SetReadDeadline(time.Now().Add(b.t.opts.StallTimeout))
	}
}

// nextChunks reads until there is data. A large p takes the coded bytes and is
// decoded in place.
func (b *call) nextChunks(p []byte) (int, error) {
	for {
		n, err := b.decodeSome(p)
		if err != nil {
			return n, eofInside(err, true)
		}
		if b.chunks.done() {
			if err := b.readTrailer(); err != nil {
				return n, err
			}
			return n, io.EOF
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (b *call) decodeSome(p []byte) (int, error) {
	c := b.c
	if c.buffered() == 0 && len(p) >= readBuffer {
		raw, err := c.nc.Read(p)
		if raw == 0 {
			return 0, err
		}
		n, used, err := b.chunks.decode(p, p[:raw])
		if err != nil {
			return n, err
		}
		return n, c.unread(p[used:raw], b.t.opts.MaxHeadBytes)
	}
	if c.buffered() == 0 {
		if err := c.fill(readBuffer); err != nil {
			return 0, err
		}
	}
	n, used, err := b.chunks.decode(p, c.buf[c.r:c.w])
	c.r += used
	return n, err
}

func (b *call) readTrailer() error {
	lines, err := b.c.readTrailer(b.t.opts.MaxHeadBytes)
	if err != nil {
		return err
	}
	return parseTrailer(&b.resp, string(lines))
}

// Buffered is how many bytes of the body are here and can be read without
// waiting; 0 when that is not known.
func (b *call) Buffered() int {
	if b.kind != framedLength || b.state.Load() == callOver {
		return 0
	}
	return int(min(int64(b.c.buffered()), b.left))
}
