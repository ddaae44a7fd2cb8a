package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runNew runs salita plugins new and returns the exit code and what it said.
func runNew(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"plugins", "new"}, args...), os.Getenv, stdio{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestNewPluginRefusals(t *testing.T) {
	empty := t.TempDir()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "accepts 1 arg"},
		{[]string{"Dog"}, 2, "lower-case letters"},
		{[]string{"../up"}, 2, "lower-case letters"},
		{[]string{"devices"}, 2, "a name of the gateway's own"},
		{[]string{"walks", "--sdk", empty, "--dir", filepath.Join(empty, "x")}, 1, "is not a checkout of Salita's source"},
		{[]string{"walks", "--dir", full}, 6, "nothing is overwritten"},
	} {
		if code, out, errOut := runNew(t, c.args...); code != c.code || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("new %v: exit %d, %s%s", c.args, code, out, errOut)
		}
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 0 {
		t.Errorf("a refused command wrote %v", entries)
	}
}

func TestNewPluginSaysWhatComesNext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dog walks")
	data := t.TempDir()
	code, out, errOut := runNew(t, "dog-walks", "--dir", dir, "--data-dir", data)
	if code != 0 || errOut != "" {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	for _, want := range []string{"  cd '" + dir + "'\n", "go build -o " + data + "/plugins/ .", "salita plugins enable dog-walks"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestShellWord(t *testing.T) {
	for path, want := range map[string]string{"/a/b-c.d": "/a/b-c.d", "/a b": "'/a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := shellWord(path); got != want {
			t.Errorf("%s becomes %s", path, got)
		}
	}
}
