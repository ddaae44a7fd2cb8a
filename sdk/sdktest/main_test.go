package sdktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary a plugin when it is started as one.
func TestMain(m *testing.M) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "salita-plugin-"); ok {
		os.Exit(runTestPlugin(name))
	}
	os.Exit(m.Run())
}

// program is the test binary under the name of a plugin: "raw" is made without
// the SDK and misbehaves as the variable MODE says, "notes" is made with it.
func program(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	path := filepath.Join(t.TempDir(), "salita-plugin-"+name)
	must(t, os.Symlink(self, path))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
