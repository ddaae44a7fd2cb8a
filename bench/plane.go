package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// target is a plane that runs: where it serves and what it wants to hear.
type target struct {
	name      string
	about     string
	address   string   // HOST:PORT, TLS 1.3
	header    []string // lines of every request
	processes map[string]*os.Process
	dialect   dialect
	stop      func()
}

// dialect is how one kind of server takes and gives files.
type dialect interface {
	// upload is the request that stores n bytes.
	upload(n int64) request
	// stored reads the answer to an upload: where the file is now and, if the
	// server says so, its SHA-256 in hexadecimal digits.
	stored(a answer) (path, sha256 string, err error)
	// download is the request for a stored file.
	download(path string) request
	// remove is the request that deletes a stored file.
	remove(path string) request
	// small is a call with a small answer about stored files.
	small(path string) request
}

// site is what planes are built on.
type site struct {
	options
	dir      string
	progress func(format string, args ...any)
	cert     certificate // of the planes that bring none
}

// plane is one way to serve the same thing.
type plane struct {
	name  string
	start func(context.Context, *site) (*target, error)
}

// planes are all there are. The order is that of the tables.
var planes = []plane{
	{"alone", startAlone},
	{"salita", startSalita},
	{"caddy", startCaddy},
	{"tusd", startTusd},
}

func planeNames() []string {
	var names []string
	for _, p := range planes {
		names = append(names, p.name)
	}
	return names
}

func planeOf(name string) plane {
	for _, p := range planes {
		if p.name == name {
			return p
		}
	}
	return plane{name: name, start: func(context.Context, *site) (*target, error) {
		return nil, fmt.Errorf("no plane %q", name)
	}}
}

// folder makes a folder for one plane.
func (s *site) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// goBuild builds a program unless it is there already; the go command itself
// knows what is up to date.
func (s *site) goBuild(ctx context.Context, dir, program, pkg string) (string, error) {
	program = filepath.Join(s.bin, "peers", program)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, pkg)
	cmd.Dir = filepath.Join(s.root, dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	s.progress("build %s", pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return program, nil
}

// launch starts a program whose output goes to a file, and returns how to stop
// it. Stopping waits until it is gone.
func (s *site) launch(name string, cmd *exec.Cmd) (func(), error) {
	logPath := filepath.Join(s.dir, name+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
		log.Close()
	}()
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	}, nil
}

// logOf is the end of what a launched program printed, for errors.
func (s *site) logOf(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// until asks again and again until ready says nil, for as long as a program may
// take to start.
func until(ctx context.Context, ready func() error) error {
	end := time.Now().Add(30 * time.Second)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not ready after 30 s: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
