package plugins

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/sandbox"
)

// maxFiles is how many descriptors a plugin's process may have open: four for
// each of the requests that it may get at once, and as many again for itself.
const maxFiles = 4096

// confinement is what a launch lets the process do.
type confinement struct {
	policy *sandbox.Policy // nil: everything
	named
}

// key tells confinements apart.
func (c confinement) key() string {
	if c.policy == nil {
		return "none"
	}
	return strings.Join(c.identities, "\x00")
}

// confine says what a process with these settings may do, apart from what
// belongs to a single launch. attributes are those that name places.
func (l *launcher) confine(ctx context.Context, spec Spec, attributes []string) (confinement, error) {
	if spec.Unconfined || !sandbox.Supported().Process {
		return confinement{}, nil
	}
	c := confinement{policy: &sandbox.Policy{MaxFiles: maxFiles, MaxMemory: sandbox.DefaultMemory()}}
	if sandbox.Supported().Landlock == 0 {
		return c, nil
	}
	var err error
	c.named, err = l.named(ctx, spec, attributes)
	return c, err
}

// otherPlaces is a process whose manifest names other attributes for places than
// those it was started with.
type otherPlaces struct{ attributes []string }

func (*otherPlaces) Error() string {
	return "the manifest names other settings for paths at each start"
}

// checkPlaces compares what the process may touch with what its manifest and the
// configuration name.
func (l *launcher) checkPlaces(ctx context.Context, c *connection, attributes []string) error {
	l.remember(func(m *memory) { m.Paths = attributes })
	wanted, err := l.confine(ctx, l.order.spec, attributes)
	if err != nil {
		return err
	}
	if wanted.key() != c.confinement.key() {
		return permanent(&otherPlaces{attributes})
	}
	return nil
}

// errConfined is a configuration that a running process cannot follow, because
// it was started to work in other places.
var errConfined = errors.New("the process may not work where the new settings say")

// outgrown reports whether a process started now with these settings could work
// in other places than the one of the connection: what a process may touch
// cannot change while it runs. A folder that was removed and made again, or
// whose drive was connected, is another place.
func (l *launcher) outgrown(ctx context.Context, c *connection, spec Spec) bool {
	if c.confinement.policy == nil {
		return false
	}
	now, err := l.confine(ctx, spec, l.recall().Paths)
	return err != nil && ctx.Err() == nil || err == nil && now.key() != c.confinement.key()
}

// policyFor completes the policy for one launch of the program at path.
func (l *launcher) policyFor(c confinement, path, sockets string, env []string) *sandbox.Policy {
	if c.policy == nil {
		return nil
	}
	policy := *c.policy
	hidden := realPaths(l.gatewayDir, l.environment(l.order.assignment).HomeDir)
	for _, folder := range sandbox.System() {
		policy.ReadOnly = append(policy.ReadOnly, sandbox.Without(folder, hidden...)...)
	}
	needed := append([]string{l.order.program.dir, filepath.Dir(path)}, sandbox.Interpreter(path, searchPath(env))...)
	for _, p := range realPaths(needed...) {
		if !sandbox.Holds(p, hidden...) {
			policy.ReadOnly = append(policy.ReadOnly, p)
		}
	}
	policy.ReadOnly = append(policy.ReadOnly, path)
	policy.ReadWrite = append(realPaths(l.dataDir, sockets), c.places...)
	return &policy
}

// searchPath is the PATH in an environment.
func searchPath(env []string) (path string) {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
		}
	}
	return path
}

// realPaths are the paths without symbolic links; those that do not exist are
// left out.
func realPaths(paths ...string) []string {
	var real []string
	for _, p := range paths {
		if p == "" {
			continue
		}
		if r, err := filepath.EvalSymlinks(p); err == nil {
			real = append(real, r)
		}
	}
	return real
}

// logConfinement says how well a plugin that is being started is kept in.
func (l *launcher) logConfinement(c confinement) {
	support := sandbox.Supported()
	switch {
	case l.order.spec.Unconfined:
		l.log.Warn("plugin runs without a sandbox, as the configuration says")
	case c.policy == nil:
		l.log.Debug("plugin runs without a sandbox, there is none on this system")
	case support.Landlock == 0:
		l.log.Debug("plugin may touch all files of its user, this kernel cannot restrict that")
	default:
		l.log.Debug("plugin confined", "landlock", support.Landlock, "places", len(c.places))
	}
	for _, r := range c.remarks {
		l.log.Warn("plugin cannot use what its configuration names", "path", printable(r.path, maxNamed), "error", r.reason)
	}
}

// logSandbox says once, when the gateway starts, what this system cannot keep
// plugins from.
func logSandbox(log hclog.Logger) {
	support := sandbox.Supported()
	switch {
	case !support.Process:
		log.Info("plugins run without a sandbox, there is none on this system")
	case support.Landlock == 0:
		log.Info("plugins may touch all files of their user: this kernel has no Landlock, or one before Linux 5.19")
	}
}
