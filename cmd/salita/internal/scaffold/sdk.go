package scaffold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// modulePath is the module that holds the SDK.
const modulePath = "github.com/salita-mesh/salita"

// SDK is a checkout of Salita's source, from which a plugin is built.
type SDK struct {
	Dir       string   // absolute
	GoVersion string   // that it needs
	Modules   []Module // what the SDK itself imports
	Sums      []byte   // its go.sum
}

// Module is a Go module at one version.
type Module struct{ Path, Version string }

// ErrNoGo is a machine without the go command.
var ErrNoGo = errors.New("the go command is not installed")

// ErrNoSDK is a folder that holds no source of Salita.
var ErrNoSDK = errors.New("not a checkout of Salita's source")

// FindSDK looks for a checkout of Salita's source at each place and in the
// folders above it, and returns the first one's folder; "" when there is none.
func FindSDK(places ...string) string {
	for _, place := range places {
		if place == "" {
			continue
		}
		dir, err := filepath.Abs(place)
		if err != nil {
			continue
		}
		for {
			if isSDK(dir) {
				return dir
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return ""
}

func isSDK(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first) == "module "+modulePath
}

// ReadSDK looks up what a plugin needs to build from the checkout. It asks the
// go command, which uses no network when the checkout itself has been built.
func ReadSDK(ctx context.Context, dir string) (SDK, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return SDK{}, err
	}
	if !isSDK(dir) {
		return SDK{}, fmt.Errorf("%s: %w", dir, ErrNoSDK)
	}
	s := SDK{Dir: dir}
	if s.Sums, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return SDK{}, err
	}
	version, err := golang(ctx, dir, "list", "-m", "-f", "{{.GoVersion}}")
	if err != nil {
		return SDK{}, err
	}
	s.GoVersion = strings.TrimSpace(version)
	const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}"
	deps, err := golang(ctx, dir, "list", "-deps", "-f", format, "./sdk", "./sdk/sdktest")
	if err != nil {
		return SDK{}, err
	}
	lines := strings.Split(strings.TrimSpace(deps), "\n")
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if path, version, ok := strings.Cut(line, " "); ok {
			s.Modules = append(s.Modules, Module{path, version})
		}
	}
	return s, nil
}

// ReplacePath is the folder as a go.mod names it.
func (s SDK) ReplacePath() string {
	path := filepath.ToSlash(s.Dir)
	if strings.ContainsAny(path, " \t\"'`()[]{},") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

func golang(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", ErrNoGo
	case errors.As(err, &exit):
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(string(exit.Stderr)))
	case err != nil:
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}
