package listener

import (
	"io"
	"net"
	"time"
)

// How long, and for how many bytes, a client may go on sending after the last
// word to it.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 20
)

// linger ends our direction and discards what the other side still sends, until
// it ends its own or had its time. The caller closes raw.
func linger(raw net.Conn) {
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if raw.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		io.CopyN(io.Discard, raw, lingerBytes)
	}
}
