package sdktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the Go package that is the plugin's main program and returns the
// path of salita-plugin-<name>, in a folder that goes with the test. The package
// is a folder relative to the test, mostly ".".
func Build(t testing.TB, name, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "salita-plugin-"+name+executableSuffix)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}
