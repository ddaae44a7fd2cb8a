package sdktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// exitLimit is how long a process may take to end. The rule says 2 seconds; the
// rest is for a busy machine.
const exitLimit = 5 * time.Second

// starts is what everything else builds on.
func starts(t *trial) error {
	err := startsAndWorks(t)
	if err != nil {
		t.broken = "it does not start as it must"
	}
	return err
}

func startsAndWorks(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	if t.manifest, err = l.control.Manifest(t.ctx); err != nil {
		return err
	}
	if err := t.manifest.Validate(); err != nil {
		return err
	}
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return err
	}
	return l.control.CheckHealth(t.ctx)
}

// cleanStdout lets a plugin do whatever it does, and looks at what it printed.
func cleanStdout(t *trial) error {
	if t.broken != "" {
		return handshakeAlone(t)
	}
	l, err := t.ready()
	if err != nil {
		return err
	}
	for _, r := range t.manifest.Routes {
		if _, err := l.example(t.ctx, r); err != nil {
			return err
		}
	}
	if err := l.stop(t.ctx); err != nil {
		return err
	}
	return onlyHandshake(l.stdout.String())
}

// handshakeAlone is what can be said of a plugin that gets no further.
func handshakeAlone(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	return onlyHandshake(l.stdout.String())
}

func onlyHandshake(output string) error {
	first, rest, _ := strings.Cut(output, "\n")
	if !looksLikeHandshake(first) {
		return fmt.Errorf("the first line of its standard output is %.200q", first)
	}
	if rest != "" {
		return fmt.Errorf("after the handshake line its standard output holds %.200q", rest)
	}
	return nil
}

// run runs the program as a person would and returns how it ended.
func (t *trial) run(args ...string) (*process, error) {
	at, err := t.place()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(t.program, args, append([]string{"TMPDIR=" + at.tmp, "HOME=" + at.home}, t.options.Env...), at.data)
	if err != nil {
		return nil, err
	}
	t.cleanUp = append([]func(){p.kill}, t.cleanUp...)
	_, err = p.waitFor(t.ctx, exitLimit)
	return p, err
}

func runByHand(t *trial) error {
	for _, args := range [][]string{nil, {"--no-such-flag"}} {
		p, err := t.run(args...)
		if err != nil {
			return err
		}
		if p.cmd.ProcessState.ExitCode() <= 0 {
			t.problem("with the arguments %q it ends with %s, want a positive exit code", args, p.cmd.ProcessState)
		}
		said := p.stdout.String() + p.stderr.String()
		if !strings.Contains(strings.ToLower(said), "salita") {
			t.problem("with the arguments %q it says %.200q, which does not name Salita", args, said)
		}
	}
	return nil
}

// sameManifest asks two processes, before and after the configuration.
func sameManifest(t *trial) error {
	if want := "salita-plugin-" + t.manifest.Name; strings.TrimSuffix(filepath.Base(t.program), executableSuffix) != want {
		t.problem("the file is named %s, the manifest wants %s", filepath.Base(t.program), want)
	}
	l, err := t.ready()
	if err != nil {
		return err
	}
	again, err := l.control.Manifest(t.ctx)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(again, t.manifest) {
		return errors.New("after the configuration the manifest is another one")
	}
	return nil
}

// executableSuffix is what the system wants at the end of a program's name.
var executableSuffix = map[string]string{"windows": ".exe"}[runtime.GOOS]

func manifestFlag(t *trial) error {
	p, err := t.run("--manifest")
	if err != nil {
		return err
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("it ended with %s", p.ending())
	}
	var printed sdk.Manifest
	dec := json.NewDecoder(bytes.NewReader([]byte(p.stdout.String())))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&printed); err != nil {
		return fmt.Errorf("what it printed: %w", err)
	}
	if t.broken == "" && !reflect.DeepEqual(normal(printed), normal(t.manifest)) {
		return errors.New("it printed another manifest than it says over the protocol")
	}
	return nil
}

// normal makes no lists and empty ones the same.
func normal(m sdk.Manifest) sdk.Manifest {
	m.Capabilities = append([]sdk.Capability{}, m.Capabilities...)
	m.Routes = append([]sdk.Route{}, m.Routes...)
	m.Paths = append([]string{}, m.Paths...)
	return m
}

// healthBefore is asked from the first moment on.
func healthBefore(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	var no *control.NotServingError
	if err := l.control.CheckHealth(t.ctx); err == nil {
		t.problem("it says that it is healthy before it is configured")
	} else if !errors.As(err, &no) {
		t.problem("before it is configured: %w", err)
	}
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return err
	}
	return l.control.CheckHealth(t.ctx)
}
