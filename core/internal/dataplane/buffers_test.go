package dataplane

import (
	"net"
	"syscall"
	"testing"
)

func TestBuffersFit(t *testing.T) {
	var b buffers
	p := b.get()
	tests := []struct {
		name string
		n    int
		want int
	}{
		{"a small piece needs no more", 100, smallBuffer},
		{"a full small buffer grows", smallBuffer - chunkOverhead, largeBuffer},
		{"a well filled large one stays", smallBuffer, largeBuffer},
		{"an empty large one shrinks", smallBuffer - 1, smallBuffer},
	}
	for _, test := range tests {
		if p = b.fit(p, test.n); len(*p) != test.want {
			t.Errorf("%s: got %d bytes", test.name, len(*p))
		}
	}
}

// TestBuffersAreBounded borrows more large buffers than there may be.
func TestBuffersAreBounded(t *testing.T) {
	var b buffers
	var lent []*[]byte
	for i := range maxLargeBuffers + 10 {
		p := b.fit(b.get(), smallBuffer)
		if want := i < maxLargeBuffers; (len(*p) == largeBuffer) != want {
			t.Fatalf("buffer %d has %d bytes", i, len(*p))
		}
		lent = append(lent, p)
	}
	for _, p := range lent {
		b.put(p)
	}
	if p := b.fit(b.get(), smallBuffer); len(*p) != largeBuffer {
		t.Errorf("after all came back: %d bytes", len(*p))
	}
}

func TestTuneSocket(t *testing.T) {
	l := listen(t, socketPath(t))
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := sendBuffer(t, c)
	TuneSocket(c)
	if after := sendBuffer(t, c); after <= before {
		t.Errorf("send buffer %d, before %d", after, before)
	}
	ours, theirs := net.Pipe()
	TuneSocket(ours) // no socket, no effect
	ours.Close()
	theirs.Close()
}

func sendBuffer(t *testing.T, c net.Conn) (size int) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		size, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
	}); err != nil {
		t.Fatal(err)
	}
	return size
}
