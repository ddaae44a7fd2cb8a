package listener

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/identity"
)

const (
	benchBytes = 256 << 20
	benchPiece = 1 << 20 // what the gateway copies at once
)

// BenchmarkTransfer moves 256 MiB over TLS with this package and with crypto/tls
// alone, in turn, and reports how much faster it is with it.
func BenchmarkTransfer(b *testing.B) {
	i, err := identity.Open(b.TempDir(), identity.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close()
	bare := listenTCP(b)
	accepts := map[string]func() (net.Conn, error){}
	inner := listenTCP(b)
	l := New(inner, Options{TLS: i.ServerTLS()})
	defer l.Close()
	accepts[bare.Addr().String()] = func() (net.Conn, error) {
		raw, err := bare.Accept()
		if err != nil {
			return nil, err
		}
		return tls.Server(raw, i.ServerTLS()), nil
	}
	accepts[inner.Addr().String()] = l.Accept

	for name, move := range map[string]func(server, client net.Conn) error{"up": benchUp, "down": benchDown} {
		b.Run(name, func(b *testing.B) {
			spent := map[string]time.Duration{}
			for b.Loop() {
				for address, accept := range accepts {
					d, err := benchOnce(i, address, accept, move)
					if err != nil {
						b.Fatal(err)
					}
					spent[address] += d
				}
			}
			b.SetBytes(2 * benchBytes)
			b.ReportMetric(float64(spent[bare.Addr().String()])/float64(spent[inner.Addr().String()]), "times-faster")
		})
	}
}

func listenTCP(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

func benchOnce(i *identity.Identity, address string, accept func() (net.Conn, error), move func(server, client net.Conn) error) (time.Duration, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	dialling := make(chan dialled, 1)
	go func() {
		conn, err := tls.Dial("tcp", address, i.ClientTLS(nil))
		dialling <- dialled{conn, err}
	}()
	server, err := accept()
	if err != nil {
		return 0, err
	}
	defer server.Close()
	if bare, ok := server.(*tls.Conn); ok {
		if err := bare.Handshake(); err != nil {
			return 0, err
		}
	}
	d := <-dialling
	if d.err != nil {
		return 0, d.err
	}
	defer d.conn.Close()
	begin := time.Now()
	err = move(server, d.conn)
	return time.Since(begin), err
}

// benchUp is how a body comes in: joined as long as more is there.
func benchUp(server, client net.Conn) error {
	if c, ok := server.(*Conn); ok {
		c.StreamBody()
	}
	sent := make(chan error, 1)
	go func() { sent <- benchSend(client) }()
	buf := make([]byte, benchPiece)
	for left := benchBytes; left > 0; {
		n, err := server.Read(buf[:min(left, len(buf))])
		if err != nil {
			return errors.Join(err, <-sent)
		}
		left -= n
	}
	return <-sent
}

func benchDown(server, client net.Conn) error {
	sent := make(chan error, 1)
	go func() { sent <- benchSend(server) }()
	_, err := io.CopyN(io.Discard, client, benchBytes)
	return errors.Join(err, <-sent)
}

func benchSend(w io.Writer) error {
	piece := make([]byte, benchPiece)
	for range benchBytes / benchPiece {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
