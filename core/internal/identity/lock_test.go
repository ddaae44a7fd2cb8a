package identity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

func TestLockKeepsAGatewayOut(t *testing.T) {
	dir := t.TempDir()
	lock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); sdk.KindOf(err) != sdk.Conflict {
		t.Errorf("opened a locked folder: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := Lock(dir); sdk.KindOf(err) != sdk.Conflict {
		t.Errorf("locked an open folder: %v", err)
	}
}

func TestLockMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Lock(dir); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("locked nothing: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); sdk.KindOf(err) != sdk.Invalid {
		t.Errorf("locked a file: %v", err)
	}
}

func TestReadID(t *testing.T) {
	dir := t.TempDir()
	if id, err := ReadID(dir); id != "" || err != nil {
		t.Errorf("id of an empty folder is %q, %v", id, err)
	}
	i, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !i.Made() {
		t.Error("the first Open did not make the identity")
	}
	i.Close()
	if i, err = Open(dir, Options{}); err != nil || i.Made() {
		t.Fatalf("the second Open made it, or %v", err)
	}
	defer i.Close()
	if id, err := ReadID(dir); id != i.ID() || err != nil {
		t.Errorf("id is %q, %v; want %q", id, err, i.ID())
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadID(dir); err == nil {
		t.Error("read the id of a damaged key")
	}
}
