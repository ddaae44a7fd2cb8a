package plugins

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
)

// vault holds the private copies of programs. A copy is what is executed: nobody
// can exchange it between a check and the start, a program can be copied over
// while it runs, and of a half written one nothing is ever executed. The copies
// live as long as the gateway.
//
// Where no copy can be made, because the drive is full or nothing may be executed
// there, a program that is not pinned runs from its own file all the same: a
// full drive must not take the plugins away that could make room on it.
type vault struct {
	dir    string // only this user may write to it
	log    hclog.Logger
	noExec bool // nothing in dir can be executed
	copier func(src io.Reader, path string) error

	mu     sync.Mutex
	newest map[string]*programCopy // by the path of the program
}

// programCopy is a private copy of a program. Its file never changes. It lies in
// a folder of its own under the program's name, beside links to what lies beside
// the program: scripts look there.
type programCopy struct {
	vault   *vault
	source  string
	dir     string
	path    string     // what is executed
	inPlace *sdk.Error // why that is the program itself; nil for a copy

	sum func() (string, error) // its SHA-256 in hex

	// Under the vault's lock:
	id    fileID // of the program when its content was this
	users int
}

// openVault makes the folder, and empties it of what an earlier gateway left.
func openVault(dir string, log hclog.Logger) (*vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for programs: %w", err)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	if err != nil {
		return nil, fmt.Errorf("empty folder for programs: %w", err)
	}
	return &vault{dir: dir, log: log, noExec: mountedNoExec(dir), copier: copyProgram, newest: make(map[string]*programCopy)}, nil
}

// close removes all copies.
func (v *vault) close() error { return os.RemoveAll(v.dir) }

// take returns the copy of the program as it is now, and counts its user. An
// unchanged program is copied once; one with the content of its newest copy is
// that copy.
func (v *vault) take(path string) (*programCopy, error) {
	id, err := identify(path)
	if err != nil {
		return nil, err
	}
	if v.noExec {
		return v.takeInPlace(path, sdk.Errorf(sdk.Unsupported, "No program can be run from %s, which is needed to verify %s first.", v.dir, path))
	}
	known := v.use(path, func(c *programCopy) bool { return c.id == id && c.whole() })
	if known == nil {
		known, err = v.copyAnew(path)
	}
	if err == nil {
		if err = known.linkSiblings(); err != nil {
			known.release()
		}
	}
	if isFull(err) {
		return v.takeInPlace(path, sdk.Errorf(sdk.NoSpace, "There isn't enough space to verify %s.", path).Because(err))
	}
	if err != nil {
		return nil, err
	}
	return known, nil
}

// takeInPlace stands for the program itself.
func (v *vault) takeInPlace(path string, reason *sdk.Error) (*programCopy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := &programCopy{vault: v, source: path, path: path, inPlace: reason}
	if c.id, err = checkStill(f, func() error { return nil }); err != nil {
		return nil, err
	}
	v.log.Warn("program runs from its own file, without a private copy", "program", path, "error", reason)
	return c, nil
}

// isFull reports whether there is no room for a file.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// use counts a user of the program's newest copy if it will do; else nil.
func (v *vault) use(path string, will func(*programCopy) bool) *programCopy {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.newest[path]
	if c == nil || !will(c) {
		return nil
	}
	c.users++
	return c
}

// copyAnew copies the program and compares the copy with the one before.
func (v *vault) copyAnew(path string) (*programCopy, error) {
	fresh, err := v.copy(path)
	if err != nil {
		return nil, err
	}
	same := v.use(path, func(c *programCopy) bool {
		if !c.whole() || !sameContent(c.path, fresh.path) {
			return false
		}
		c.id = fresh.id
		return true
	})
	if same != nil {
		return same, os.RemoveAll(fresh.dir)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	earlier := v.newest[path]
	v.newest[path] = fresh
	if earlier != nil && earlier.users == 0 {
		_ = os.RemoveAll(earlier.dir) // else its last user does it
	}
	return fresh, nil
}

// copy makes a copy with one user. A program that is written to meanwhile is
// refused for now.
func (v *vault) copy(path string) (*programCopy, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	dir, err := os.MkdirTemp(v.dir, "")
	if err != nil {
		return nil, fmt.Errorf("make folder for a program: %w", err)
	}
	c := &programCopy{vault: v, source: path, dir: dir, path: filepath.Join(dir, filepath.Base(path)), users: 1}
	c.sum = sync.OnceValues(c.digest)
	if c.id, err = checkStill(src, func() error { return v.copier(src, c.path) }); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// errWritten is a program that somebody writes to. It is copied again when that
// is over.
var errWritten = sdk.Errorf(sdk.Conflict, "The program is still being written.")

// checkStill does something with a file that nobody must change meanwhile, and
// returns what the file was.
func checkStill(src *os.File, do func() error) (fileID, error) {
	before, err := src.Stat()
	if err != nil {
		return fileID{}, err
	}
	if err := do(); err != nil {
		return fileID{}, fmt.Errorf("copy program: %w", err)
	}
	after, err := src.Stat()
	if err != nil {
		return fileID{}, err
	}
	id := newFileID(after)
	if id.content() != newFileID(before).content() || beingWritten(src) {
		return fileID{}, errWritten.Because(fmt.Errorf("%s changed while it was copied", src.Name()))
	}
	if err := checkWhole(src, id.size); err != nil {
		return fileID{}, permanent(refusal("%s is not complete. Copy it again.", src.Name()).Because(err))
	}
	return id, nil
}

// copyProgram makes a file that its owner may read and execute.
func copyProgram(src io.Reader, path string) error {
	dst, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o500)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// whole reports whether the copy is still there.
func (c *programCopy) whole() bool {
	info, err := os.Stat(c.path)
	return err == nil && info.Size() == c.id.size
}

// same reports whether two have one content.
func (c *programCopy) same(d *programCopy) bool {
	return c == d || c.inPlace != nil && d.inPlace != nil && c.source == d.source && c.id.content() == d.id.content()
}

// release counts a user out and removes a copy that is not needed any more.
func (c *programCopy) release() {
	if c.inPlace != nil {
		return
	}
	c.vault.mu.Lock()
	defer c.vault.mu.Unlock()
	c.users--
	if c.users == 0 && c.vault.newest[c.source] != c {
		_ = os.RemoveAll(c.dir) // what is left goes with the vault
	}
}

func (c *programCopy) digest() (string, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("verify program: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// maxSiblings bounds the links beside a copy.
const maxSiblings = 256

// linkSiblings links what lies beside the program.
func (c *programCopy) linkSiblings() error {
	beside := filepath.Dir(c.source)
	entries, err := os.ReadDir(beside)
	if err != nil {
		return err
	}
	for _, e := range entries[:min(len(entries), maxSiblings)] {
		err := os.Symlink(filepath.Join(beside, e.Name()), filepath.Join(c.dir, e.Name()))
		if err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link what lies beside the program: %w", err)
		}
	}
	return nil
}

// sameContent compares two files byte by byte.
func sameContent(a, b string) bool {
	f, err := os.Open(a)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false
	}
	defer g.Close()
	const chunk = 256 << 10
	p, q := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errA := io.ReadFull(f, p)
		m, errB := io.ReadFull(g, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return errA == errB && (errA == io.EOF || errA == io.ErrUnexpectedEOF)
		}
	}
}
