package private

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, text string) {
	t.Helper()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}

func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "own")
	must(t, Make(dir))
	must(t, Make(dir)) // it may be there
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
	must(t, os.Chmod(dir, 0o750))
	want(t, Make(dir), "others may enter")
	want(t, Make(filepath.Join(dir, "none", "below")), "no such file")
}

func TestCheck(t *testing.T) {
	base := t.TempDir()
	file, link := filepath.Join(base, "file"), filepath.Join(base, "link")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Symlink(base, link))
	for path, text := range map[string]string{
		"relative":                "absolute",
		base + "/":                "absolute",
		base + "/../x":            "absolute",
		file:                      "not a folder",
		link:                      "not a folder",
		filepath.Join(base, "no"): "no such file",
	} {
		want(t, Check(path), text)
	}
	if os.Geteuid() != 0 {
		want(t, Check("/"), "another user")
	}
}

func TestCheckSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "pr")
	must(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	want(t, CheckSocket(path), "no such file")
	l, err := net.Listen("unix", path)
	must(t, err)
	defer l.Close()
	must(t, os.Chmod(path, 0o600))
	want(t, CheckSocket(path), "")
	must(t, os.Chmod(path, 0o666))
	want(t, CheckSocket(path), "others may enter")
	must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	want(t, CheckSocket(filepath.Join(dir, "f")), "not a socket")
}
