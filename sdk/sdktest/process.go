package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// pipeLinger is how long the output of a process is read after its end, if a
// child of it still holds the pipes.
const pipeLinger = 200 * time.Millisecond

// process is a program that leads its own process group.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser // the lifeline
	stdout *capture
	stderr *capture
	exited chan struct{} // closed when it has ended and its output was read
}

// startProcess runs the program with nothing but the given environment.
func startProcess(program string, args, env []string, dir string) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{}, env...) // never nil, which would mean ours
	cmd.Dir = dir
	cmd.WaitDelay = pipeLinger
	leadGroup(cmd)
	p := &process{cmd: cmd, stdout: newCapture(), stderr: newCapture(), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program: %w", err)
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // the state says how it ended
		killGroup(cmd.Process)
	}()
	return p, nil
}

// wait waits for the end and returns the exit code, -1 after a signal.
func (p *process) wait(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, errors.New("the process did not end")
	}
}

// waitFor is wait with a limit of its own.
func (p *process) waitFor(ctx context.Context, limit time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return p.wait(ctx)
}

// running reports whether it has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the whole group at once and waits for that.
func (p *process) kill() {
	select {
	case <-p.exited:
		return
	default:
	}
	killGroup(p.cmd.Process)
	<-p.exited
}

// ending describes how it ended, with its last words.
func (p *process) ending() string {
	text := p.cmd.ProcessState.String()
	if last := p.stderr.tail(500); last != "" {
		text += ", its last output: " + last
	}
	return text
}

// maxCaptured bounds what is kept of an output, in bytes.
const maxCaptured = 4 << 20

// capture keeps what a process writes, from the beginning.
type capture struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{} // closed and replaced when something was added
}

func newCapture() *capture { return &capture{changed: make(chan struct{})} }

// Write keeps p as long as there is room, and takes the rest for nothing.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf.Write(p[:min(len(p), maxCaptured-c.buf.Len())])
	close(c.changed)
	c.changed = make(chan struct{})
	return len(p), nil
}

// look returns what there is and a channel that is closed when there is more.
func (c *capture) look() (string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String(), c.changed
}

func (c *capture) String() string {
	text, _ := c.look()
	return text
}

func (c *capture) tail(n int) string {
	text := c.String()
	return string(bytes.TrimSpace([]byte(text[max(0, len(text)-n):])))
}
