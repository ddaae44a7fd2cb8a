package sdktest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrong are plugins that break one rule each.
var wrong = []struct{ mode, rule, problem string }{
	{"exits", "starts", "it ended before the handshake: exit status 3, its last output: no disk in the drive"},
	{"hangs", "starts", "no handshake line"},
	{"sick", "starts", "not serving"},
	{"outside", "starts", "want a unix socket right in the folder"},
	{"early", "handshake", `the first line of its standard output is "hello"`},
	{"chatty", "handshake", `holds "bye\n"`},
	{"mute", "by-hand", "does not name Salita"},
	{"friendly", "by-hand", "want a positive exit code"},
	{"misnamed", "manifest", "the manifest wants salita-plugin-cooked"},
	{"moody", "manifest", "another one"},
	{"other-flag", "manifest-flag", "another manifest"},
	{"lenient", "unknown-setting", "it accepts it"},
	{"placeless", "unknown-setting", "names no remark at config.hcl:8,3"},
	{"effective", "validate", "it touched data/validated"},
	{"restless", "configure-again", "serves HTTP elsewhere"},
	{"forgetful", "configure-refused", "not serving"},
	{"hasty", "configure-refused", "asked a second time"},
	{"tcp", "http-socket", "also listens on tcp"},
	{"eager", "health", "before it is configured"},
	{"missing", "routes", "GET /raw/list is answered as a path that does not exist"},
	{"crashing", "routes", "GET /raw/list is answered with 500"},
	{"open", "undeclared", "GET /raw/ is no declared route and is answered with 200"},
	{"headless", "head", "HEAD /raw/list is answered with 404, GET with 200"},
	{"wordy", "head", "a body of 4 bytes follows"},
	{"lonely", "concurrency", "were not answered"},
	{"narrow", "big-header", "the answer is 431"},
	{"touchy", "aborted-body", "after POST /raw/items: the process is gone: exit status 5"},
	{"nervous", "garbage", "the process is gone: exit status 4"},
	{"ruthless", "shutdown", "in flight"},
	{"impatient", "shutdown", "it had stopped already"},
	{"exit-code", "shutdown", "exit status 3"},
	{"immortal", "lifeline", "did not end"},
	{"stubborn", "terminate", "did not end"},
	{"fragile", "crash", "started again"},
	{"litters", "own-folder", "it touched tmp/x"},
	{"talkative", "secrets", "is in its output"},
	{"strict", "newer-gateway", "too new"},
	{"unknown-call", "newer-gateway", "want the status Unimplemented"},
	{"needy", "older-gateway", "too old"},
	{"brief", "events", "ended by itself"},
	{"mistaken", "events", "ended by itself"},
	{"wild", "events", `name "other.done"`},
}

// check runs the rules that are named, beside the first, with little patience.
func check(t *testing.T, mode string, rules ...string) Report {
	t.Helper()
	s, err := newSuite(program(t, "raw"), CheckOptions{Config: `text = "x"`, Env: []string{"MODE=" + mode, "GORACE=atexit_sleep_ms=0"}, Rules: rules})
	must(t, err)
	if mode == "hangs" {
		s.timeout = 500 * time.Millisecond
	}
	report, err := s.run(t.Context())
	must(t, err)
	return report
}

func TestWrongPluginsAreFound(t *testing.T) {
	for _, w := range wrong {
		t.Run(w.mode, func(t *testing.T) {
			t.Parallel()
			if w.mode == "tcp" && runtime.GOOS != "linux" {
				t.Skip("only Linux tells where a process listens")
			}
			report := check(t, w.mode, w.rule)
			if report.OK() {
				t.Fatalf("nothing was found, %+v", report)
			}
			for _, f := range report.Findings {
				if f.Rule != w.rule {
					t.Errorf("%s: %s", f.Rule, f.Problem)
				}
			}
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return strings.Contains(f.Problem, w.problem) }) {
				t.Errorf("want %q in %+v", w.problem, report.Findings)
			}
		})
	}
}

// TestEachRuleCanBeBroken keeps the table above whole.
func TestEachRuleCanBeBroken(t *testing.T) {
	for _, r := range rules() {
		if !slices.ContainsFunc(wrong, func(w struct{ mode, rule, problem string }) bool { return w.rule == r.name }) {
			t.Errorf("no plugin breaks the rule %s", r.name)
		}
	}
}

func TestGoodPluginWithoutTheSDK(t *testing.T) {
	t.Parallel()
	report := check(t, "")
	if !report.OK() || len(report.Skipped) > 0 || len(report.Passed) != len(rules()) || report.Manifest.Name != "raw" {
		t.Errorf("%+v", report)
	}
}

func TestReportOfAPluginThatDoesNotStart(t *testing.T) {
	report := check(t, "exits")
	if report.OK() || len(report.Passed)+len(report.Skipped) == 0 {
		t.Errorf("%+v", report)
	}
	for _, f := range report.Findings {
		if f.Rule != "starts" && f.Rule != "handshake" {
			t.Errorf("%s: %s", f.Rule, f.Problem)
		}
	}
	for _, s := range report.Skipped {
		if !strings.Contains(s.Problem, "does not start") {
			t.Errorf("%+v", s)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	dir := t.TempDir()
	for path, o := range map[string]CheckOptions{
		filepath.Join(dir, "none"): {},
		dir:                        {},
		program(t, "raw"):          {Rules: []string{"no-such-rule"}},
	} {
		if _, err := Check(t.Context(), path, o); err == nil {
			t.Errorf("%s, %v: no error", path, o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, program(t, "raw"), CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A file that is no program is a finding, not an error.
	text := filepath.Join(dir, "salita-plugin-text")
	must(t, os.WriteFile(text, []byte("text"), 0o700))
	report, err := Check(t.Context(), text, CheckOptions{})
	if err != nil || report.OK() || !strings.Contains(report.Findings[0].Problem, "start the program") {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	check(t, "hangs", "lifeline")
	left, err := os.ReadDir(tmp)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestExamplePath(t *testing.T) {
	for pattern, want := range map[string]string{
		"GET /notes":                "GET /notes",
		"PUT /notes/{id}/x/{kind}":  "PUT /notes/x/x/x",
		"GET /notes/{rest...}":      "GET /notes/x",
		"DELETE /notes/{id}/{$}":    "DELETE /notes/x/",
		"GET /notes/größe":          "GET /notes/größe",
		"POST /notes/below/{a}/up/": "POST /notes/below/x/up/",
	} {
		if method, path := examplePath(pattern); method+" "+path != want {
			t.Errorf("%s: %s %s", pattern, method, path)
		}
	}
}
