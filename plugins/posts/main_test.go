package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/salita-mesh/salita/sdk/sdktest"
)

// TestConformance holds the built program to the rules for all plugins.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "salita-plugin-posts")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	sdktest.Conformance(t, program, sdktest.CheckOptions{})
}
