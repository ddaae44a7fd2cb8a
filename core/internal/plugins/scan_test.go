package plugins

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pluginFolder makes a plugin folder of its own with the mode.
func pluginFolder(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my plugins")
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	must(t, os.Chmod(dir, mode))
	return dir
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	must(t, os.Chmod(path, mode))
}

func TestScanGivesOneReasonEach(t *testing.T) {
	dir := pluginFolder(t, 0o755)
	at := func(name string) string { return filepath.Join(dir, filePrefix+name) }
	outside := filepath.Join(t.TempDir(), "program")
	write(t, outside, 0o755)

	write(t, at("good"), 0o755)
	write(t, at("private"), 0o700)
	write(t, at("not-executable"), 0o644)
	write(t, at("group-writable"), 0o775)
	write(t, at("world-writable"), 0o757)
	write(t, at("Wrong_Name"), 0o755)
	write(t, filepath.Join(dir, "README.txt"), 0o644)
	must(t, os.Mkdir(at("folder"), 0o755))
	must(t, os.Symlink(at("good"), at("link-inside")))
	must(t, os.Symlink(outside, at("link-outside")))
	must(t, os.Symlink("nowhere", at("dangling")))

	want := map[string]string{
		"good":           "",
		"private":        "",
		"link-inside":    "",
		"not-executable": "is not executable. Run: chmod +x '" + at("not-executable") + "'",
		"group-writable": "Others can change the file " + at("group-writable") + ". Run: chmod go-w '" + at("group-writable") + "'",
		"world-writable": "Others can change the file " + at("world-writable"),
		"Wrong_Name":     "is not a plugin's",
		"folder":         "is a folder, not a program.",
		"link-outside":   "is a link that leaves its folder",
		"dangling":       "leads nowhere.",
	}
	if got, err := scanDir(filepath.Join(dir, "missing")); len(got) > 0 || err != nil {
		t.Errorf("a missing folder: %v, %v", got, err)
	}
	got, err := scanDir(dir)
	must(t, err)
	if len(got) != len(want) {
		t.Errorf("found %d programs, want %d: %+v", len(got), len(want), got)
	}
	for _, p := range got {
		reason, known := want[p.name]
		switch {
		case !known:
			t.Errorf("found %+v", p)
		case reason == "" && p.problem != nil:
			t.Errorf("%s: %v", p.name, p.problem)
		case reason != "" && (p.problem == nil || !strings.Contains(friendly(p.problem, p.name), reason)):
			t.Errorf("%s: %v, want %q", p.name, p.problem, reason)
		}
	}
}

func TestScanRefusesAFolderThatOthersCanChange(t *testing.T) {
	dir := pluginFolder(t, 0o777)
	write(t, filepath.Join(dir, filePrefix+"good"), 0o755)
	got, err := scanDir(dir)
	must(t, err)
	want := "Others can change the folder " + dir + ". Run: chmod go-w '" + dir + "'"
	if len(got) != 1 || !strings.Contains(friendly(got[0].problem, "good"), want) {
		t.Errorf("got %+v", got)
	}
}

func TestScanFollowsALinkedFolder(t *testing.T) {
	dir := pluginFolder(t, 0o755)
	write(t, filepath.Join(dir, filePrefix+"good"), 0o755)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	got, err := scanDir(link)
	must(t, err)
	if len(got) != 1 || got[0].problem != nil || got[0].dir != dir {
		t.Errorf("got %+v", got)
	}
}

func TestMergeFirstFolderWins(t *testing.T) {
	first := []program{{name: "twice", path: "/a/twice", problem: refusal("no")}}
	second := []program{{name: "once", path: "/b/once"}, {name: "twice", path: "/b/twice"}}
	byName, doubles := merge([][]program{first, nil, second})
	if len(byName) != 2 || byName["twice"].path != "/a/twice" || byName["once"].path != "/b/once" {
		t.Errorf("got %+v", byName)
	}
	if len(doubles) != 1 || doubles[0].used.path != "/a/twice" || doubles[0].ignored.path != "/b/twice" {
		t.Errorf("got %+v", doubles)
	}
}

func TestForeignOwnerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := pluginFolder(t, 0o755)
	path := filepath.Join(dir, filePrefix+"theirs")
	write(t, path, 0o755)
	must(t, os.Chown(path, 12345, 12345))
	got, err := scanDir(dir)
	must(t, err)
	if len(got) != 1 || !strings.Contains(friendly(got[0].problem, ""), "belongs to another user") {
		t.Errorf("got %+v", got)
	}
}

func TestEnabledButMissingOrBad(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	must(t, os.WriteFile(filepath.Join(b.dir, filePrefix+"script"), []byte("#!/no/such/interpreter\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(b.dir, filePrefix+"foreign"), []byte("\x7fELF\x02\x01\x01 but no more"), 0o755))
	must(t, os.WriteFile(filepath.Join(b.dir, filePrefix+"writable"), nil, 0o755))
	must(t, os.Chmod(filepath.Join(b.dir, filePrefix+"writable"), 0o777))
	b.start(quick(), append(enabled("missing", "script", "foreign", "writable", "../etc"), Spec{Name: "off"}))
	for name, want := range map[string]string{
		"missing":  "No program salita-plugin-missing in " + b.dir + ".",
		"script":   "needs another program to run, and that isn't installed.",
		"foreign":  "is made for another kind of computer.",
		"writable": "Run: chmod go-w",
		"../etc":   "can't be the name of a plugin.",
	} {
		if s := b.status(name); s.State != Failed || !strings.Contains(s.LastError, want) {
			t.Errorf("%s: got %+v, want %q", name, s, want)
		}
	}
	if n := len(b.host.Plugins()); n != 5 {
		t.Errorf("%d plugins listed", n)
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"/opt/salita-plugin-x": "/opt/salita-plugin-x",
		"/my plugins/x":        "'/my plugins/x'",
		"/it's/x":              `'/it'\''s/x'`,
		"/$(rm)/x":             "'/$(rm)/x'",
	} {
		if got := quoted(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
