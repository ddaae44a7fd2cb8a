package devices_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/core/internal/store"
)

// standIn makes this test binary a process full of gateways instead, so that
// what is measured is the one that asks them.
const standIn = "SALITA_TEST_GATEWAYS"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) != "" {
		if err := serveGateways(); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// simulated is one gateway of the other process.
type simulated struct {
	Key     string
	Address string
}

// serveGateways runs as many gateways as it was told, prints where they are, and
// goes on until its standard input ends. Those that are dead take connections and
// never say a word, or, when they are gone, take none.
func serveGateways() error {
	var live, dead int
	var gone bool
	if _, err := fmt.Sscan(os.Getenv(standIn), &live, &dead, &gone); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	var silent []net.Listener // kept, or they would be closed
	for i := range live + dead {
		key, config, err := gatewayTLS()
		if err != nil {
			return err
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(simulated{key.String(), ln.Addr().String()}); err != nil {
			return err
		}
		if i < live {
			go http.Serve(plainListener{ln, config}, healthOf(key))
			continue
		}
		if gone {
			ln.Close()
		}
		silent = append(silent, ln)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := bufio.NewReader(os.Stdin).ReadByte()
	_ = err // the end of the test
	for _, ln := range silent {
		ln.Close()
	}
	return nil
}

func gatewayTLS() (mesh.KeyHash, *tls.Config, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return mesh.KeyHash{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return mesh.KeyHash{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return mesh.KeyOf(cert), &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{identity.PeerProtocol}, ClientAuth: tls.RequireAnyClientCert,
		SessionTicketsDisabled: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
	}, err
}

func healthOf(key mesh.KeyHash) http.Handler {
	body := fmt.Sprintf(`{"ok":true,"node_id":%q,"name":"Device","version":"1","capabilities":["media.storage","posts"],"metadata":{"media.storage":"Can store media"}}`, key.DeviceID())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0123456789abcdef"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write([]byte(body))
	})
}

// plainListener hides TLS from net/http, which closes protocols it does not know.
type plainListener struct {
	net.Listener
	config *tls.Config
}

func (l plainListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{tls.Server(c, l.config)}, nil
}

// newMesh is a list of so many devices in another process, over real TLS and a
// real store.
func newMesh(tb testing.TB, live, dead int, gone bool, timeout time.Duration) *devices.Service {
	tb.Helper()
	self, err := identity.Open(tb.TempDir(), identity.Options{Name: "test", Hosts: func() []string { return []string{"127.0.0.1"} }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { self.Close() })
	db, err := store.Open(tb.Context(), store.Options{Path: filepath.Join(tb.TempDir(), "salita.db"), Sealer: self})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	for i, g := range startGateways(tb, live, dead, gone) {
		key, err := mesh.ParseKeyHash(g.Key)
		if err != nil {
			tb.Fatal(err)
		}
		secret, hash := mesh.NewToken()
		d := mesh.Device{
			ID: key.DeviceID(), Name: fmt.Sprintf("Device %d", i), Kind: mesh.KindGateway, Key: key,
			Addresses: []string{g.Address}, PairedAt: time.Now(),
		}
		_, err = db.CompletePairing(tb.Context(), mesh.Pairing{
			Device: d, Issued: mesh.IssuedToken{Hash: hash, DeviceID: d.ID, Key: key, ExpiresAt: time.Now().Add(time.Hour)},
			Peer: &mesh.PeerToken{DeviceID: d.ID, Token: secret, ExpiresAt: time.Now().Add(time.Hour)},
		}, nil)
		if err != nil {
			tb.Fatal(err)
		}
	}
	peers := peer.New(self, db, hclog.NewNullLogger())
	tb.Cleanup(func() { peers.Close() })
	s, err := devices.New(tb.Context(), devices.Options{
		Store: db, Caller: peers, LastUses: func() map[mesh.DeviceID]time.Time { return nil },
		Interval: time.Minute, Timeout: timeout, Now: time.Now, Log: hclog.NewNullLogger(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func startGateways(tb testing.TB, live, dead int, gone bool) []simulated {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %t", standIn, live, dead, gone))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	all := make([]simulated, live+dead)
	decoder := json.NewDecoder(out)
	for i := range all {
		if err := decoder.Decode(&all[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

// usage samples what the process holds while something goes on.
type usage struct {
	memory, sockets atomic.Int64 // the most there was: bytes of heap and stacks; sockets
}

func (u *usage) during(work func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			u.sample()
			time.Sleep(20 * time.Millisecond)
		}
	}()
	work()
	cancel()
	<-done
	u.sample()
}

func (u *usage) sample() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.memory.Store(max(u.memory.Load(), int64(m.HeapInuse+m.StackInuse)))
	open := int64(0)
	entries, _ := os.ReadDir("/proc/self/fd") // elsewhere nothing is counted
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			open++
		}
	}
	u.sockets.Store(max(u.sockets.Load(), open))
}

// Bounds of a round, however large the mesh.
const (
	maxMemory  = 64 << 20
	maxSockets = 256 + 128 + 16 // in flight, kept warm, and the test's own
)

func (u *usage) check(tb testing.TB) {
	tb.Helper()
	if got := u.memory.Load(); got > maxMemory {
		tb.Errorf("a round held %d MiB", got>>20)
	}
	if got := u.sockets.Load(); got > maxSockets {
		tb.Errorf("a round held %d sockets", got)
	}
}

func TestRoundOverRealConnections(t *testing.T) {
	s := newMesh(t, 180, 20, true, time.Minute)
	var u usage
	for range 2 { // over new connections, then over those that were kept
		var r devices.Round
		u.during(func() { r = s.Discover(t.Context()) })
		if len(r.Available) != 180 || len(r.Offline) != 20 {
			t.Errorf("%d are available, %d offline", len(r.Available), len(r.Offline))
		}
		for _, d := range r.Available {
			if d.Response <= 0 || !d.Can("media.storage") {
				t.Fatalf("a device that answered: %+v", d)
			}
		}
	}
	u.check(t)
}

// BenchmarkRoundOfAThousand reports how long a round takes in multiples of the
// timeout, with nothing known yet and 100 of the devices dead.
func BenchmarkRoundOfAThousand(b *testing.B) {
	const timeout = 2 * time.Second
	s := newMesh(b, 900, 100, false, timeout)
	var u usage
	for b.Loop() {
		u.during(func() {
			if r := s.Discover(b.Context()); len(r.Available) != 900 {
				b.Logf("%d are available", len(r.Available))
			}
		})
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/timeout.Seconds(), "timeouts/round")
	b.ReportMetric(float64(u.memory.Load())/(1<<20), "MiB")
	b.ReportMetric(float64(u.sockets.Load()), "sockets")
	u.check(b)
}
