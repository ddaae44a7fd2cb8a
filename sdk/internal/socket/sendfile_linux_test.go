package socket

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
)

func TestSendFileTakesOnlyRegularFiles(t *testing.T) {
	path, _ := randomFile(t, 100)
	l, socketPath := listen(t)
	peer, err := net.Dial("unix", socketPath)
	must(t, err)
	defer peer.Close()
	accepted, err := l.Accept()
	must(t, err)
	defer accepted.Close()
	dst := accepted.(*conn).UnixConn

	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	if n, handled, err := sendFile(dst, f); n != 100 || !handled || err != nil {
		t.Errorf("a file: %d, %v, %v", n, handled, err)
	}
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	for name, src := range map[string]io.Reader{
		"pipe":    r,
		"bytes":   bytes.NewReader([]byte("x")),
		"nothing": &io.LimitedReader{R: f, N: 0},
	} {
		if n, handled, _ := sendFile(dst, src); n != 0 || handled {
			t.Errorf("%s: %d, %v", name, n, handled)
		}
	}
}
