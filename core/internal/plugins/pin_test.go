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

func TestPinnedKeepsOneCopy(t *testing.T) {
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache", "plugins")
	program := filepath.Join(dir, "salita-plugin-x")
	must(t, os.WriteFile(program, []byte("one"), 0o755))
	first, err := pinned(program, cache, digest(t, program))
	must(t, err)
	must(t, os.WriteFile(program, []byte("two"), 0o755))
	second, err := pinned(program, cache, digest(t, program))
	must(t, err)
	again, err := pinned(program, cache, digest(t, program))
	must(t, err)
	if first == second || second != again {
		t.Errorf("got %s, %s, %s", first, second, again)
	}
	entries, err := os.ReadDir(cache)
	must(t, err)
	if len(entries) != 1 || filepath.Join(cache, entries[0].Name()) != second {
		t.Errorf("cache holds %v", entries)
	}
	info, err := os.Stat(second)
	must(t, err)
	if info.Mode().Perm() != 0o500 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestPinnedRefuses(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "salita-plugin-x")
	must(t, os.WriteFile(program, []byte("one"), 0o755))
	for _, bad := range []string{"x", strings.Repeat("z", 64), strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		if path, err := pinned(program, filepath.Join(dir, "cache"), bad); err == nil || !isPermanent(err) {
			t.Errorf("%q: got %q, %v", bad, path, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
