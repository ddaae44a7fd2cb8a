//go:build !android

package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nobody is a user without any rights.
const nobody = 65534

// newScene builds the folders; everything belongs to the user, so that nothing
// but the sandbox keeps the program out.
func newScene(t *testing.T, user int) scene {
	t.Helper()
	root, err := os.MkdirTemp("", "sb")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	s := scene{
		Program: filepath.Join(root, "bin", "program"),
		Gateway: filepath.Join(root, "gateway"),
		Home:    filepath.Join(root, "home"),
		Named:   filepath.Join(root, "named"),
		Tag:     filepath.Base(root),
	}
	for _, dir := range []string{filepath.Dir(s.Program), s.mine(), s.in("data/other", nil), s.in("plugins", nil), filepath.Join(s.Home, ".ssh"), s.Named} {
		check(t, os.MkdirAll(dir, 0o755))
	}
	for _, file := range []string{s.key(), s.store(), filepath.Join(s.Gateway, "node_identity.json"), s.in("data/other", []string{"secret"}), s.in("plugins", []string{"salita-plugin-other"}), filepath.Join(s.Home, ".ssh", "id")} {
		check(t, os.WriteFile(file, []byte("secret"), 0o600))
	}
	copySelf(t, s.Program)
	check(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		check(t, err)
		return os.Chown(path, user, user)
	}))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copySelf(t *testing.T, to string) {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	check(t, err)
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	check(t, err)
	_, err = io.Copy(f, from)
	check(t, err)
	check(t, f.Close())
}

// run starts a gateway as the user, which starts the program under its policy,
// and returns what the program's attempts led to.
func (s scene) run(t *testing.T, user int, env ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Program)
	cmd.Env = slices.Concat(s.env("gateway"), []string{innerVariable + "=hostile"}, env)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if user != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r result
	check(t, json.Unmarshal(out, &r))
	return r
}

func TestWhatARestrictedProgramCanDo(t *testing.T) {
	if usableLandlock() == 0 {
		t.Skip("this kernel does not restrict files")
	}
	users := map[string]int{"as this user": os.Getuid()}
	if os.Getuid() == 0 {
		users["as nobody"] = nobody
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			got := newScene(t, user).run(t, user)
			if diff := cmp.Diff(map[string]string{}, got.Surprises); diff != "" || got.Attempts < 70 {
				t.Errorf("%d attempts; surprises (-want +got)\n%s", got.Attempts, diff)
			}
		})
	}
}

// Without the sandbox the same attempts succeed, so it is nothing else that
// stops them. Not as root, who would leave marks on the system.
func TestWhatTheSandboxPrevents(t *testing.T) {
	user := os.Getuid()
	if user == 0 {
		user = nobody
	}
	s := newScene(t, user)
	t.Cleanup(func() {
		_ = os.Remove("/tmp/x-" + s.Tag)
		_ = os.Remove("/dev/shm/" + s.Tag)
	})
	got := s.run(t, user, unrestrictedVariable+"=1").Surprises
	for _, name := range []string{
		"own: run what it wrote", "key: read", "key: open to write", "store: truncate", "store: replace", "identity: remove", "gateway: list", "gateway: create",
		"other plugin: read", "other plugin: replace its program", "home: list", "home: read", "home: autostart",
		"system: temporary file", "system: shared memory", "trick: symbolic link to the key", "trick: working folder",
		"trick: hard link out", "trick: rename out", "trick: inherited descriptor", "trick: path descriptor", "trick: every thread",
		"process: environment", "process: memory", "process: signal", "process: limits of the gateway", "process: own mark",
	} {
		if !strings.HasPrefix(got[name], done) {
			t.Errorf("%s: %q, it does not show what the sandbox prevents", name, got[name])
		}
	}
	for _, name := range []string{"socket: owner's", "socket: abstract"} {
		if !strings.HasPrefix(got[name], "confined false") {
			t.Errorf("%s: %q, want not confined", name, got[name])
		}
	}
}
