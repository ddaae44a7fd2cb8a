package plugins

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/sandbox"
)

const (
	// pipeLinger is how long the plugin's output is still read after its process
	// ended: a child that keeps the pipes must not hold anything up.
	pipeLinger = 500 * time.Millisecond
	// groupLinger is how long the group may take to go. Who has the pipes still
	// after that is not in it.
	groupLinger = 100 * time.Millisecond
)

// command is what to run.
type command struct {
	path string   // what is executed
	name string   // what it is told it was called as
	env  []string // nothing else is in the environment
	dir  string

	policy *sandbox.Policy // what it may do; nil: everything
}

// process is one operating-system process that leads its own group, connected
// by pipes of our own. Its standard input is a lifeline: it ends when the
// gateway does, however that happens.
type process struct {
	cmd   *exec.Cmd
	pipes pipes
	born  uint64 // as birth tells it
	state string // how it ended; valid once exited is closed

	exited   chan struct{} // closed right after the process ended
	drained  chan struct{} // closed when all its output was read
	released chan struct{} // closed when nothing of it is left

	mu     sync.Mutex
	gone   bool // reaped: its number may belong to somebody else by now
	killed bool // by the gateway
}

// startProcess starts the command and reads both outputs with the given
// functions until they end.
func startProcess(c command, readStdout, readStderr func(io.Reader)) (*process, error) {
	pipes, err := openPipes()
	if err != nil {
		return nil, fmt.Errorf("make pipes: %w", err)
	}
	cmd, err := c.start(pipes)
	pipes.closeTheirs()
	if err != nil {
		pipes.closeOurs()
		return nil, err
	}
	p := &process{
		cmd:      cmd,
		pipes:    pipes,
		born:     birth(cmd.Process.Pid),
		exited:   make(chan struct{}),
		drained:  make(chan struct{}),
		released: make(chan struct{}),
	}
	var readers sync.WaitGroup
	readers.Go(func() { readStdout(pipes.stdout) })
	readers.Go(func() { readStderr(pipes.stderr) })
	go func() {
		readers.Wait()
		close(p.drained)
	}()
	go p.wait()
	return p, nil
}

// start runs the command. A program that was written a moment ago may be "busy"
// while another process that is just being forked still holds it open.
func (c command) start(p pipes) (*exec.Cmd, error) {
	const tries, pause = 20, 10 * time.Millisecond
	for try := 1; ; try++ {
		cmd := &exec.Cmd{Path: c.path, Args: []string{c.name}, Env: c.env, Dir: c.dir}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = p.theirs[0], p.theirs[1], p.theirs[2]
		leadGroup(cmd)
		err := c.launch(cmd)
		if err == nil || !errors.Is(err, syscall.ETXTBSY) || try == tries {
			return cmd, err
		}
		time.Sleep(pause)
	}
}

func (c command) launch(cmd *exec.Cmd) error {
	if c.policy == nil {
		return cmd.Start()
	}
	return c.policy.Start(cmd)
}

// wait reaps the process, kills what is left of its group, and lets go of the
// pipes.
func (p *process) wait() {
	err := p.cmd.Wait()
	p.mu.Lock()
	signalGroup(p.cmd.Process, syscall.SIGKILL)
	p.gone = true
	p.mu.Unlock()
	p.state = "exit status 0"
	if err != nil {
		p.state = err.Error()
	}
	close(p.exited)

	p.hangUp()
	if !p.drainedWithin(groupLinger) {
		endHolders(p.born, p.pipes.stdout, p.pipes.stderr)
		p.drainedWithin(pipeLinger - groupLinger)
	}
	p.pipes.closeOurs()
	<-p.drained
	close(p.released)
}

// drainedWithin waits for the end of the output.
func (p *process) drainedWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.drained:
		return true
	case <-timer.C:
		return false
	}
}

// terminate asks the group to end.
func (p *process) terminate() { p.signal(syscall.SIGTERM) }

// kill ends the group at once.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

// killedByUs reports that the process ended because the gateway killed it. Ask
// after exited is closed.
func (p *process) killedByUs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed && endedBy(p.cmd.ProcessState, syscall.SIGKILL)
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	p.killed = p.killed || sig == syscall.SIGKILL
	signalGroup(p.cmd.Process, sig)
}

// hangUp ends the plugin's standard input.
func (p *process) hangUp() { _ = p.pipes.stdin.Close() }

// pipes are a process's standard streams: our ends by name, its ends in the
// order of the descriptors. All are plain files, so that exec copies nothing
// and Wait waits for the process alone.
type pipes struct {
	stdin, stdout, stderr *os.File
	theirs                [3]*os.File
}

func openPipes() (p pipes, err error) {
	defer func() {
		if err != nil {
			p.closeOurs()
			p.closeTheirs()
		}
	}()
	if p.theirs[0], p.stdin, err = os.Pipe(); err != nil {
		return p, err
	}
	if p.stdout, p.theirs[1], err = os.Pipe(); err != nil {
		return p, err
	}
	p.stderr, p.theirs[2], err = os.Pipe()
	return p, err
}

func (p pipes) closeOurs() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		_ = f.Close() // nil and closed files only say so
	}
}

func (p pipes) closeTheirs() {
	for _, f := range p.theirs {
		_ = f.Close()
	}
}
