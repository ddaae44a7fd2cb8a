package plugins

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/sandbox"
	"github.com/salita-mesh/salita/sdk/control"
)

// hostEnv makes the test binary act as a small gateway instead of running tests.
const hostEnv = "SALITA_TEST_HOST"

// TestMain makes the test binary three programs in one: the tests, a plugin when
// it is started as one, and a gateway for the tests in which the gateway dies.
func TestMain(m *testing.M) {
	sandbox.Main()
	name, isPlugin := strings.CutPrefix(filepath.Base(os.Args[0]), filePrefix)
	switch {
	case isPlugin && os.Getenv(control.Handshake().MagicCookieKey) != "":
		runTestPlugin(name)
	case isPlugin:
		runGrandchild()
	case os.Getenv(hostEnv) != "":
		os.Exit(runTestHost(os.Getenv(hostEnv)))
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	if code == 0 {
		code = checkLeaks()
	}
	os.Exit(code)
}

// checkLeaks fails the run when goroutines of the host or of go-plugin outlive
// the tests.
func checkLeaks() int {
	var leaked []string
	for range 100 {
		if leaked = hostGoroutines(); len(leaked) == 0 {
			return 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "%d goroutines outlived the tests, the first:\n%s\n", len(leaked), leaked[0])
	return 1
}

func hostGoroutines() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "plugins.checkLeaks") {
			continue // this one
		}
		if strings.Contains(g, "internal/plugins.") || strings.Contains(g, "go-plugin") || strings.Contains(g, "net/http.(*persistConn)") {
			found = append(found, g)
		}
	}
	return found
}

// runTestHost runs a gateway over the plugin folder until it is killed.
func runTestHost(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	h := New(Options{Dirs: []string{dir}, DataDir: filepath.Join(dir, "data"), RunDir: filepath.Join(dir, "run"), Log: discard()})
	if err := h.Start(ctx, enabled("good")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, s := range h.Plugins() {
		fmt.Println(s.State)
	}
	if err := h.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
