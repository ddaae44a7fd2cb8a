package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func digest(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestPin(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "salita-plugin-x")
	must(t, os.WriteFile(path, []byte("one"), 0o755))
	v, err := openVault(filepath.Join(dir, "cache"), discard())
	must(t, err)
	c, err := v.take(path)
	must(t, err)
	sum := digest(t, path)
	for _, good := range []string{"", sum, strings.ToUpper(sum)} {
		if err := checkPin(c, good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"x", strings.Repeat("z", 64), strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		if err := checkPin(c, bad); err == nil || !isPermanent(err) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	// What was verified stays what it was, whatever becomes of the program.
	must(t, os.WriteFile(path, []byte("two"), 0o755))
	if err := checkPin(c, sum); err != nil {
		t.Error(err)
	}
}
