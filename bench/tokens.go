package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// figure is one benchmark of go test: its measured values by
// unit, as go test printed them.
type figure struct {
	name   string
	values map[string]string
}

// value is what was measured in that unit; a dash when nothing was.
func (f figure) value(unit string) string {
	if v, ok := f.values[unit]; ok {
		return v
	}
	return "–"
}

// benchTokens runs the token room's own benchmarks.
func benchTokens(ctx context.Context, root string) ([]figure, error) {
	return goBench(ctx, root, "Verify", "./core/internal/tokens", "-benchmem")
}

// goBench runs the benchmarks of a package whose names match.
func goBench(ctx context.Context, root, names, pkg string, flags ...string) ([]figure, error) {
	args := append([]string{"test", "-run", "^$", "-bench", names}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("benchmarks %s: %w\n%s", names, err, out)
	}
	figures := parseBench(string(out))
	if len(figures) == 0 {
		return nil, fmt.Errorf("benchmarks %s: none ran\n%s", names, out)
	}
	return figures, nil
}

// parseBench reads the result lines of go test -bench: a name, how often it ran,
// and pairs of value and unit.
func parseBench(out string) []figure {
	var figures []figure
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
		f := figure{name: name, values: map[string]string{}}
		for i := 2; i+1 < len(fields); i += 2 {
			f.values[fields[i+1]] = fields[i]
		}
		figures = append(figures, f)
	}
	return figures
}
