package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/sdktest"
)

// script writes a program that is no plugin.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "salita-plugin-walks")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func runVerify(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"plugins", "verify"}, args...), os.Getenv, stdio{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestVerifyRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "accepts 1 arg"},
		{[]string{filepath.Join(dir, "missing")}, "there is no file"},
		{[]string{dir}, "is not a file"},
		{[]string{script(t, "exit 3"), "--config-file", filepath.Join(dir, "missing")}, "no such file"},
	} {
		if code, out, errOut := runVerify(t, c.args...); code != 2 || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("verify %v: exit %d, %s%s", c.args, code, out, errOut)
		}
	}
}

// TestVerifyNoPlugin checks a program that only makes noise: what it wrote must
// not reach the terminal as it is.
func TestVerifyNoPlugin(t *testing.T) {
	program := script(t, `printf 'red \033[31m\n' >&2; exit 3`)
	code, out, errOut := runVerify(t, program)
	if code != 1 || !strings.Contains(out, "✗ starts") || !strings.Contains(out, "exit status 3") || !strings.Contains(errOut, "not ready to be used") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if strings.Contains(out, "\x1b") || strings.Contains(out, "✓ starts") {
		t.Errorf("printed %q", out)
	}
	code, out, _ = runVerify(t, program, "--json")
	var report sdktest.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 || len(report.Findings) == 0 || report.Findings[0].Rule != "starts" {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
}

func TestPrintReport(t *testing.T) {
	report := sdktest.Report{
		Manifest: sdk.Manifest{Name: "walks", Title: "Walks", Version: "1\x07"},
		Passed:   []string{"starts"},
		Findings: []sdktest.Finding{{Rule: "stops", Problem: "it went on"}, {Rule: "stops", Problem: "it \x1b[31mlaughed"}},
		Skipped:  []sdktest.Finding{{Rule: "events", Problem: "it has none"}},
	}
	rules := []sdktest.Rule{{Name: "starts", About: "It starts."}, {Name: "stops", About: "It stops."}, {Name: "events", About: "It tells."}}
	var out bytes.Buffer
	if err := printReport(&out, report, rules); err != nil {
		t.Fatal(err)
	}
	want := `Walks 1\a (walks)
✓ starts  It starts.
✗ stops   it went on
✗ stops   it \x1b[31mlaughed
- events  it has none
`
	if got := out.String(); got != want {
		t.Errorf("printed\n%swant\n%s", got, want)
	}
	if err := verdict("f", report); sdk.KindOf(err) != sdk.Invalid || !strings.Contains(err.Error(), "2 findings") {
		t.Errorf("verdict: %v", err)
	}
	if err := verdict("f", sdktest.Report{}); err != nil {
		t.Errorf("verdict without findings: %v", err)
	}
}
