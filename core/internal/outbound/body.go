package outbound

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the plugin's body as it arrives. A nil one is a request without.
type requestBody struct {
	io.ReadCloser
	left   int64 // of a declared length; below 0 for none; only the reader's
	done   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

// Read reads what the plugin sent.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err == io.EOF || b.left == 0 {
		b.done.Store(true)
	}
	return n, err
}

// Close says that nobody reads any more. net/http closes the plugin's side.
func (b *requestBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// ended reports whether everything of the body was read.
func (b *requestBody) ended() bool { return b == nil || b.done.Load() }

// spoil lets the connection end after the answer if there is more of the body to
// come, so that it is not taken for the next request.
func (b *requestBody) spoil(w http.ResponseWriter) {
	if !b.ended() {
		w.Header().Set("Connection", "close")
	}
}

// interrupt makes a read that waits for the plugin return, if there is more to
// come.
func (b *requestBody) interrupt(connection *http.ResponseController) {
	if !b.ended() {
		_ = connection.SetReadDeadline(time.Unix(1, 0))
	}
}

// release waits until nobody reads the body any more.
func (b *requestBody) release(connection *http.ResponseController) {
	if b == nil {
		return
	}
	b.interrupt(connection)
	<-b.closed
}
