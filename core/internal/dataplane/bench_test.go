package dataplane

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveEnv names the socket on which this test binary serves as a plugin of its
// own, so that the benchmarks can tell the gateway's CPU time from the plugin's.
const serveEnv = "DATAPLANE_TEST_SERVE"

func TestMain(m *testing.M) {
	if path := os.Getenv(serveEnv); path != "" {
		benchServer(path)
		return
	}
	os.Exit(m.Run())
}

// tunedListener gives accepted sockets the buffers that the SDK gives them.
type tunedListener struct{ net.Listener }

func (l tunedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		TuneSocket(c)
	}
	return c, err
}

func benchServer(path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() { // ends with the benchmark, which holds the other end
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("ready")
	_ = http.Serve(tunedListener{l}, http.HandlerFunc(benchHandler))
}

// hanging is open while a request hangs.
var hanging = make(chan struct{})

func benchHandler(w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 1<<20)
	n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if r.URL.Path == "/down" {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	switch r.URL.Path {
	case "/hang":
		hanging <- struct{}{}
		<-r.Context().Done()
	case "/hanging":
		<-hanging
	case "/up":
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, buf)
	case "/small":
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	case "/down", "/chunked":
		for ; n > 0; n -= int64(len(buf)) {
			_, _ = w.Write(buf[:min(n, int64(len(buf)))])
		}
	}
}

// startBenchServer runs the server in a process of its own.
func startBenchServer(tb testing.TB) (path string, process *os.Process) {
	path = socketPath(tb)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+path)
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
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		tb.Fatal(err)
	}
	return path, cmd.Process
}

func dialUnix(path string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// netTransport is net/http's Transport set up for the same job.
func netTransport(dial func(context.Context) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := dial(ctx)
			if err == nil {
				TuneSocket(c)
			}
			return c, err
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    64,
		MaxConnsPerHost:        256,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        4 << 10,
	}
}

func benchTransports(path string) map[string]http.RoundTripper {
	return map[string]http.RoundTripper{
		"lean": New(dialUnix(path), Options{}),
		"net":  netTransport(dialUnix(path)),
	}
}

// cpu is this process's user and system time.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is the same of another process; 0 where the system does not say.
func cpuOf(p *os.Process) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from the third on
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100)
}

func benchCall(rt http.RoundTripper, ctx context.Context, method, url string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// BenchmarkSmallCall is a POST of 200 bytes, answered with the same.
func BenchmarkSmallCall(b *testing.B) {
	body := strings.Repeat("x", 200)
	path, _ := startBenchServer(b)
	for name, rt := range benchTransports(path) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		call := func() error { return benchCall(rt, ctx, "POST", "http://p/small", strings.NewReader(body)) }
		b.Run(name+"/1", func(b *testing.B) {
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/1e3, "cpu-µs/op")
		})
		b.Run(name+"/16", func(b *testing.B) {
			b.SetParallelism(8)
			start := cpu()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/1e3, "cpu-µs/op")
		})
	}
}

// BenchmarkBulk moves 256 MiB in each direction.
func BenchmarkBulk(b *testing.B) {
	const size = 256 << 20
	path, plugin := startBenchServer(b)
	cases := []struct {
		name, method, url string
		length            int64
	}{
		{"up", "POST", "http://p/up", size},
		{"up-chunked", "POST", "http://p/up", -1},
		{"down", "GET", fmt.Sprintf("http://p/down?n=%d", size), 0},
		{"down-chunked", "GET", fmt.Sprintf("http://p/chunked?n=%d", size), 0},
	}
	for _, c := range cases {
		for name, rt := range benchTransports(path) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				start, pluginStart := cpu(), cpuOf(plugin)
				for b.Loop() {
					if err := bulkCall(rt, c.method, c.url, c.length, size); err != nil {
						b.Fatal(err)
					}
				}
				perGiB := float64(b.N) * size / (1 << 30)
				b.ReportMetric((cpu()-start).Seconds()/perGiB, "cpu-s/GiB")
				b.ReportMetric((cpuOf(plugin)-pluginStart).Seconds()/perGiB, "plugin-cpu-s/GiB")
			})
		}
	}
}

func bulkCall(rt http.RoundTripper, method, url string, length, size int64) error {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	if length != 0 {
		req.ContentLength = length
		req.Body = io.NopCloser(io.LimitReader(zeros{}, size))
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, resp.Body)
	return err
}

// zeros is an endless body that costs nothing to read.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
