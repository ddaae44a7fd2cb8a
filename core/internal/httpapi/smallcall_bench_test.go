package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/core/internal/router"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// BenchmarkSmallCall measures what a call through the gateway to a plugin costs
// beside the same work done inside Fiber: a JSON body of 200 bytes is decoded
// and encoded, after the same checks of the caller. Plugin and client are
// processes of their own. Both take turns, so that a busy machine slows both. The metrics are the time
// on a processor of gateway and plugin per call, and how many calls per second
// the plugin serves for each one inside.
//
//	go test -run '^$' -bench SmallCall -benchtime 20000x ./core/internal/httpapi
func BenchmarkSmallCall(b *testing.B) {
	planes := newPlanes(b)
	for _, door := range []string{"tls", "socket"} {
		for _, connections := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("%s/%d", door, connections), func(b *testing.B) { planes.compare(b, door, connections) })
		}
	}
}

// TestSmallCallPlanes checks that what the benchmark compares is the same work.
func TestSmallCallPlanes(t *testing.T) {
	planes := newPlanes(t)
	for _, door := range []string{"tls", "socket"} {
		for _, plane := range []string{"inside", "plugin"} {
			client := planes.client(t, door, plane, 2)
			if took := client.calls(t, 10); took <= 0 {
				t.Errorf("%s, %s: took %s", door, plane, took)
			}
		}
	}
}

// clientEnv makes the test binary the client of the benchmark.
const clientEnv = "SALITA_TEST_CLIENT"

// TestMain makes the test binary three programs: the tests, a plugin when it is
// started as one, and a client.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(control.Handshake().MagicCookieKey) != "":
		sdk.Main(echoPlugin())
	case os.Getenv(clientEnv) != "":
		if err := runClient(os.Getenv(clientEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func echoPlugin() sdk.Plugin[struct{}] {
	return sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{
			Name: "echo", Version: "1", Title: "Echo",
			Capabilities: []sdk.Capability{{ID: "echo.small", Title: "Can echo", Route: "POST /echo/small"}},
			Routes: []sdk.Route{
				{Pattern: "POST /echo/small", Permission: "echo:use"},
				{Pattern: "GET /echo/pid", Permission: "echo:use"},
				{Pattern: "GET /echo/shout", Permission: "echo:use"},
			},
		},
		New: func(context.Context, sdk.Env, struct{}) (http.Handler, error) {
			mux := http.NewServeMux()
			mux.HandleFunc("/echo/small", echo)
			mux.HandleFunc("/echo/shout", shout)
			mux.HandleFunc("/echo/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
			return mux, nil
		},
	}
}

type note struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Tags  []string `json:"tags"`
	Text  string   `json:"text"`
}

// smallBody is a note of 200 bytes.
func smallBody() []byte {
	n := note{ID: "0123456789", Title: "A small call", Tags: []string{"one", "two", "three"}}
	short, _ := json.Marshal(n)
	n.Text = strings.Repeat("x", 200-len(short))
	whole, _ := json.Marshal(n)
	return whole
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		body, err = recode(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func echoInside(c *call) error {
	body, err := c.readAll(maxJSON)
	if err == nil {
		body, err = recode(body)
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(body)
}

func recode(body []byte) ([]byte, error) {
	var n note
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, err
	}
	return json.Marshal(n)
}

// planes are the two ways to the same answer, each behind two doors.
type planes struct {
	world     *world
	token     string
	addresses map[string]string // by door and plane
	plugin    int               // the plugin's process id
}

func newPlanes(tb testing.TB) *planes {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sb") // a socket's path must be short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	w := newWorld(tb)
	w.server.Plugins = startEcho(tb, w, dir)
	inside := &Server{Services: w.server.Services}
	inside.names.find = w.server.Names
	inside.app = inside.newApp()
	inside.app.Post("/echo/small", inside.handler(may("echo:use"), echoInside))
	inside.app.Handler()
	p := &planes{world: w, token: w.ownerSession(), addresses: map[string]string{"tls/plugin": w.address, "socket/plugin": w.socket}}
	p.open(tb, inside.app, dir)
	pid := w.do(w.callers()["owner"], "GET", "/echo/pid", nil)
	if p.plugin, err = strconv.Atoi(string(pid.body)); err != nil {
		tb.Fatalf("pid: %d %s", pid.status, pid.body)
	}
	return p
}

// startEcho starts the test binary as a plugin of the gateway.
func startEcho(tb testing.TB, w *world, dir string) *plugins.Host {
	folder := filepath.Join(dir, "plugins")
	self, err := os.Executable()
	if err = errors.Join(err, os.Mkdir(folder, 0o755), os.Link(self, filepath.Join(folder, "salita-plugin-echo"))); err != nil {
		tb.Fatal(err)
	}
	host := plugins.New(plugins.Options{Dirs: []string{folder}, DataDir: dir, RunDir: dir, Log: w.server.Log})
	tb.Cleanup(func() { host.Close() })
	if err := host.Start(tb.Context(), []plugins.Spec{{Name: "echo", Enabled: true}}); err != nil {
		tb.Fatal(err)
	}
	w.server.Router = router.New(host)
	return host
}

// open serves the app inside behind doors of its own.
func (p *planes) open(tb testing.TB, inside *fiber.App, dir string) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	socket := filepath.Join(dir, "inside.sock")
	if err := os.Chmod(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	private, err := listener.ListenOwner(socket)
	if err != nil {
		tb.Fatal(err)
	}
	public := listener.New(tcp, listener.Options{TLS: p.world.server.Identity.ServerTLS()})
	p.addresses["tls/inside"], p.addresses["socket/inside"] = tcp.Addr().String(), socket
	var serving sync.WaitGroup
	for _, l := range []net.Listener{public, private} {
		serving.Go(func() { _ = inside.Server().Serve(l) })
	}
	tb.Cleanup(func() {
		_ = inside.Shutdown()
		_ = public.Close()
		_ = private.Close()
		serving.Wait()
	})
}

// compare lets both planes make about b.N calls each, in turns.
func (p *planes) compare(b *testing.B, door string, connections int) {
	const turns = 8
	names := []string{"inside", "plugin"}
	each := b.N/turns/connections + 1
	clients, wall, cpu := map[string]*client{}, map[string]time.Duration{}, map[string]time.Duration{}
	for _, plane := range names {
		clients[plane] = p.client(b, door, plane, connections)
		clients[plane].calls(b, each) // warms up
	}
	for range turns {
		for _, plane := range names {
			before := p.cpuTime(b)
			wall[plane] += clients[plane].calls(b, each)
			cpu[plane] += p.cpuTime(b) - before
		}
	}
	calls := float64(turns * each * connections)
	for _, plane := range names {
		b.ReportMetric(float64(cpu[plane].Microseconds())/calls, plane+"-cpu-µs/call")
		b.ReportMetric(calls/wall[plane].Seconds(), plane+"-calls/s")
	}
	b.ReportMetric(wall["inside"].Seconds()/wall["plugin"].Seconds(), "plugin/inside")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is how long gateway and plugin were on a processor so far, as the
// scheduler counts it for each of their threads.
func (p *planes) cpuTime(b *testing.B) time.Duration {
	var sum time.Duration
	for _, pid := range []int{os.Getpid(), p.plugin} {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if len(threads) == 0 {
			b.Skip("this system does not tell how long a process was on a processor")
		}
		for _, file := range threads {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has ended
			}
			var ran time.Duration
			if _, err := fmt.Sscan(string(text), &ran); err != nil {
				b.Fatal(err)
			}
			sum += ran
		}
	}
	return sum
}

// client is a process that holds connections and makes calls when told to.
type client struct {
	in  io.Writer
	out *bufio.Reader
}

func (p *planes) client(tb testing.TB, door, plane string, connections int) *client {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d", clientEnv, door, p.addresses[door+"/"+plane], p.token, connections))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			tb.Error(err)
		}
	})
	return &client{stdin, bufio.NewReader(stdout)}
}

// calls makes so many on each connection and returns how long they took.
func (c *client) calls(tb testing.TB, each int) time.Duration {
	tb.Helper()
	var took time.Duration
	fmt.Fprintln(c.in, each)
	if _, err := fmt.Fscanln(c.out, &took); err != nil {
		tb.Fatalf("client: %v", err)
	}
	return took
}

// runClient is the client's process: it reads how many calls to make on each
// connection and answers how many nanoseconds they took, until its input ends.
func runClient(job string) error {
	var (
		door, address, token string
		connections          int
	)
	if _, err := fmt.Sscan(job, &door, &address, &token, &connections); err != nil {
		return err
	}
	conns := make([]*conn, connections)
	for i := range conns {
		var err error
		if conns[i], err = dialPlane(door, address, token); err != nil {
			return err
		}
	}
	for {
		var each int
		if _, err := fmt.Scanln(&each); err != nil {
			return nil
		}
		start := time.Now()
		failures := make(chan error, len(conns))
		for _, c := range conns {
			go func() { failures <- c.repeat(each) }()
		}
		for range conns {
			if err := <-failures; err != nil {
				return err
			}
		}
		fmt.Println(int64(time.Since(start)))
	}
}

// conn is one keep-alive connection that makes the same call again and again,
// with as little work as possible.
type conn struct {
	net.Conn
	in      *bufio.Reader
	request []byte
	body    []byte
}

func dialPlane(door, address, session string) (*conn, error) {
	network := map[string]string{"tls": "tcp", "socket": "unix"}[door]
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	body := smallBody()
	head := fmt.Sprintf("POST /echo/small HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	if door == "tls" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		head += "Cookie: " + sessionCookie + "=" + session + "\r\nSec-Fetch-Site: same-origin\r\n"
	}
	return &conn{c, bufio.NewReader(c), append([]byte(head+"\r\n"), body...), body}, nil
}

func (c *conn) repeat(times int) error {
	for range times {
		if err := c.call(); err != nil {
			return err
		}
	}
	return nil
}

// call makes the call and checks the answer.
func (c *conn) call() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	status, err := c.in.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") {
		rest, _ := c.in.Peek(c.in.Buffered())
		return fmt.Errorf("answered %q %q", status, rest)
	}
	for line := []byte(nil); len(line) != 2; {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
	}
	got, err := c.in.Peek(len(c.body))
	if err == nil && !bytes.Equal(got, c.body) {
		err = fmt.Errorf("answered %q", got)
	}
	_, _ = c.in.Discard(len(c.body))
	return err
}
