package store

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// withDrives runs a test in a process of its own, which may mount drives that
// nobody else sees; no privilege is needed for it.
func withDrives(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	const inside = "SALITA_TEST_DRIVES"
	if os.Getenv(inside) == t.Name() {
		test(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if os.IsPermission(err) || strings.Contains(string(out), "cannot mount") {
		t.Skip("this system lets nobody mount a drive, not even a private one")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// drive mounts an empty drive of that size.
func drive(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("drive", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill takes all the room there is and returns the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); err == nil {
		t.Fatal("the drive did not fill up")
	}
	return f.Name()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestFullDrive writes until nothing fits any more. What was acknowledged stays,
// what was not is not there, reading goes on, and room is noticed.
func TestFullDrive(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		dir := drive(t, "2m")
		path := filepath.Join(dir, "posts.db")
		s := openAt(t, path)
		text := strings.Repeat("x", 2000)
		stored := 0
		for ; stored < 20; stored++ {
			s.mustPost(t, anna, text)
		}
		filler := fill(t, dir)
		for ; stored < 2000; stored++ {
			if _, err := s.AddPost(t.Context(), anna, text); err != nil {
				wantError(t, err, ErrFull)
				break
			}
		}
		if stored == 2000 {
			t.Fatal("a full drive took every post")
		}
		if got := len(s.bodies(t)); got != stored {
			t.Errorf("holds %d posts, acknowledged %d", got, stored)
		}
		wantError(t, s.Check(t.Context()), ErrFull)

		// A start on the full drive: people can read, and know why they cannot write.
		if err := s.Close(); err != nil {
			t.Log(err) // the log could not be folded into the file
		}
		s = openAt(t, path)
		if got := len(s.bodies(t)); got != stored {
			t.Errorf("after a restart it holds %d posts, acknowledged %d", got, stored)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("with room again: %v", err)
		}
		s.mustPost(t, anna, text)
	})
}

// TestNoRoomToBegin: without room for even an empty file there is nothing to open.
func TestNoRoomToBegin(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		dir := drive(t, "1m")
		filler := fill(t, dir)
		path := filepath.Join(dir, "posts.db")
		_, err := Open(t.Context(), path)
		wantError(t, err, ErrFull)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		openAt(t, path)
	})
}

// TestWriteProtectedDrive: the drive becomes read-only while the store is open, as
// Linux does with one that fails.
func TestWriteProtectedDrive(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		dir := drive(t, "4m")
		s := openAt(t, filepath.Join(dir, "posts.db"))
		s.mustPost(t, anna, "kept")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		remount(t, dir, unix.MS_RDONLY)
		_, err := Open(t.Context(), filepath.Join(dir, "posts.db"))
		wantError(t, err, ErrUnreachable)
		remount(t, dir, 0)
		s = openAt(t, filepath.Join(dir, "posts.db"))
		if got := s.bodies(t); len(got) != 1 {
			t.Errorf("holds %q", got)
		}
	})
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}
