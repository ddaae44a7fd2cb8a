package listener

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// privateFolder has a path short enough for a socket.
func privateFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "salita")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestOwnersSocket(t *testing.T) {
	path := filepath.Join(privateFolder(t), "admin.sock")
	l, err := ListenOwner(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := accepted.(*Conn)
	if _, isPeer := conn.PeerKey(); !conn.Owner() || isPeer || conn.ConnectionState().HandshakeComplete || conn.Handshake() != nil {
		t.Errorf("owner %v, peer %v, state %+v", conn.Owner(), isPeer, conn.ConnectionState())
	}
	go io.WriteString(client, "hello")
	p := make([]byte, 5)
	if _, err := io.ReadFull(conn, p); string(p) != "hello" || err != nil || conn.Pending() {
		t.Errorf("read %q, %v, pending %v", p, err, conn.Pending())
	}
	if err := errors.Join(conn.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(privateFolder(t), "admin.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	stale.Close()
	l, err := ListenOwner(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the new socket does not answer: %v", err)
	}
	conn.Close()
}

func TestWhereTheOwnersSocketCannotBe(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, dir string) (path string)
		names   string // what the sentence must name
	}{
		"a file in its place": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "admin.sock")
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if data, _ := os.ReadFile(path); string(data) != "mine" {
					t.Error("the file was touched")
				}
			})
			return path
		}, "admin.sock"},
		"a link in its place": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "admin.sock")
			if err := os.Symlink("/nowhere", path); err != nil {
				t.Fatal(err)
			}
			return path
		}, "admin.sock"},
		"an open folder": {func(t *testing.T, dir string) string {
			if err := os.Chmod(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "admin.sock")
		}, "salita"},
		"a long path": {func(t *testing.T, dir string) string {
			dir = filepath.Join(dir, strings.Repeat("d", 120))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "admin.sock")
		}, "too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := ListenOwner(tt.prepare(t, privateFolder(t)))
			var e *sdk.Error
			if !errors.As(err, &e) || !strings.Contains(e.Friendly(), tt.names) || e.Hint == "" {
				t.Errorf("ListenOwner = %v, want an *sdk.Error with a hint that names %q", err, tt.names)
			}
			if l != nil {
				l.Close()
			}
		})
	}
}

func TestTheLongestPathWorks(t *testing.T) {
	dir := privateFolder(t)
	name := strings.Repeat("s", maxSocketPath-len(dir)-1)
	l, err := ListenOwner(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
