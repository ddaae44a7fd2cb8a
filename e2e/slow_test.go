package e2e

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCrowdDoesNotKeepARealDeviceOut opens a thousand connections that say
// nothing or one byte a second, before and after the handshake, and uses the
// gateway meanwhile.
func TestCrowdDoesNotKeepARealDeviceOut(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	var crowd []net.Conn
	t.Cleanup(func() {
		for _, c := range crowd {
			c.Close()
		}
	})
	for i := range 1000 {
		conn, err := net.DialTimeout("tcp", desktop.address, patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		crowd = append(crowd, conn)
		switch i % 4 {
		case 1:
			conn.Write([]byte{0x16}) // the first byte of TLS
		case 2:
			conn.Write([]byte("G")) // the first byte of HTTP
		case 3:
			if i%20 == 3 { // a finished handshake, then the head byte by byte
				secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				if secure.Handshake() == nil {
					crowd = append(crowd, secure)
				}
			}
		}
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for head := "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: "; ; head += "x" {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
			for _, c := range crowd {
				c.SetWriteDeadline(time.Now().Add(time.Millisecond))
				c.Write([]byte{head[len(head)-1]})
			}
		}
	}()
	photo := filepath.Join(t.TempDir(), "photo.jpg")
	if err := os.WriteFile(photo, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		laptop.must("send", photo, "--to", "Desktop")
	}
	if list := laptop.deviceList(); list[0].Status != "available" {
		t.Errorf("Laptop shows Desktop as %s", list[0].Status)
	}
}
