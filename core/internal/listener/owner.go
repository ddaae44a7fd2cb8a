package listener

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/sandbox"
	"github.com/salita-mesh/salita/sdk"
)

// ownerListener marks its connections as the owner's.
type ownerListener struct {
	net.Listener
	buffers  *buffers
	refusals sync.WaitGroup
	slots    chan struct{} // for refusals under way
}

// maxRefusals bounds how many plugins are being told at once that they are not
// the owner; more are cut off.
const maxRefusals = 4

// Owner makes the owner's door of a listener that only the owner's programs can
// reach. Its Accept returns *Conn without TLS whose Owner is true; connections of
// restricted plugins are refused.
func Owner(inner net.Listener) net.Listener {
	return &ownerListener{Listener: inner, buffers: newBuffers(), slots: make(chan struct{}, maxRefusals)}
}

// Accept returns the next connection, as a *Conn. Plugins belong to the same
// user, but are not the owner: one that connects is told so.
func (l *ownerListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if sandbox.Confined(raw) {
			l.refuse(raw)
			continue
		}
		return &Conn{socket: &socket{Conn: raw, idle: defaultBodyIdle, buffers: l.buffers}, owner: true}, nil
	}
}

// refuse answers whatever a plugin asks.
func (l *ownerListener) refuse(raw net.Conn) {
	select {
	case l.slots <- struct{}{}:
	default:
		raw.Close()
		return
	}
	l.refusals.Go(func() {
		defer func() { raw.Close(); <-l.slots }()
		if raw.SetDeadline(time.Now().Add(lingerTime)) != nil {
			return
		}
		answerPlain(raw, nil, func(*http.Request) *http.Response {
			return refusal(http.StatusForbidden, "A plugin can't act as the owner of this device.")
		})
	})
}

// Close ends every Accept and waits for refusals under way, which are short.
func (l *ownerListener) Close() error {
	err := l.Listener.Close()
	l.refusals.Wait()
	return err
}

// maxSocketPath is what the system allows for a socket's path, in bytes: 107 on
// Linux, 103 on macOS.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// ListenOwner opens the owner's socket with mode 0600, in place of one that an
// earlier process left behind. The folder must be private already, which is what
// keeps everyone out between the socket's making and its mode, and the caller
// must hold the folder's lock, which is what tells a stale socket from a live
// one. Errors that the owner can act on are *sdk.Error.
func ListenOwner(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		e := sdk.Errorf(sdk.Invalid, "The path of the data folder is too long: %s has %d bytes, and this system allows %d.",
			path, len(path), maxSocketPath)
		e.Hint = "a shorter one, with --data-dir or SALITA_DATA_DIR"
		return nil, e
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open owner's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("open owner's socket: %w", err)
	}
	return Owner(l), nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open owner's socket: %w", err)
	}
	// Windows has no such bits; its user profile folder is private by itself.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		e := sdk.Errorf(sdk.Forbidden, "Other users of this computer can open %s.", dir)
		e.Hint = "chmod go= " + dir
		return e
	}
	return nil
}

// removeStale removes a socket, and refuses to remove anything else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return fmt.Errorf("open owner's socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		e := sdk.Errorf(sdk.Conflict, "%s is in the way of Salita's own socket.", path)
		e.Hint = "moving it somewhere else"
		return e
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale socket: %w", err)
	}
	return nil
}
