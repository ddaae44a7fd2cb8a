//go:build !android

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scene is where the restricted program tries things out: a gateway's data
// folder, a home folder and a folder that the configuration names.
type scene struct {
	Program string // the test binary, where everybody can reach it
	Gateway string // folder: device.key, admin.sock, plugins, data/mine, data/other
	Home    string
	Named   string
	Tag     string // of the abstract socket

	GatewayPID int `json:",omitempty"`
	Leaked     int `json:",omitempty"` // a descriptor that the gateway left open for all
}

func (s scene) mine(names ...string) string { return s.in("data/mine", names) }
func (s scene) key() string                 { return filepath.Join(s.Gateway, "device.key") }
func (s scene) store() string               { return filepath.Join(s.Gateway, "salita.db") }
func (s scene) admin() string               { return filepath.Join(s.Gateway, "admin.sock") }
func (s scene) in(folder string, names []string) string {
	return filepath.Join(append([]string{s.Gateway, folder}, names...)...)
}

// scratch is a new file of the program's own.
func (s scene) scratch() string {
	f, err := os.CreateTemp(s.mine(), "scratch")
	must(err)
	must(f.Close())
	return f.Name()
}

func (s scene) policy() Policy {
	return Policy{
		ReadOnly:  append(System(), s.Program),
		ReadWrite: []string{s.mine(), s.Named},
		MaxFiles:  4096,
	}
}

const (
	sceneVariable        = "SANDBOX_TEST_SCENE"
	innerVariable        = "SANDBOX_TEST_INNER"        // the role of the restricted program
	unrestrictedVariable = "SANDBOX_TEST_UNRESTRICTED" // start it without a policy
)

func sceneFromEnv() (s scene) {
	if err := json.Unmarshal([]byte(os.Getenv(sceneVariable)), &s); err != nil {
		panic(err)
	}
	return s
}

func (s scene) env(role string) []string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return []string{roleVariable + "=" + role, sceneVariable + "=" + string(text), "GORACE=atexit_sleep_ms=0"}
}

func roles() map[string]func() {
	return map[string]func(){
		"gateway": actAsGateway,
		"hostile": func() { report(hostileAttempts(sceneFromEnv())) },
		"escaped": func() { report(escapedAttempts(sceneFromEnv())) },
		"idle":    func() {},
	}
}

// attempt is one thing that the restricted program tries, with what is to
// become of it.
type attempt struct {
	name, want string
	do         func() error
}

// What becomes of attempts.
const (
	done      = "done"
	denied    = "EACCES"
	powerless = "EPERM"
)

// report makes all attempts and prints those that ended differently, and how
// many there were.
func report(attempts []attempt) {
	r := result{Attempts: len(attempts), Surprises: map[string]string{}}
	for _, a := range attempts {
		if got := outcomeOf(a.do()); got != a.want {
			r.Surprises[a.name] = got + ", want " + a.want
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(r))
}

type result struct {
	Attempts  int
	Surprises map[string]string
}

// scopedOutcome is what becomes of signals and abstract sockets beyond the
// sandbox, which older kernels do not know to keep in.
func scopedOutcome() string {
	if usableLandlock() < 6 {
		return done
	}
	return powerless
}

// outcomeOf is "done", or the name of the system's error.
func outcomeOf(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return done
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// actAsGateway opens the doors of a gateway, starts the program under the policy
// and prints what that printed.
func actAsGateway() {
	s := sceneFromEnv()
	s.GatewayPID = os.Getpid()
	leaked, err := unix.Open(s.key(), unix.O_RDWR, 0) // on purpose without O_CLOEXEC
	must(err)
	s.Leaked = leaked
	for _, address := range []string{s.admin(), "@" + s.Tag} {
		l, err := net.Listen("unix", address)
		must(err)
		go answerPeers(l)
	}
	cmd := exec.Command(s.Program)
	cmd.Env = s.env(os.Getenv(innerVariable))
	cmd.Dir = s.mine()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if os.Getenv(unrestrictedVariable) != "" {
		must(cmd.Start())
	} else {
		must(s.policy().Start(cmd))
	}
	must(cmd.Wait())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// answerPeers tells everybody who connects what the gateway thinks of them.
func answerPeers(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "confined %v", Confined(conn))
		conn.Close()
	}
}

// hostileAttempts is the table of what a plugin might try.
func hostileAttempts(s scene) []attempt {
	attempts := ownFiles(s)
	attempts = append(attempts, otherFiles(s)...)
	attempts = append(attempts, tricks(s)...)
	attempts = append(attempts, otherProcesses(s)...)
	return append(attempts, powers(s)...)
}

// ownFiles is what an honest program does.
func ownFiles(s scene) []attempt {
	file := s.mine("file")
	return []attempt{
		{"own: write", done, func() error { return os.WriteFile(file, []byte("x"), 0o600) }},
		{"own: read", done, func() error { return read(file) }},
		{"own: truncate", done, func() error { return os.Truncate(file, 0) }},
		{"own: list", done, func() error { return list(s.mine()) }},
		{"own: folders", done, func() error { return os.MkdirAll(s.mine("a", "b"), 0o700) }},
		{"own: move between folders", done, func() error { return os.Rename(file, s.mine("a", "b", "file")) }},
		{"own: hard link between folders", done, func() error { return os.Link(s.mine("a", "b", "file"), s.mine("second")) }},
		{"own: symbolic link", done, func() error { return os.Symlink("second", s.mine("link")) }},
		{"own: remove", done, func() error { return os.RemoveAll(s.mine("a")) }},
		{"own: socket", done, func() error { return ownSocket(s.mine("own.sock")) }},
		{"own: relative path", done, func() error { return os.WriteFile("relative", nil, 0o600) }},
		{"own: run what it wrote", denied, func() error { return runCopy(s.mine("copy")) }},
		{"named: write and move there", done, func() error {
			must(os.WriteFile(s.mine("photo"), nil, 0o600))
			return os.Rename(s.mine("photo"), filepath.Join(s.Named, "photo"))
		}},
		{"system: run a program", done, func() error { return exec.Command("/bin/true").Run() }},
		{"system: run itself", done, func() error {
			cmd := exec.Command(s.Program)
			cmd.Env = []string{roleVariable + "=idle"}
			return cmd.Run()
		}},
		{"system: null device", done, func() error { return os.WriteFile("/dev/null", []byte("x"), 0) }},
		{"system: random device", done, func() error { _, err := os.Open("/dev/urandom"); return err }},
		{"system: processor", done, func() error { return read("/sys/devices/system/cpu/online") }},
		{"system: own process", done, func() error { return read("/proc/self/status") }},
		{"system: network", done, loopback},
	}
}

// otherFiles are files that belong to somebody else.
func otherFiles(s scene) []attempt {
	other := s.in("data/other", []string{"secret"})
	program := s.in("plugins", []string{"salita-plugin-other"})
	return []attempt{
		{"key: read", denied, func() error { return read(s.key()) }},
		{"key: open to write", denied, func() error { _, err := os.OpenFile(s.key(), os.O_WRONLY, 0); return err }},
		{"store: truncate", denied, func() error { return os.Truncate(s.store(), 0) }},
		{"identity: remove", denied, func() error { return os.Remove(filepath.Join(s.Gateway, "node_identity.json")) }},
		{"store: replace", denied, func() error { return os.Rename(s.scratch(), s.store()) }},
		{"gateway: list", denied, func() error { return list(s.Gateway) }},
		{"gateway: create", denied, func() error { return os.WriteFile(filepath.Join(s.Gateway, "new"), nil, 0o600) }},
		{"gateway: folder", denied, func() error { return os.Mkdir(filepath.Join(s.Gateway, "folder"), 0o700) }},
		{"gateway: socket", denied, func() error { return ownSocket(filepath.Join(s.Gateway, "x.sock")) }},
		{"other plugin: read", denied, func() error { return read(other) }},
		{"other plugin: replace its program", denied, func() error { return os.WriteFile(program, nil, 0o700) }},
		{"other plugin: list all", denied, func() error { return list(filepath.Dir(s.mine())) }},
		{"own folder: rename it", denied, func() error {
			if err := os.Rename(s.mine(), s.mine()+"2"); err != nil {
				return err
			}
			return os.Rename(s.mine()+"2", s.mine())
		}},
		{"home: list", denied, func() error { return list(s.Home) }},
		{"home: read", denied, func() error { return read(filepath.Join(s.Home, ".ssh", "id")) }},
		{"home: autostart", denied, func() error { return os.WriteFile(filepath.Join(s.Home, ".profile"), nil, 0o600) }},
		{"system: temporary file", denied, func() error { return os.WriteFile("/tmp/x-"+s.Tag, nil, 0o600) }},
		{"system: shared memory", denied, func() error { return os.WriteFile("/dev/shm/"+s.Tag, nil, 0o600) }},
		{"system: settings", denied, func() error { return os.WriteFile("/etc/"+s.Tag, nil, 0o600) }},
		{"system: terminal", denied, func() error { _, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); return err }},
		{"system: var", denied, func() error { return list("/var/log") }},
		{"system: kernel settings", denied, func() error {
			return os.WriteFile("/proc/sys/kernel/hostname", []byte("x"), 0)
		}},
	}
}

// tricks are ways around the front door.
func tricks(s scene) []attempt {
	return []attempt{
		{"trick: symbolic link to the key", denied, func() error {
			must(os.Symlink(s.key(), s.mine("to-key")))
			return read(s.mine("to-key"))
		}},
		{"trick: dots", denied, func() error { return read(s.mine() + "/../../device.key") }},
		{"trick: working folder", denied, func() error {
			here, err := os.Getwd()
			must(err)
			defer os.Chdir(here)
			must(os.Chdir(s.Gateway))
			return read("device.key")
		}},
		{"trick: hard link to the key", "EXDEV", func() error { return os.Link(s.key(), s.mine("hard")) }},
		{"trick: hard link out", denied, func() error { return os.Link(s.scratch(), filepath.Join(s.Gateway, "hard")) }},
		{"trick: rename out", denied, func() error { return os.Rename(s.scratch(), filepath.Join(s.Home, "moved")) }},
		{"trick: rename in", denied, func() error { return os.Rename(s.store(), s.mine("stolen")) }},
		{"trick: exchange", denied, func() error {
			return unix.Renameat2(unix.AT_FDCWD, s.scratch(), unix.AT_FDCWD, s.store(), unix.RENAME_EXCHANGE)
		}},
		{"trick: own root", denied, func() error { return read("/proc/self/root" + s.key()) }},
		{"trick: inherited descriptor", "EBADF", inherited},
		{"trick: path descriptor", denied, func() error { return throughPathDescriptor(s) }},
		{"trick: every thread", denied, func() error { return everyThread(func() error { return read(s.key()) }) }},
		{"trick: copy in the kernel", "exit status 1", func() error { return exec.Command("/bin/cp", s.key(), s.mine("copied")).Run() }},
		{"trick: escaped child", done, func() error { return escape(s) }},
	}
}

// otherProcesses are attacks on the gateway's process.
func otherProcesses(s scene) []attempt {
	proc := func(name string) string { return fmt.Sprintf("/proc/%d/%s", s.GatewayPID, name) }
	scoped := scopedOutcome()
	abstract := scoped
	if scoped == done {
		abstract = "confined true"
	}
	return []attempt{
		{"process: environment", denied, func() error { return read(proc("environ")) }},
		{"process: memory", denied, func() error { _, err := os.OpenFile(proc("mem"), os.O_RDWR, 0); return err }},
		{"process: map", denied, func() error { return read(proc("maps")) }},
		{"process: number of descriptors", done, func() error { return list(proc("fd")) }},
		{"process: what a descriptor is", denied, func() error { _, err := os.Readlink(proc("fd/" + strconv.Itoa(s.Leaked))); return err }},
		{"process: file by descriptor", denied, func() error { return read(proc("fd/" + strconv.Itoa(s.Leaked))) }},
		{"process: root", denied, func() error { return read(proc("root") + s.key()) }},
		{"process: working folder", denied, func() error { return list(proc("cwd/")) }},
		{"process: command line", done, func() error { return read(proc("cmdline")) }},
		{"process: signal", scoped, func() error { return unix.Kill(s.GatewayPID, 0) }},
		{"process: signal to its group", scoped, func() error { return unix.Kill(-s.GatewayPID, 0) }},
		{"process: trace", powerless, func() error { return unix.PtraceSeize(s.GatewayPID) }},
		{"process: read memory", powerless, func() error {
			local := make([]byte, 8)
			_, err := unix.ProcessVMReadv(s.GatewayPID, []unix.Iovec{{Base: &local[0], Len: 8}},
				[]unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&local[0])), Len: 8}}, 0)
			return err
		}},
		{"process: take a descriptor", powerless, func() error {
			handle, err := unix.PidfdOpen(s.GatewayPID, 0)
			must(err)
			_, err = unix.PidfdGetfd(handle, s.Leaked, 0)
			return err
		}},
		{"process: limits of the gateway", powerless, func() error {
			return unix.Prlimit(s.GatewayPID, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}, nil)
		}},
		{"process: own child", done, ownChild},
		{"process: own mark", denied, func() error { return os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0) }},
		{"socket: owner's", "confined true", func() error { return connect(s.admin()) }},
		{"socket: abstract", abstract, func() error { return connect("@" + s.Tag) }},
	}
}

// powers are what a gateway that runs as root has and must not pass on.
func powers(s scene) []attempt {
	return []attempt{
		{"power: no new privileges", done, func() error {
			n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
			if err == nil && n != 1 {
				err = errors.New("not set")
			}
			return err
		}},
		{"power: device file", denied, func() error { return unix.Mknod(s.mine("mem"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1))) }},
		{"power: mount", powerless, func() error { return unix.Mount("tmpfs", s.mine(), "tmpfs", 0, "") }},
		{"power: mount over the gateway", powerless, func() error { return unix.Mount(s.mine(), s.Gateway, "", unix.MS_BIND, "") }},
		{"power: change root", powerless, func() error { return unix.Chroot(s.mine()) }},
		{"power: another user", powerless, func() error { return syscall.Setuid(1) }},
		{"power: own namespace", denied, ownNamespace},
		{"power: more descriptors", powerless, func() error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 19, Max: 1 << 19})
		}},
		{"power: core files", powerless, func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) }},
		{"power: open by handle", powerless, func() error { return byHandle(s) }},
		{"power: key rings", powerless, func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err }},
		{"power: own limits by number", done, func() error {
			return unix.Prlimit(os.Getpid(), unix.RLIMIT_NPROC, nil, &unix.Rlimit{})
		}},
	}
}

// escapedAttempts are made by a child that left group, session and parent.
func escapedAttempts(s scene) []attempt {
	return []attempt{
		{"key", denied, func() error { return read(s.key()) }},
		{"signal", scopedOutcome(), func() error { return unix.Kill(s.GatewayPID, 0) }},
		{"owner's socket", "confined true", func() error { return connect(s.admin()) }},
	}
}

func read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func list(path string) error {
	_, err := os.ReadDir(path)
	return err
}

// connect connects and returns what the other side thinks as an error.
func connect(address string) error {
	conn, err := net.Dial("unix", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
	p := make([]byte, 64)
	n, err := conn.Read(p)
	if err != nil {
		return err
	}
	return errors.New(string(p[:n]))
}

func ownSocket(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer l.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}

func loopback() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	return conn.Close()
}

func runCopy(path string) error {
	text, err := os.ReadFile("/bin/true")
	must(err)
	must(os.WriteFile(path, text, 0o700))
	return exec.Command(path).Run()
}

// inherited looks for a file that this program did not open itself.
func inherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if strings.Contains(target, "device.key") || strings.Contains(target, "admin.sock") {
			return nil
		}
	}
	return unix.EBADF
}

// throughPathDescriptor opens the folder only as a place, which is not
// restricted, and goes on from there.
func throughPathDescriptor(s scene) error {
	fd, err := unix.Open(s.Gateway, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(err)
	defer unix.Close(fd)
	_, err = unix.Openat(fd, "device.key", unix.O_RDONLY, 0)
	return err
}

// everyThread runs do on many threads of the system at once; it fails as the
// first of them does, and says if any succeeds.
func everyThread(do func() error) error {
	const threads = 16
	errs := make([]error, threads)
	var started, done sync.WaitGroup
	started.Add(threads)
	for i := range threads {
		done.Go(func() {
			runtime.LockOSThread()
			started.Done()
			started.Wait()
			errs[i] = do()
		})
	}
	done.Wait()
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errs[0]
}

// escape starts a child in a session of its own, whose parent ends at once, and
// returns what surprised it.
func escape(s scene) error {
	out := s.mine("escaped.json")
	cmd := exec.Command("/bin/sh", "-c", `"$0" >"$1" & exit 0`, s.Program, out)
	cmd.Env = s.env("escaped")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(cmd.Run())
	for range 1000 {
		var r result
		text, _ := os.ReadFile(out)
		if json.Unmarshal(text, &r) != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if len(r.Surprises) > 0 {
			return fmt.Errorf("%v", r.Surprises)
		}
		return nil
	}
	return errors.New("no answer")
}

func ownChild() error {
	cmd := exec.Command("/bin/sleep", "1000")
	must(cmd.Start())
	err := cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	return err
}

// ownNamespace becomes root in a namespace of its own and mounts there.
func ownNamespace() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	return cmd.Run()
}

func byHandle(s scene) error {
	handle, mount, err := unix.NameToHandleAt(unix.AT_FDCWD, s.key(), 0)
	if err != nil {
		return err
	}
	_ = mount
	_, err = unix.OpenByHandleAt(unix.AT_FDCWD, handle, unix.O_RDONLY)
	return err
}
