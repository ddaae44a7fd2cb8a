package dataplane

import "net"

// socketBuffer is how much the kernel may hold per direction, in bytes: room
// for a few large buffers. With the system's default, sender and receiver wake
// each other up for every piece; more than this is not faster (BenchmarkBulk).
const socketBuffer = 1 << 20

// TuneSocket raises the kernel buffers of a unix socket to 1 MiB per direction,
// or to what the system allows. Other connections are left alone: TCP tunes
// itself. On Linux the sender's buffer is the one that counts, so both ends of
// a socket want it. A refusal costs speed only, so it is not reported.
func TuneSocket(c net.Conn) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return
	}
	_ = u.SetWriteBuffer(socketBuffer)
	_ = u.SetReadBuffer(socketBuffer)
}
