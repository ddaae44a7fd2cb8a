package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// tokenFigure is one benchmark of token verification: its measured values by
// unit, as go test printed them.
type tokenFigure struct {
	name   string
	values map[string]string
}

// value is what was measured in that unit; a dash when nothing was.
func (f tokenFigure) value(unit string) string {
	if v, ok := f.values[unit]; ok {
		return v
	}
	return "–"
}

// benchTokens runs the token room's own benchmarks.
func benchTokens(ctx context.Context, root string) ([]tokenFigure, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "Verify", "-benchmem", "./core/internal/tokens")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("token benchmarks: %w\n%s", err, out)
	}
	figures := parseBench(string(out))
	if len(figures) == 0 {
		return nil, fmt.Errorf("token benchmarks: none ran\n%s", out)
	}
	return figures, nil
}

// parseBench reads the result lines of go test -bench: a name, how often it ran,
// and pairs of value and unit.
func parseBench(out string) []tokenFigure {
	var figures []tokenFigure
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
		f := tokenFigure{name: name, values: map[string]string{}}
		for i := 2; i+1 < len(fields); i += 2 {
			f.values[fields[i+1]] = fields[i]
		}
		figures = append(figures, f)
	}
	return figures
}
