package listener

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

const idle = 30 * time.Second

// ownerConn is a connection without TLS over a wire.
func ownerConn(w *wire) *Conn {
	return &Conn{socket: &socket{Conn: w, idle: idle, buffers: newBuffers()}, owner: true}
}

func TestAStreamedBodyMayTakeLongButNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newWire()
		conn := ownerConn(server)
		// fasthttp's absolute deadline for head and body.
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		conn.StreamBody()
		go func() {
			for range 100 { // 48 minutes
				time.Sleep(idle - time.Second)
				client.Write([]byte("x"))
			}
		}()
		if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
			t.Fatalf("steady body: %v", err)
		}
		begin := time.Now()
		_, err := conn.Read(make([]byte, 1))
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != idle {
			t.Errorf("stalled body: %v after %v, want a timeout after %v", err, took, idle)
		}
	})
}

func TestStreamingEndsWithTheNextDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newWire()
		conn := ownerConn(server)
		conn.StreamBody()
		conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		begin := time.Now()
		conn.Read(make([]byte, 1))
		if took := time.Since(begin); took != 2*time.Minute {
			t.Errorf("timeout after %v, want 2m: the deadline of the next request", took)
		}
	})
}

func TestADeadlineWakesAReadThatStreams(t *testing.T) {
	for name, wake := range map[string]func(*Conn) error{
		"deadline": func(c *Conn) error { return c.SetReadDeadline(time.Now().Add(-time.Second)) },
		"cut":      (*Conn).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server := newWire()
				conn := ownerConn(server)
				conn.StreamBody()
				done := make(chan error, 1)
				go func() {
					_, err := conn.Read(make([]byte, 1))
					done <- err
				}()
				synctest.Wait()
				begin := time.Now()
				if err := wake(conn); err != nil {
					t.Fatal(err)
				}
				if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 0 {
					t.Errorf("Read = %v after %v, want a timeout at once", err, time.Since(begin))
				}
			})
		})
	}
}

func TestACutIsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newWire()
		conn := ownerConn(server)
		conn.Cut()
		client.Write([]byte("more"))
		conn.SetReadDeadline(time.Time{})
		conn.StreamBody()
		if n, err := conn.Read(make([]byte, 4)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after Cut = %d, %v", n, err)
		}
	})
}

func TestAWriteMayBeSlowButNotStall(t *testing.T) {
	i := newIdentity(t)
	for name, open := range map[string]func(*testing.T) (*Conn, *wire){
		"owner": func(*testing.T) (*Conn, *wire) {
			_, server := newWire()
			return ownerConn(server), server
		},
		"tls": func(t *testing.T) (*Conn, *wire) {
			server, _, w := tlsPair(t, i, idle)
			return server, w
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, w := open(t)
				w.out.limit = 1000
				const reads = 150
				go func() { // takes what is on the wire, encrypted or not
					other := &wire{in: w.out}
					for range reads {
						time.Sleep(idle - time.Second)
						other.Read(make([]byte, 1500))
					}
				}()
				begin := time.Now()
				_, err := conn.Write(make([]byte, 200<<10))
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Write = %v, want a timeout once nobody reads", err)
				}
				steady := reads * (idle - time.Second)
				if took := time.Since(begin); took < steady || took > steady+2*idle {
					t.Errorf("gave up after %v, want about %v", took, steady+idle)
				}
				if _, err := conn.Write([]byte("x")); err == nil {
					t.Error("a write after a failed one succeeded")
				}
			})
		})
	}
}

func TestAnAbsoluteWriteDeadlineHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newWire()
		server.out.limit = 10
		conn := ownerConn(server)
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for time.Sleep(time.Second); ; time.Sleep(time.Second) {
				if n, _ := client.Read(make([]byte, 1)); n == 0 {
					return
				}
			}
		}()
		begin := time.Now()
		_, err := conn.Write(bytes.Repeat([]byte("x"), 1000))
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Minute {
			t.Errorf("Write = %v after %v, want a timeout after 1m", err, took)
		}
		conn.socket.Conn.Close()
		<-stop
	})
}

func TestAPastWriteDeadlineWakesAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newWire()
		server.out.limit = 1
		conn := ownerConn(server)
		done := make(chan error, 1)
		go func() {
			_, err := conn.Write([]byte("xyz"))
			done <- err
		}()
		synctest.Wait()
		begin := time.Now()
		conn.SetWriteDeadline(time.Now().Add(-time.Second))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 0 {
			t.Errorf("Write = %v after %v, want a timeout at once", err, time.Since(begin))
		}
	})
}
