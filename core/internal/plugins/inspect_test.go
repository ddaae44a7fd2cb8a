package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inspect inspects the plugins of a bench and returns them by name.
func (b *bench) inspect(ctx context.Context, specs []Spec, options ...func(*Options)) (map[string]Inspection, Findings) {
	b.t.Helper()
	opts := Options{Dirs: []string{b.dir}, DataDir: b.data, RunDir: b.root, Timing: quick(), Log: discard()}
	for _, change := range options {
		change(&opts)
	}
	found, err := Inspect(ctx, opts, specs)
	if err != nil {
		b.t.Fatal(err)
	}
	byName := map[string]Inspection{}
	for _, in := range found.Plugins {
		byName[in.Name] = in
	}
	return byName, found
}

// files lists everything below a folder.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		all = append(all, path+" "+info.Mode().String())
		return err
	})
	must(t, err)
	return all
}

func TestInspectTellsHowFarEachPluginComes(t *testing.T) {
	b := newBench(t, "good", "warned", "refusing", "exits", "foreign", "pinned", "idle")
	for _, name := range []string{"loose", "unused"} {
		path := filepath.Join(b.dir, filePrefix+name)
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700))
		must(t, os.Chmod(path, 0o777))
	}
	specs := enabled("good", "warned", "refusing", "exits", "pinned", "loose", "missing")
	for i, s := range specs {
		switch s.Name {
		case "good":
			specs[i].Config = Block{Filename: "config.hcl", Source: []byte("\n library = \"/x\"\n"), Line: 7, Column: 11, Byte: 70}
		case "refusing":
			specs[i].Config = Block{Filename: "config.hcl", Source: []byte("\n libary = \"/x\"\n"), Line: 7, Column: 11, Byte: 70}
		case "pinned":
			specs[i].SHA256 = strings.Repeat("ab", 32)
		}
	}
	specs = append(specs, Spec{Name: "off"}, Spec{Name: "idle"})
	got, found := b.inspect(t.Context(), specs)
	stages := map[string]Stage{}
	for name, in := range got {
		stages[name] = in.Stage
		if (in.Problem == "") != (in.Stage == Through) && name != "off" {
			t.Errorf("%s ended at %s with %q", name, in.Stage, in.Problem)
		}
	}
	want := map[string]Stage{
		"good": Through, "warned": Through, "refusing": AtConfig, "exits": AtStart, "pinned": AtPin,
		"loose": AtProgram, "unused": AtProgram, "missing": AtProgram, "off": AtProgram, "idle": Through, "foreign": Through,
	}
	if diff := cmp.Diff(want, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if in := got["good"]; in.Manifest.Title != "Photos" || in.Manifest.Version != "1.2.3" || !in.Enabled || in.Path == "" {
		t.Errorf("good is %+v", in)
	}
	if in := got["idle"]; in.Manifest.Name != "" || in.Enabled {
		t.Errorf("a plugin that is not enabled was started: %+v", in)
	}
	remarks := got["refusing"].Remarks
	if len(remarks) != 1 || remarks[0].Subject == nil || remarks[0].Subject.Start.Line != 8 || remarks[0].Subject.Start.Byte != 72 {
		t.Errorf("remarks are %+v", remarks)
	}
	for name, part := range map[string]string{
		"exits": "exit status 3", "pinned": "sha256 = ", "loose": "chmod go-w", "unused": "chmod go-w", "missing": b.dir,
	} {
		if !strings.Contains(got[name].Problem, part) {
			t.Errorf("%s: %q lacks %q", name, got[name].Problem, part)
		}
	}
	if got["off"].Problem != "" {
		t.Errorf("a program that nobody wants is missed: %q", got["off"].Problem)
	}
	for i := 1; i < len(found.Plugins); i++ {
		if found.Plugins[i-1].Name >= found.Plugins[i].Name {
			t.Errorf("%s comes before %s", found.Plugins[i-1].Name, found.Plugins[i].Name)
		}
	}
}

// TestInspectLeavesNothing compares the folders before and after, in which a
// gateway runs the same plugin.
func TestInspectLeavesNothing(t *testing.T) {
	b := newBench(t, "good", "exits")
	b.start(quick(), enabled("good"))
	before := files(t, b.root)
	got, _ := b.inspect(t.Context(), enabled("good", "exits"))
	if got["good"].Stage != Through {
		t.Errorf("good is %+v", got["good"])
	}
	if diff := cmp.Diff(before, files(t, b.root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	b.await("good", Running)
}

// TestInspectLetsPluginsWorkWhereTheyWill is about plugins that look at the places
// that their configuration names before they are configured.
func TestInspectLetsPluginsWorkWhereTheyWill(t *testing.T) {
	b := newBench(t, "reads")
	there := filepath.Join(b.root, "there")
	must(t, os.Mkdir(there, 0o700))
	must(t, os.MkdirAll(filepath.Join(b.data, "data"), 0o700))
	for name, tt := range map[string]struct {
		path  string
		stage Stage
		said  string
	}{
		"a folder":      {there, Through, ""},
		"none":          {filepath.Join(b.root, "none"), AtConfig, ""},
		"the gateway's": {b.data, AtConfig, "Salita's own files"},
	} {
		specs := enabled("reads")
		specs[0].Config = Block{Filename: "config.hcl", Source: fmt.Appendf(nil, "reads = %q", tt.path), Line: 1, Column: 1}
		before := files(t, b.root)
		got, _ := b.inspect(t.Context(), specs)
		if in := got["reads"]; in.Stage != tt.stage || !strings.Contains(in.Problem, tt.said) {
			t.Errorf("%s: %+v", name, in)
		}
		if diff := cmp.Diff(before, files(t, b.root)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
	}
}

func TestInspectEndsWithItsContext(t *testing.T) {
	b := newBench(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	opts := Options{Dirs: []string{b.dir}, DataDir: b.data, RunDir: b.root, Timing: quick(), Log: discard()}
	begin := time.Now()
	if _, err := Inspect(ctx, opts, enabled("hangs")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > patience/2 {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestInspectIsPatientOnlyForSoLong(t *testing.T) {
	b := newBench(t, "hangs")
	timing := quick()
	timing.Start = 200 * time.Millisecond
	got, _ := b.inspect(t.Context(), enabled("hangs"), func(o *Options) { o.Timing = timing })
	if in := got["hangs"]; in.Stage != AtStart || !strings.Contains(in.Problem, "too long to start") {
		t.Errorf("hangs is %+v", in)
	}
}

func TestInspectRemarksOnFolders(t *testing.T) {
	b := newBench(t, "good")
	second := filepath.Join(b.root, "second")
	must(t, os.Mkdir(second, 0o755))
	must(t, os.Link(filepath.Join(b.dir, filePrefix+"good"), filepath.Join(second, filePrefix+"good")))
	file := filepath.Join(b.root, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, found := b.inspect(t.Context(), nil, func(o *Options) { o.Dirs = []string{b.dir, second, file, filepath.Join(b.root, "none")} })
	if len(found.Remarks) != 2 || !strings.Contains(found.Remarks[0], file) || !strings.Contains(found.Remarks[1], second) {
		t.Errorf("remarks are %q", found.Remarks)
	}
}

func TestInspectionsOfACrashAreSwept(t *testing.T) {
	b := newBench(t)
	old, young := filepath.Join(b.data, "cache", "check-old"), filepath.Join(b.data, "cache", "check-young")
	for _, dir := range []string{old, young} {
		must(t, os.MkdirAll(dir, 0o700))
	}
	long := time.Now().Add(-2 * abandonedAfter)
	must(t, os.Chtimes(old, long, long))
	b.inspect(t.Context(), nil)
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the young one is gone")
	}
}

func TestHasProgram(t *testing.T) {
	b := newBench(t, "good")
	must(t, os.WriteFile(filepath.Join(b.root, filePrefix+"x"), nil, 0o700))
	for name, want := range map[string]bool{"good": true, "bad": false, "": false, "../" + filePrefix + "x": false, "a/../good": false} {
		if got := HasProgram([]string{filepath.Join(b.root, "none"), b.dir}, name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
