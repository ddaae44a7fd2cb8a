package sdktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// CheckOptions say with what a program is checked.
type CheckOptions struct {
	// Config is the text between the braces of the config block with which the
	// plugin works, such as `library = "files"`. Paths in it should be relative, or
	// begin with "~/", so that nothing outside the test's own folders is touched.
	Config string
	// Env are KEY=value pairs for the process. It gets no others but those of the
	// protocol.
	Env []string
	// Rules are the names of the rules to check; empty means all.
	Rules []string
}

// Finding is what is wrong with a plugin, or why that could not be told.
type Finding struct {
	Rule    string `json:"rule"`    // the name of one of Rules
	Problem string `json:"problem"` // what was seen
}

// Report is the result of Check.
type Report struct {
	Manifest sdk.Manifest `json:"manifest"` // the zero one when the plugin gave none
	Passed   []string     `json:"passed"`   // names of rules
	Findings []Finding    `json:"findings"` // what is wrong
	Skipped  []Finding    `json:"skipped"`  // rules that say nothing about this plugin, with the reason
}

// OK reports whether the plugin broke no rule.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Rule is one thing that every plugin must do.
type Rule struct {
	Name  string // short and lasting, such as "lifeline"
	About string // a sentence
}

// Rules lists what Check looks at, in its order.
func Rules() []Rule {
	var out []Rule
	for _, r := range rules() {
		out = append(out, Rule{Name: r.name, About: r.about})
	}
	return out
}

// ruleTimeout bounds one rule, so that a plugin that hangs is a finding.
const ruleTimeout = 30 * time.Second

// Check runs the program, several times, and reports which rules it breaks. The
// program is executed and its routes are called, in folders made for it: check
// only what you would also run. An error means that the checking itself was not
// possible, and then the report is incomplete.
func Check(ctx context.Context, program string, o CheckOptions) (Report, error) {
	s, err := newSuite(program, o)
	if err != nil {
		return Report{}, err
	}
	return s.run(ctx)
}

func (s *suite) run(ctx context.Context) (Report, error) {
	var report Report
	for _, r := range s.selected() {
		problems, skipped := s.check(ctx, r)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		for _, p := range problems {
			report.Findings = append(report.Findings, Finding{r.name, p})
		}
		switch {
		case skipped != "":
			report.Skipped = append(report.Skipped, Finding{r.name, skipped})
		case len(problems) == 0:
			report.Passed = append(report.Passed, r.name)
		}
	}
	report.Manifest = s.manifest
	return report, nil
}

// suite checks one program.
type suite struct {
	program  string
	options  CheckOptions
	timeout  time.Duration // for one rule
	manifest sdk.Manifest  // once a plugin has said it
	broken   string        // why nothing can be checked that needs a working plugin
}

func newSuite(program string, o CheckOptions) (*suite, error) {
	path, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("check plugin: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("check plugin: %s is not a file", path)
	}
	for _, name := range o.Rules {
		if !known(name) {
			return nil, fmt.Errorf("check plugin: there is no rule %q", name)
		}
	}
	return &suite{program: path, options: o, timeout: ruleTimeout}, nil
}

func known(rule string) bool {
	for _, r := range rules() {
		if r.name == rule {
			return true
		}
	}
	return false
}

// selected are the rules to check: the first is always among them, because the
// others build on it.
func (s *suite) selected() []rule {
	if len(s.options.Rules) == 0 {
		return rules()
	}
	var out []rule
	for i, r := range rules() {
		wanted := i == 0
		for _, name := range s.options.Rules {
			wanted = wanted || name == r.name
		}
		if wanted {
			out = append(out, r)
		}
	}
	return out
}

// rule is one thing to check.
type rule struct {
	name, about string
	check       func(*trial) error // the error is one more problem, or a skipError
	// always: it tells something about a plugin that does not even start.
	always bool
}

// skipError says why a rule tells nothing about the plugin.
type skipError string

func (e skipError) Error() string { return string(e) }

// trial is one rule being checked.
type trial struct {
	*suite
	ctx      context.Context
	problems []string
	cleanUp  []func()
}

// check tries one rule and cleans up after it.
func (s *suite) check(ctx context.Context, r rule) (problems []string, skipped string) {
	if s.broken != "" && !r.always {
		return nil, s.broken
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	t := &trial{suite: s, ctx: ctx}
	defer func() {
		for _, f := range t.cleanUp {
			f()
		}
	}()
	err := r.check(t)
	var skip skipError
	if errors.As(err, &skip) {
		return t.problems, string(skip)
	}
	if err != nil {
		t.problem("%w", err)
	}
	return t.problems, ""
}

// problem notes what is wrong.
func (t *trial) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Errorf(format, args...).Error())
}

// place makes folders for a plugin.
func (t *trial) place() (place, error) {
	p, err := newPlace("")
	if err == nil {
		t.cleanUp = append(t.cleanUp, func() { _ = p.remove() })
	}
	return p, err
}

// start starts the program in the place.
func (t *trial) start(at place) (*link, error) {
	l, err := startLink(t.ctx, t.program, at, t.options.Env)
	if err == nil {
		// Processes end before their folders go.
		t.cleanUp = append([]func(){l.close}, t.cleanUp...)
	}
	return l, err
}

// connected starts the program in folders of its own.
func (t *trial) connected() (*link, error) {
	at, err := t.place()
	if err != nil {
		return nil, err
	}
	return t.start(at)
}

// ready is connected with the configuration applied.
func (t *trial) ready() (*link, error) {
	l, err := t.connected()
	if err != nil {
		return nil, err
	}
	return l, l.configure(t.ctx, t.config("1"), l.environment())
}

// config is the configuration of the options.
func (t *trial) config(revision string) control.Config {
	return control.Config{
		Filename: "config.hcl", Source: []byte(t.options.Config), Revision: revision,
		Start: control.Position{Line: 7, Column: 11, Byte: 120},
	}
}
