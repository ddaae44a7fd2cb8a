package library

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/salita-mesh/salita/sdk"
)

// withDrives runs a test in a process of its own that may mount drives without
// anybody else seeing them; no privilege is needed for it.
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

// drive mounts an empty drive of that many bytes.
func drive(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("drive", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}

func TestFullDrive(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		o := options(t)
		o.Dir = filepath.Join(drive(t, "40m"), "library")
		l := open(t, o)
		kept := put(t, l, "kept.jpg", "kept")[0]

		_, err := l.Begin(41 << 20)
		wantKind(t, err, sdk.NoSpace)

		// Of unknown size: the write itself fails.
		b, err := l.Begin(-1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Add("big.mov", zeroFile(100<<20))
		wantKind(t, err, sdk.NoSpace)
		b.Abort()
		wantNames(t, l, "kept.jpg")
		wantContent(t, l, kept.ID, "kept")

		// With bytes to keep free the upload ends before the drive is full.
		l.space.keep = 10 << 20
		b, err = l.Begin(-1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Add("first.mov", zeroFile(20<<20)); err != nil {
			t.Fatal(err)
		}
		_, err = b.Add("second.mov", zeroFile(18<<20))
		wantKind(t, err, sdk.NoSpace)
		b.Abort()
		wantNames(t, l, "kept.jpg")
		put(t, l, "small.jpg", "there is room again")
	})
}

func TestReadOnlyDrive(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		mount := drive(t, "40m")
		o := options(t)
		o.Dir = filepath.Join(mount, "library")
		l := open(t, o)
		item := put(t, l, "a.jpg", "content")[0]
		half := staged(t, l, "half.jpg", "not yet in place")
		crash(t, l)
		remount(t, mount, unix.MS_RDONLY)

		l = open(t, o)
		wantContent(t, l, item.ID, "content")
		wantContent(t, l, half.ID, "not yet in place")
		wantKind(t, l.Check(t.Context()), sdk.PluginUnavailable)
		b, err := l.Begin(1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Add("b.jpg", zeroFile(1))
		wantKind(t, err, sdk.PluginUnavailable)
		b.Abort()
		wantKind(t, l.Remove(t.Context(), item.ID), sdk.PluginUnavailable)
		wantContent(t, l, item.ID, "content")

		remount(t, mount, 0)
		l = reopen(t, l, o)
		wantNames(t, l, "a.jpg", "half.jpg")
		if err := l.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNewLibraryOnAReadOnlyDrive(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		mount := drive(t, "1m")
		remount(t, mount, unix.MS_RDONLY)
		o := options(t)
		o.Dir = filepath.Join(mount, "library")
		_, err := Open(t.Context(), o)
		wantKind(t, err, sdk.PluginUnavailable)
	})
}

// TestFullDataFolder: the index cannot grow, so nothing may be acknowledged.
func TestFullDataFolder(t *testing.T) {
	withDrives(t, func(t *testing.T) {
		o := options(t)
		o.DataDir = drive(t, "512k")
		o.Dir = filepath.Join(t.TempDir(), "library")
		l := open(t, o)
		filler, err := os.Create(filepath.Join(o.DataDir, "filler"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(filler, zeros{}); err == nil {
			t.Fatal("the drive did not fill up")
		}
		if err := filler.Close(); err != nil {
			t.Fatal(err)
		}
		var stored []string
		for range 200 {
			b, err := l.Begin(-1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Add("a.jpg", zeroFile(10)); err != nil {
				t.Fatal(err)
			}
			items, err := b.Commit(t.Context())
			b.Abort()
			if err != nil {
				wantKind(t, err, sdk.NoSpace)
				break
			}
			stored = append(stored, items[0].ID)
		}
		if len(stored) == 200 {
			t.Error("every upload was stored")
		}
		files, staged := names(t, l)
		if len(files) != len(stored) || len(staged) != 0 {
			t.Errorf("%d files and %d staging files for %d items", len(files), len(staged), len(stored))
		}
		for _, id := range stored {
			wantContent(t, l, id, string(make([]byte, 10)))
		}
		if err := os.Remove(filler.Name()); err != nil {
			t.Fatal(err)
		}
		l = reopen(t, l, o)
		if got := listed(t, l); len(got) != len(stored) {
			t.Errorf("%d listed of %d", len(got), len(stored))
		}
	})
}
