package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// awaitLog waits until the gateway has logged the text n times.
func (g *gateway) awaitLog(text string, n int) {
	g.t.Helper()
	for begin := time.Now(); strings.Count(g.log.String(), text) < n; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			g.t.Fatalf("%q not logged %d times:\n%s", text, n, g.log.tail(4000))
		}
	}
}

func TestHangupReloads(t *testing.T) {
	g := newGateway(t, "Desktop")
	for n := 1; n <= 2; n++ { // also when nothing changed
		if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		g.awaitLog("configuration applied", n)
	}
	g.must("devices")
}

// TestClosingTheTerminalStops runs the gateway in a terminal, where SIGHUP means
// something else once the terminal is closed.
func TestClosingTheTerminalStops(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.stop()
	master, slave := openTerminal(t)
	g.cmd = exec.Command(filepath.Join(bin, "salita"), "serve", "--no-browser", "--data-dir", g.dir)
	g.cmd.Dir = t.TempDir()
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = slave, slave, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	exited := make(chan error, 1)
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(g.cmd)
	g.awaitLog("listening", 2)
	g.cmd.Process.Signal(syscall.SIGHUP) // the terminal is still there
	g.awaitLog("configuration applied", 1)
	master.Close()
	select {
	case err := <-exited:
		if err != nil || !strings.Contains(g.log.String(), "stopping") {
			t.Errorf("ended with %v", err)
		}
		g.cmd = nil
	case <-time.After(patience):
		t.Error("goes on without its terminal")
	}
}

// openTerminal makes a terminal: what is on one side of the slave, a program
// takes for a person's.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
