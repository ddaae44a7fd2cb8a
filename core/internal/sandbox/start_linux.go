//go:build !android

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// restrictTime is how long a process may take to restrict itself. It takes a few
// milliseconds; a drive that does not answer can hold it up.
const restrictTime = 5 * time.Second

// errNotWired is a program without Main.
var errNotWired = errors.New("this program cannot restrict others: its main does not call sandbox.Main")

// Supported says what Policy.Start enforces here.
func Supported() Support {
	if !wired.Load() {
		return Support{}
	}
	return Support{Process: true, Landlock: usableLandlock()}
}

// Start starts the command under the policy, in place of cmd.Start. Its errors
// are those of cmd.Start; a program that could not be executed leaves no process
// behind. ExtraFiles is not available to the command: a restricted program gets
// its three standard streams and nothing else.
func (p Policy) Start(cmd *exec.Cmd) error {
	if !wired.Load() {
		return errNotWired
	}
	if len(cmd.ExtraFiles) > 0 {
		return errors.New("a restricted program inherits no other files")
	}
	policy, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode policy: %w", err)
	}
	outcome, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer outcome.Close()
	program := cmd.Path
	cmd.Args = append([]string{shimName, program}, cmd.Args...)
	cmd.Path = "/proc/self/exe" // this very program, even if its file was replaced
	cmd.Env = append(cmd.Environ(), policyVariable+"="+string(policy))
	cmd.ExtraFiles = []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return fmt.Errorf("start sandbox: %v", err) // not wrapped: it says nothing about the program
	}
	if err := readOutcome(outcome, program); err != nil {
		_ = cmd.Process.Kill()
		go func() { _ = cmd.Wait() }() // a process that hangs in the kernel ends when it can
		return err
	}
	return nil
}

// readOutcome waits until the program has taken over, which is when the pipe
// ends without a word.
func readOutcome(outcome *os.File, program string) error {
	_ = outcome.SetReadDeadline(time.Now().Add(restrictTime))
	text, err := io.ReadAll(io.LimitReader(outcome, 4096))
	if err != nil {
		return fmt.Errorf("restrict process: %v", err)
	}
	if len(text) == 0 {
		return nil
	}
	var f failure
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("restrict process: %q", text)
	}
	if f.Step == execStep && f.Errno != 0 {
		return &os.PathError{Op: "fork/exec", Path: program, Err: f.Errno}
	}
	return fmt.Errorf("restrict process: %s: %s", f.Step, f.Text)
}
