//go:build unix

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/salita-mesh/salita/core/internal/sandbox"
)

// faultProgram is the built faultplugin.
var faultProgram string

// TestMain makes the test binary two programs in one: the tests, and a gateway
// for the rows in which the gateway itself dies.
func TestMain(m *testing.M) {
	sandbox.Main()
	if dir := os.Getenv(gatewayEnv); dir != "" {
		os.Exit(runGateway(dir))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	faultProgram = filepath.Join(dir, "faultplugin")
	// The flags of make build, so that what is compiled already is found.
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", faultProgram, "./faultplugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build faultplugin: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// long reports whether there is time for the long form of the suite.
func long() bool { return os.Getenv("SALITA_LONG") != "" }
