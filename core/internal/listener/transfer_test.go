package listener

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func randomBytes(r *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// TestReadsAndPendingKeepTheirPromises sends random pieces, reads in random
// sizes, and checks every byte; and that a Read does not wait whenever Pending
// said so.
func TestReadsAndPendingKeepTheirPromises(t *testing.T) {
	i := newIdentity(t)
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			server, client, _ := tlsPair(t, i, idle)
			server.StreamBody()
			sizes := []int{1, 100, 4096, maxRecord - 1, maxRecord, maxRecord + 1, 70_000, 200_000}
			for range 30 {
				sent := randomBytes(r, 1+r.IntN(sizes[r.IntN(len(sizes))]))
				if _, err := client.Write(sent); err != nil {
					t.Fatal(err)
				}
				checkReceived(t, r, server, sent, sizes)
			}
			client.Close()
			if n, err := server.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				t.Fatalf("after close: %d, %v, want EOF", n, err)
			}
			checkNoMemory(t, server)
		})
	}
}

// checkReceived reads what was sent, all of which has arrived.
func checkReceived(t *testing.T, r *rand.Rand, server *Conn, sent []byte, sizes []int) {
	t.Helper()
	var got []byte
	for len(got) < len(sent) {
		p := make([]byte, sizes[r.IntN(len(sizes))])
		n, err := server.Read(p)
		if err != nil || n == 0 {
			t.Fatalf("Read = %d, %v", n, err)
		}
		got = append(got, p[:n]...)
		for r.IntN(4) > 0 && server.Pending() {
			if len(got) == len(sent) {
				t.Fatal("Pending although everything was read")
			}
			n, err := readAtOnce(t, server, p[:1+r.IntN(len(p))])
			if err != nil || n == 0 {
				t.Fatalf("Read after Pending = %d, %v", n, err)
			}
			got = append(got, p[:n]...)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Fatal("the bytes are not those that were sent")
	}
	if server.Pending() {
		t.Fatal("Pending although everything was read")
	}
	checkNoMemory(t, server)
}

// readAtOnce fails the test if the Read waits. It must run in a bubble.
func readAtOnce(t *testing.T, conn *Conn, p []byte) (n int, err error) {
	t.Helper()
	done := false
	go func() {
		n, err = conn.Read(p)
		done = true
	}()
	synctest.Wait()
	if !done {
		t.Fatal("Read waits although Pending was true")
	}
	return n, err
}

// checkNoMemory checks that a connection with nothing to read holds no buffers.
func checkNoMemory(t *testing.T, c *Conn) {
	t.Helper()
	if c.memory != nil || c.socket.in.memory != nil || c.socket.out.memory != nil {
		t.Fatalf("an idle connection holds memory: ahead %v, read %v, join %v",
			c.memory != nil, c.socket.in.memory != nil, c.socket.out.memory != nil)
	}
}

func TestPendingWhileAnotherReads(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := tlsPair(t, i, idle)
		go server.Read(make([]byte, 10))
		synctest.Wait()
		if server.Pending() {
			t.Error("Pending is true while a Read waits")
		}
		client.Close()
	})
}

func TestPendingTellsTheEnd(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, client, _ := tlsPair(t, i, idle)
		client.Write([]byte("abc"))
		client.CloseWrite()
		p := make([]byte, 3)
		if n, err := server.Read(p); n != 3 || err != nil {
			t.Fatalf("Read = %d, %v", n, err)
		}
		if !server.Pending() {
			t.Fatal("the end has arrived, but is not pending")
		}
		if n, err := readAtOnce(t, server, p); n != 0 || err != io.EOF {
			t.Errorf("Read = %d, %v, want EOF", n, err)
		}
	})
}

func TestDataBeforeAnErrorArrives(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, client, w := tlsPair(t, i, idle)
		client.Write([]byte("abc"))
		w.in.mu.Lock()
		w.in.data = append(w.in.data, 23, 3, 3, 0, 20) // a forged record
		w.in.data = append(w.in.data, make([]byte, 20)...)
		w.in.mu.Unlock()
		p := make([]byte, 100)
		if n, err := server.Read(p); string(p[:n]) != "abc" || err != nil {
			t.Fatalf("Read = %q, %v, want what came before the forgery", p[:n], err)
		}
		if n, err := server.Read(p); n != 0 || err == nil {
			t.Errorf("Read = %d, %v, want an error", n, err)
		}
	})
}

func TestALargeBodyTakesFewReads(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, client, w := tlsPair(t, i, idle)
		const size = 8 << 20
		go client.Write(make([]byte, size))
		synctest.Wait()
		server.StreamBody()
		w.reads = 0
		calls, p := 0, make([]byte, 1<<20)
		for left := size; left > 0; calls++ {
			n, err := server.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			left -= n
		}
		// 512 records; bare crypto/tls needs a read and a call for each.
		if want := size/readBufferSize + 8; w.reads > want || calls > want {
			t.Errorf("%d reads from the network and %d calls, want at most %d", w.reads, calls, want)
		}
	})
}

func TestAWaitingReadHoldsNoMemory(t *testing.T) {
	i := newIdentity(t)
	for name, end := range map[string]func(server *Conn, client io.Writer){
		"the next request": func(server *Conn, _ io.Writer) { server.SetReadDeadline(time.Now().Add(time.Hour)) },
		"a thin stream": func(server *Conn, client io.Writer) {
			client.Write([]byte("x"))
			server.Read(make([]byte, 1))
		},
	} {
		// Of these sizes some end with a full read from the network.
		for size := 1 << 20; size < 1<<20+readBufferSize; size += 20_000 {
			synctest.Test(t, func(t *testing.T) {
				server, client, _ := tlsPair(t, i, idle)
				server.StreamBody()
				if _, err := client.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(server, make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				end(server, client)
				go server.Read(make([]byte, 4096))
				synctest.Wait()
				if server.socket.in.memory != nil {
					t.Errorf("%s, after %d bytes: the read buffer is held", name, size)
				}
				client.Close()
			})
		}
	}
}

func TestALargeWriteTakesFewWrites(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, client, w := tlsPair(t, i, idle)
		r := rand.New(rand.NewPCG(3, 3))
		for _, size := range []int{0, 1, maxRecord, maxRecord + 1, 16 * maxRecord, 16*maxRecord + 1, 1 << 20, 3<<20 + 7} {
			sent := randomBytes(r, size)
			w.writes = 0
			if n, err := server.Write(sent); n != size || err != nil {
				t.Fatalf("Write of %d = %d, %v", size, n, err)
			}
			if limit := 1 + size/(16*maxRecord); w.writes > limit {
				t.Errorf("%d bytes took %d writes, want at most %d", size, w.writes, limit)
			}
			got := make([]byte, size)
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes did not arrive as they were: %v", size, err)
			}
			checkNoMemory(t, server)
		}
	})
}

// failing fails the nth write from now after half of its bytes.
type failing struct {
	*wire
	in int
}

var errCable = errors.New("cable pulled")

func (f *failing) Write(p []byte) (int, error) {
	if f.in--; f.in == 0 {
		n, _ := f.wire.Write(p[:len(p)/2])
		return n, errCable
	}
	return f.wire.Write(p)
}

func TestNothingFollowsAFailedWrite(t *testing.T) {
	i := newIdentity(t)
	for nth := 1; nth <= 4; nth++ {
		synctest.Test(t, func(t *testing.T) {
			server, _, w := tlsPair(t, i, idle)
			server.socket.Conn = &failing{wire: w, in: nth}
			_, err := server.Write(make([]byte, 1<<20)) // four writes to the network
			if !errors.Is(err, errCable) {
				t.Fatalf("write %d failed: Write = %v", nth, err)
			}
			w.writes = 0
			if _, err := server.Write([]byte("x")); err == nil {
				t.Errorf("write %d failed: the next Write succeeded", nth)
			}
			server.Close()
			if w.writes != 0 {
				t.Errorf("write %d failed: something was sent after half a record", nth)
			}
			checkNoMemory(t, server)
		})
	}
}

// TestAnEarlyRefusalArrives refuses a large body after its first bytes. The
// client sends all of it before it reads.
func TestAnEarlyRefusalArrives(t *testing.T) {
	i := newIdentity(t)
	inner := listenTCP(t)
	l := New(inner, Options{TLS: i.ServerTLS()})
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		c := conn.(*Conn)
		c.StreamBody()
		_, err = io.ReadFull(c, make([]byte, 1000))
		err = errors.Join(err, c.Cut())
		_, werr := io.WriteString(c, "too large")
		served <- errors.Join(err, werr, c.Close())
	}()
	client, err := tls.Dial("tcp", inner.Addr().String(), i.ClientTLS(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := client.Write(make([]byte, 16<<20)); err != nil {
		t.Errorf("sending was cut off: %v", err)
	}
	client.CloseWrite()
	got, err := io.ReadAll(client)
	if string(got) != "too large" || err != nil {
		t.Errorf("answer = %q, %v", got, err)
	}
	client.Close()
	if err := <-served; err != nil {
		t.Errorf("server: %v", err)
	}
}

func TestCloseDoesNotWaitForAnIdleClient(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, _, _ := tlsPair(t, i, idle)
		server.SetReadDeadline(time.Now().Add(time.Minute))
		begin := time.Now()
		if err := server.Close(); err != nil || time.Since(begin) != 0 {
			t.Errorf("Close = %v after %v, want at once", err, time.Since(begin))
		}
	})
}

func TestCloseWaitsALittleForAClientThatSends(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		server, _, _ := tlsPair(t, i, idle)
		server.StreamBody()
		begin := time.Now()
		if err := server.Close(); err != nil || time.Since(begin) != lingerTime {
			t.Errorf("Close = %v after %v, want %v", err, time.Since(begin), lingerTime)
		}
	})
}
