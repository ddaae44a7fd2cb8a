//go:build unix

package faults

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// gatewayEnv makes the test binary act as a small gateway with one plugin,
// "good", in the folder that the variable names.
const gatewayEnv = "SALITA_FAULTS_GATEWAY"

// gateway is a gateway in a process of its own, so that it can be killed.
type gateway struct {
	y    *yard
	cmd  *exec.Cmd
	said *bufio.Reader
	run  string
}

// gateway starts one over the yard's plugin folder, with a data folder of its
// own, which the yard looks into from then on.
func (y *yard) gateway(name string) *gateway {
	y.Helper()
	y.install(name)
	y.data = filepath.Join(y.root, "other")
	g := &gateway{y: y, run: filepath.Join(y.root, "r")}
	must(y, os.MkdirAll(g.run, 0o700))
	self, err := os.Executable()
	must(y, err)
	g.cmd = exec.Command(self)
	g.cmd.Env = append(os.Environ(), gatewayEnv+"="+y.root, "GORACE=atexit_sleep_ms=0")
	g.cmd.Stderr = y.log
	out, err := g.cmd.StdoutPipe()
	must(y, err)
	must(y, g.cmd.Start())
	y.Cleanup(func() { _ = g.cmd.Process.Kill(); _ = g.cmd.Wait() })
	g.said = bufio.NewReader(out)
	return g
}

// expect reads the next line that the gateway prints.
func (g *gateway) expect(line string) {
	g.y.Helper()
	got, err := g.said.ReadString('\n')
	if strings.TrimSuffix(got, "\n") != line {
		g.y.Fatalf("the gateway said %q, %v; want %q", got, err, line)
	}
}

func (g *gateway) stop() {
	must(g.y, g.cmd.Process.Signal(syscall.SIGTERM))
	g.y.put("good", "go", "")
	_, _ = io.Copy(io.Discard, g.said)
	must(g.y, g.cmd.Wait())
}

// runFolders lists the gateway's private folders for sockets.
func (g *gateway) runFolders() []string {
	found, _ := filepath.Glob(filepath.Join(g.run, "salita-run-*"))
	return found
}

// runGateway runs until a signal. One request is under way all the time.
func runGateway(root string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h := plugins.New(plugins.Options{
		Dirs: []string{filepath.Join(root, "plugins")}, DataDir: filepath.Join(root, "other"), RunDir: filepath.Join(root, "r"),
		Log: hclog.New(&hclog.LoggerOptions{Output: os.Stderr}), Timing: patient(),
	})
	if err := serveOne(ctx, h); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveOne(ctx context.Context, h *plugins.Host) error {
	if err := h.Start(ctx, specsFor("good")); err != nil {
		return err
	}
	fmt.Println(h.Plugins()[1].State)
	r, err := http.NewRequest("GET", "http://x/good/slow", nil)
	if err != nil {
		return err
	}
	match, _ := h.Route("GET", "/good/slow")
	resp, err := match.RoundTrip(r)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(resp.Body)
	line, _ := lines.ReadString('\n')
	fmt.Print(line)
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		fmt.Println("stopping")
		ended <- h.Close()
	}()
	line, err = lines.ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Print(line)
	if err := resp.Body.Close(); err != nil {
		return err
	}
	return <-ended
}
