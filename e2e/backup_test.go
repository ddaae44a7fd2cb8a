package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// backUp makes a copy and returns its path.
func (g *gateway) backUp(t *testing.T, flags ...string) string {
	t.Helper()
	var made struct {
		File string
		Size int64
	}
	if err := json.Unmarshal([]byte(g.must(append([]string{"backup", "--json"}, flags...)...)), &made); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(made.File)
	if err != nil || info.Size() != made.Size || info.Mode().Perm() != 0o600 {
		t.Fatalf("%+v: %v, %v", made, info, err)
	}
	return made.File
}

// TestBackupAndRestore makes copies of a running and of a stopped gateway and
// brings them back.
func TestBackupAndRestore(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	desktop.pairScript(t, "script")

	both := desktop.backUp(t)
	if filepath.Dir(both) != filepath.Join(desktop.dir, "backups") {
		t.Errorf("the copy is %s", both)
	}
	desktop.must("devices", "remove", "script")
	elsewhere := filepath.Join(t.TempDir(), "one.db")
	if one := desktop.backUp(t, "--to", elsewhere); one != elsewhere {
		t.Errorf("the copy is %s, want %s", one, elsewhere)
	}
	if copies, _ := filepath.Glob(filepath.Join(desktop.dir, "backups", "*")); !slices.Equal(copies, []string{both}) {
		t.Errorf("copies are %q", copies)
	}
	desktop.fails(t, 1, "is there already", "backup", "--to", elsewhere)
	desktop.fails(t, 1, "There is no folder", "backup", "--to", filepath.Join(t.TempDir(), "x", "y.db"))

	desktop.fails(t, 6, "Salita is running", "restore", both)
	if names := desktop.names(); !slices.Equal(names, []string{"Laptop"}) {
		t.Errorf("devices are %q", names)
	}
	desktop.stop()
	desktop.fails(t, 2, filepath.Base(both), "restore")
	desktop.fails(t, 1, "There is no file", "restore", "nothing.db")
	desktop.fails(t, 1, "not a copy of Salita's data", "restore", filepath.Join(desktop.dir, "config.hcl"))
	desktop.fails(t, 6, "another device's", "restore", laptop.backUp(t))

	for _, step := range []struct {
		file string
		want []string
	}{{filepath.Base(both), []string{"Laptop", "script"}}, {elsewhere, []string{"Laptop"}}} {
		out := desktop.must("restore", step.file)
		if !strings.Contains(out, "salita devices") {
			t.Errorf("restore said %q", out)
		}
		desktop.backUp(t) // of a gateway that does not run
		desktop.start()
		if names := desktop.names(); !slices.Equal(names, step.want) {
			t.Errorf("after %s devices are %q, want %q", step.file, names, step.want)
		}
		photo, _ := randomFile(t, "photo.jpg", 1<<20)
		desktop.must("send", photo, "--to", "Laptop")
		laptop.must("send", photo, "--to", "Desktop")
		desktop.stop()
	}
}

// fails expects an exit code and a plain sentence with what to do.
func (g *gateway) fails(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	r := g.cli("", args...)
	if r.code != code || !strings.Contains(r.err, says) || !strings.Contains(r.err, "Try: ") {
		t.Errorf("salita %v: exit %d, want %d and %q: %s%s", args, r.code, code, says, r.out, r.err)
	}
}

// TestDamagedDatabaseIsRestored does what the message about a damaged database
// says.
func TestDamagedDatabaseIsRestored(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	backup := desktop.backUp(t)
	desktop.kill() // its log stays
	damage(t, desktop.database()[0])
	if err := desktop.tryStart(); err == nil || !strings.Contains(desktop.log.tail(1000), `"salita restore"`) {
		t.Errorf("%v, and the last words are %s", err, desktop.log.tail(1000))
	}
	desktop.kill()
	desktop.fails(t, 1, damagedWords, "backup")
	desktop.must("restore", backup)
	desktop.start()
	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	laptop.must("send", photo, "--to", "Desktop")
}

// TestKillDuringRestore kills salita restore at a random moment. The gateway then
// starts with the devices from before or with those of the copy.
func TestKillDuringRestore(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	one := desktop.backUp(t)
	desktop.pairScript(t, "script")
	two := desktop.backUp(t)
	desktop.stop()

	begin := time.Now()
	desktop.must("restore", one)
	whole := time.Since(begin)
	seen := map[int]int{}
	for i := range kills() / 3 {
		cmd := desktop.command(t.Context(), "restore", []string{two, one}[i%2])
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(2 * whole)))) // any moment will do
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		desktop.kill()
		desktop.start()
		names := desktop.names()
		if !slices.Equal(names, []string{"Laptop"}) && !slices.Equal(names, []string{"Laptop", "script"}) {
			t.Fatalf("kill %d: devices are %q", i, names)
		}
		seen[len(names)]++
		desktop.kill() // leaves its log for the next restore
	}
	t.Logf("devices after each kill: %v", seen)
}
