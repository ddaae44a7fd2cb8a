package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// dialVariable makes the test binary connect to the socket that it names and
// exit with 0 if it is let in. serveVariable makes it listen there, for its
// parents only, until its input ends.
const (
	dialVariable  = "SOCKET_TEST_DIAL"
	serveVariable = "SOCKET_TEST_SERVE"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(dialVariable) != "":
		if err := letIn(os.Getenv(dialVariable)); err != nil {
			os.Exit(3)
		}
	case os.Getenv(serveVariable) != "":
		serveParents(os.Getenv(serveVariable))
	default:
		os.Exit(m.Run())
	}
}

// letIn connects and waits for a byte.
func letIn(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

func serveParents(path string) {
	l, err := Listen(path)
	if err != nil {
		os.Exit(1)
	}
	l.OnlyParents()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("x"))
			_ = c.Close()
		}
	}()
	os.Stdout.WriteString("ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestOnlyParents(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"child":      {self},
		"grandchild": {"/bin/sh", "-c", `"$0"; exit 0`, self},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			server := exec.Command(command[0], command[1:]...)
			server.Env = []string{serveVariable + "=" + path}
			in, err1 := server.StdinPipe()
			out, err2 := server.StdoutPipe()
			if err := errors.Join(err1, err2, server.Start()); err != nil {
				t.Fatal(err)
			}
			defer server.Wait()
			defer in.Close()
			if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
				t.Fatal(err)
			}
			if err := letIn(path); err != nil {
				t.Errorf("its parent is not let in: %v", err)
			}
			sibling := exec.Command(self)
			sibling.Env = []string{dialVariable + "=" + path}
			var exit *exec.ExitError
			if err := sibling.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
				t.Errorf("a sibling was let in, or did not run: %v", err)
			}
		})
	}
}

func TestParentOf(t *testing.T) {
	if got := parentOf(os.Getpid()); got != os.Getppid() {
		t.Errorf("parent %d, want %d", got, os.Getppid())
	}
	if got := parentOf(1 << 30); got != 0 {
		t.Errorf("parent of nobody is %d", got)
	}
	if ancestor(os.Getpid()) {
		t.Error("it descends from itself")
	}
}
