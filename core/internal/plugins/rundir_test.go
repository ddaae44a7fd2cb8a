package plugins

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRunDirIsPrivateAndShort(t *testing.T) {
	base := shortTempDir(t)
	d, err := openRunDir([]string{"", base}, discard())
	must(t, err)
	info, err := os.Stat(d.path)
	must(t, err)
	if info.Mode().Perm() != 0o700 || filepath.Dir(d.path) != base {
		t.Errorf("%s has mode %v", d.path, info.Mode())
	}
	longest := d.path + "/plugin-dir4294967295/plugin4294967295"
	if len(longest) > 103 {
		t.Errorf("a socket's path would have %d bytes", len(longest))
	}
	must(t, d.close())
	if _, err := os.Stat(d.path); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestRunDirPassesOverUnusableBases(t *testing.T) {
	base := shortTempDir(t)
	long := filepath.Join(base, strings.Repeat("x", 100))
	must(t, os.Mkdir(long, 0o700))
	d, err := openRunDir([]string{long, filepath.Join(base, "missing"), base}, discard())
	must(t, err)
	defer d.close()
	if filepath.Dir(d.path) != base {
		t.Errorf("made %s", d.path)
	}
	if _, err := openRunDir([]string{long, filepath.Join(base, "missing")}, discard()); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

func TestSweepRemovesOnlyWhatIsAbandoned(t *testing.T) {
	base := shortTempDir(t)
	living, err := openRunDir([]string{base}, discard())
	must(t, err)
	defer living.close()
	abandoned := filepath.Join(base, runPrefix+"123")
	must(t, os.MkdirAll(filepath.Join(abandoned, "plugin-dir1"), 0o700))
	must(t, os.WriteFile(filepath.Join(abandoned, lockName), nil, 0o600))
	halfRemoved := filepath.Join(base, runPrefix+"456")
	must(t, os.Mkdir(halfRemoved, 0o700))
	young, old := filepath.Join(base, newPrefix+"1"), filepath.Join(base, newPrefix+"2")
	must(t, os.Mkdir(young, 0o700))
	must(t, os.Mkdir(old, 0o700))
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*newAge)))
	other := filepath.Join(base, "salita-old-photos")
	must(t, os.Mkdir(other, 0o700))
	must(t, os.Chtimes(other, time.Time{}, time.Now().Add(-2*newAge)))
	file := filepath.Join(base, runPrefix+"file")
	must(t, os.WriteFile(file, nil, 0o600))
	target := t.TempDir()
	link := filepath.Join(base, runPrefix+"link")
	must(t, os.Symlink(target, link))

	next, err := openRunDir([]string{base}, discard())
	must(t, err)
	defer next.close()
	for path, stays := range map[string]bool{living.path: true, abandoned: false, halfRemoved: true, young: true, old: false, other: true, file: true, link: true, target: true, next.path: true} {
		if _, err := os.Lstat(path); (err == nil) != stays {
			t.Errorf("%s: %v, want it to stay: %v", path, err, stays)
		}
	}
}

func TestRunDirComesBack(t *testing.T) {
	base := shortTempDir(t)
	d, err := openRunDir([]string{base}, discard())
	must(t, err)
	defer func() { must(t, d.close()) }()
	before := d.path
	must(t, d.ensure())
	if d.path != before {
		t.Error("a folder that was there was replaced")
	}
	must(t, os.RemoveAll(d.path))
	must(t, d.ensure())
	if _, err := os.Stat(d.path); err != nil {
		t.Error(err)
	}
}

// TestManyGatewaysStartAtOnce lets creators and sweepers race.
func TestManyGatewaysStartAtOnce(t *testing.T) {
	base := shortTempDir(t)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 10 {
				d, err := openRunDir([]string{base}, discard())
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				if err := d.ensure(); err != nil {
					t.Errorf("ensure: %v", err)
				}
				if err := d.close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	work.Wait()
	if left, _ := filepath.Glob(filepath.Join(base, "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
