//go:build !android

package sandbox

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everywhere lets a program read and run everything.
func everywhere() Policy { return Policy{ReadOnly: []string{"/"}} }

// shell runs a script under the policy and returns what it prints.
func shell(t *testing.T, p Policy, script string) string {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	check(t, p.Start(cmd))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

func TestTheProgramTakesOverTheProcess(t *testing.T) {
	cmd := &exec.Cmd{
		Path: "/bin/sh",
		Args: []string{"another name", "-c", `echo $$; tr '\0' ' ' </proc/$$/cmdline; echo; env | sort; ls /proc/self/fd; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat`},
		Env:  []string{"ONLY=this", "PATH=/usr/bin:/bin"},
		Dir:  "/usr",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	check(t, everywhere().Start(cmd))
	pid := strconv.Itoa(cmd.Process.Pid)
	check(t, cmd.Wait())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 6 || lines[0] != pid || !strings.HasPrefix(lines[1], "another name -c ") || strings.TrimSpace(lines[len(lines)-1]) != pid {
		t.Fatalf("pid %s, output %q", pid, lines)
	}
	rest := strings.Join(lines[2:len(lines)-1], " ")
	// Descriptor 3 is what ls opened to read the folder.
	if want := "ONLY=this PATH=/usr/bin:/bin PWD=/usr 0 1 2 3"; strings.ReplaceAll(rest, "_=/usr/bin/env ", "") != want {
		t.Errorf("environment and descriptors: %s, want %s", rest, want)
	}
}

func TestAProgramThatCannotBeExecuted(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	for _, tt := range []struct {
		name, path string
		policy     Policy
		want       error
	}{
		{"missing", filepath.Join(dir, "missing"), everywhere(), fs.ErrNotExist},
		{"not executable", file("plain", "", 0o600), everywhere(), fs.ErrPermission},
		{"no program", file("junk", "\x7fELF junk", 0o700), everywhere(), syscall.ENOEXEC},
		{"no interpreter", file("script", "#!/nowhere/python\n", 0o700), everywhere(), fs.ErrNotExist},
		{"folder", dir, everywhere(), fs.ErrPermission},
		{"outside of the policy", file("outside", "#!/bin/sh\n", 0o700), Policy{ReadOnly: System()}, fs.ErrPermission},
		{"interpreter outside of the policy", file("inside", "#!/bin/sh\n", 0o700), Policy{ReadOnly: []string{dir}}, fs.ErrPermission},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if usableLandlock() == 0 && strings.Contains(tt.name, "policy") {
				t.Skip("this kernel does not restrict files")
			}
			cmd := exec.Command(tt.path)
			err := tt.policy.Start(cmd)
			var path *fs.PathError
			if !errors.Is(err, tt.want) || !errors.As(err, &path) || path.Path != tt.path {
				t.Errorf("Start = %v, want %v of %s", err, tt.want, tt.path)
			}
		})
	}
}

func TestAProgramThatIsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "busy")
	copySelf(t, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	if err := everywhere().Start(exec.Command(path)); !errors.Is(err, syscall.ETXTBSY) {
		t.Errorf("Start = %v, want text file busy", err)
	}
}

func TestNothingElseIsInherited(t *testing.T) {
	cmd := exec.Command("/bin/true")
	cmd.ExtraFiles = []*os.File{os.Stdin}
	if err := everywhere().Start(cmd); err == nil {
		t.Error("a command with extra files was started")
	}
}

func TestAProgramThatDoesNotCallMain(t *testing.T) {
	wired.Store(false)
	defer wired.Store(true)
	if err := everywhere().Start(exec.Command("/bin/true")); !errors.Is(err, errNotWired) {
		t.Errorf("Start = %v, want %v", err, errNotWired)
	}
	if diff := cmp.Diff(Support{}, Supported()); diff != "" {
		t.Errorf("Supported (-want +got)\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	p := everywhere()
	p.MaxFiles, p.MaxMemory = 2000, 1<<30
	script := `ulimit -Sn; ulimit -Hn; ulimit -Sd; ulimit -Hd; ulimit -Hc; cat /proc/self/oom_score_adj`
	want := "1024\n2000\n1048576\n1048576\n0\n213\n"
	if got := shell(t, p, script); got != want {
		t.Errorf("limits %q, want %q", got, want)
	}
	if got := shell(t, p, `ulimit -n 3000 2>&1 || true; ulimit -Hn`); !strings.HasSuffix(got, "\n2000\n") {
		t.Errorf("a limit was raised again: %q", got)
	}
	p.MaxFiles = 100
	if got := shell(t, p, `ulimit -Sn; ulimit -Hn`); got != "100\n100\n" {
		t.Errorf("limits %q, want 100", got)
	}
}

func TestLimitsLeftToTheSystem(t *testing.T) {
	out, err := exec.Command("/bin/sh", "-c", "ulimit -Hn; ulimit -Hd").Output()
	check(t, err)
	if got := shell(t, everywhere(), "ulimit -Hn; ulimit -Hd"); got != string(out) {
		t.Errorf("limits %q, want the system's %q", got, out)
	}
}

func TestMemoryRunsOut(t *testing.T) {
	p := everywhere()
	p.MaxMemory = 64 << 20
	cmd := exec.Command("/usr/bin/tail", "/dev/zero") // keeps a line that never ends
	check(t, p.Start(cmd))
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("tail ended with %v, want its own exit status 1", err)
	}
}

func TestConfinedIsOnlyForUnixSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Confined(a) {
		t.Error("a pipe in memory counts as confined")
	}
}

// A process that is gone when it is asked about may have left the connection to
// another one.
func TestAPeerThatIsGoneCountsAsConfined(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	check(t, err)
	defer l.Close()
	script := `import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])`
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3 to connect and end")
	}
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conn, err := l.Accept()
	check(t, err)
	defer conn.Close()
	if !Confined(conn) {
		t.Error("a process that is gone counts as free")
	}
}

func TestDefaultMemory(t *testing.T) {
	got := DefaultMemory()
	if raceDetector {
		if got != 0 {
			t.Errorf("DefaultMemory = %d with the race detector", got)
		}
		return
	}
	if total := physicalMemory(); got < leastMemory || got > max(total, leastMemory) || total < 64<<20 {
		t.Errorf("DefaultMemory = %d of %d", got, total)
	}
}
