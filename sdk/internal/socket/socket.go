// Package socket is the plugin's end of the data plane: a private unix socket
// whose connections move large bodies with few system calls. Kernel buffers are
// raised, copies use large buffers, and on Linux a file is sent without passing
// through the process at all. It knows nothing of HTTP; net/http finds the fast
// paths through io.ReaderFrom and io.WriterTo.
package socket

import (
	"fmt"
	"io"
	"net"
	"os"
)

// kernelBuffer is asked for per direction, in bytes; the system may give less,
// which costs speed only. Well below it, sender and receiver wake each other up
// for every few kilobytes.
const kernelBuffer = 2 << 20

// Listener accepts connections that implement io.ReaderFrom. All its
// connections and bodies share one bounded set of copy buffers.
type Listener struct {
	*net.UnixListener
	buffers buffers
	parents bool
}

// Listen opens a unix socket at path that only its owner may use (mode 0600).
// The folder should be private already: between creation and chmod the socket
// has the mode that the umask leaves. Closing the listener removes the file.
func Listen(path string) (*Listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("protect socket: %w", err)
	}
	return &Listener{UnixListener: l}, nil
}

// OnlyParents closes connections from processes that this one does not descend
// from, where the system tells. All plugins belong to one user, so nothing else
// keeps one from asking another in the gateway's name.
func (l *Listener) OnlyParents() { l.parents = true }

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if l.parents && !fromParent(c) {
			_ = c.Close()
			continue
		}
		_ = c.SetReadBuffer(kernelBuffer)
		_ = c.SetWriteBuffer(kernelBuffer)
		return &conn{UnixConn: c, buffers: &l.buffers}, nil
	}
}

// Body wraps a request body so that io.Copy out of it uses large buffers.
func (l *Listener) Body(body io.ReadCloser) io.ReadCloser {
	return &largeBody{ReadCloser: body, buffers: &l.buffers}
}

// conn shadows UnixConn's packet method ReadFrom with the one that io.Copy and
// net/http look for.
type conn struct {
	*net.UnixConn
	buffers *buffers
}

var _ io.ReaderFrom = (*conn)(nil)

// ReadFrom sends all of src.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	n, handled, err := sendFile(c.UnixConn, src)
	if handled {
		return n, err
	}
	return c.buffers.copy(c.UnixConn, src)
}

type largeBody struct {
	io.ReadCloser
	buffers *buffers
}

var _ io.WriterTo = (*largeBody)(nil)

// WriteTo writes the rest of the body to w.
func (b *largeBody) WriteTo(w io.Writer) (int64, error) { return b.buffers.copy(w, b.ReadCloser) }
