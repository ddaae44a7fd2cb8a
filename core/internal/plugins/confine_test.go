package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/salita-mesh/salita/core/internal/sandbox"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// needsLandlock skips what only a sandbox can show.
func needsLandlock(t *testing.T) {
	t.Helper()
	if sandbox.Supported().Landlock == 0 {
		t.Skip("this system does not restrict files")
	}
}

// withLibrary are specs of a plugin whose settings name a folder.
func withLibrary(name, library string) []Spec {
	specs := enabled(name)
	specs[0].Config = Block{Source: fmt.Appendf(nil, "library = %q", library), Line: 1, Column: 1}
	return specs
}

// tries asks the plugin to read or write a file and returns what the system
// said.
func (b *bench) tries(plugin, what, path string) string {
	b.t.Helper()
	_, text := b.call("GET", "/"+plugin+"/"+what+"?path="+path, nil)
	return strings.TrimPrefix(text, "open "+path+": ")
}

const (
	granted = "<nil>"
	denied  = "permission denied"
)

func TestAPluginIsConfined(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "good", "other")
	b.start(quick(), enabled("good", "other"))
	secret := filepath.Join(b.data, "device.key")
	must(t, os.WriteFile(secret, nil, 0o600))
	b.touch("other", "private")
	for _, tt := range []struct{ what, path, want string }{
		{"write", filepath.Join(dataFolder(b.data, "good"), "mine"), granted},
		{"read", filepath.Join(b.dir, filePrefix+"other"), granted},
		{"write", filepath.Join(b.dir, filePrefix+"new"), denied},
		{"read", secret, denied},
		{"write", secret, denied},
		{"read", filepath.Join(dataFolder(b.data, "other"), "private"), denied},
		{"write", filepath.Join(b.root, "elsewhere"), denied},
		{"read", fmt.Sprintf("/proc/%d/environ", os.Getpid()), denied},
		{"read", "/etc/passwd", granted},
	} {
		if got := b.tries("good", tt.what, tt.path); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.what, tt.path, got, tt.want)
		}
	}
}

func TestAPluginOfAUserWhoTrustsIt(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "good")
	specs := enabled("good")
	specs[0].Unconfined = true
	b.start(quick(), specs)
	elsewhere := filepath.Join(b.root, "elsewhere")
	if got := b.tries("good", "write", elsewhere); got != granted {
		t.Errorf("write: %s", got)
	}
	b.awaitLog("plugin runs without a sandbox, as the configuration says")
	pid := b.pid("good")
	b.host.Apply(enabled("good"), []string{b.dir})
	b.eventually("another process serves", func() bool { return b.pid("good") != pid })
	if got := b.tries("good", "write", elsewhere); got != denied {
		t.Errorf("write: %s, want %s", got, denied)
	}
}

func TestPlacesThatTheConfigurationNames(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "places")
	first, second := filepath.Join(b.root, "first", "library"), filepath.Join(b.root, "second")
	b.start(quick(), withLibrary("places", first))
	b.await("places", Running)
	if got := b.tries("places", "write", filepath.Join(first, "photo")); got != granted {
		t.Errorf("write to the library: %s", got)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the missing library was not made privately: %v, %v", info, err)
	}
	pid := b.pid("places")

	b.host.Apply(withLibrary("places", second), []string{b.dir})
	b.eventually("another process serves", func() bool { return b.pid("places") != pid })
	b.await("places", Running)
	for path, want := range map[string]string{filepath.Join(second, "photo"): granted, filepath.Join(first, "late"): denied} {
		if got := b.tries("places", "write", path); got != want {
			t.Errorf("write %s after the change: %s, want %s", path, got, want)
		}
	}

	pid = b.pid("places")
	specs := withLibrary("places", second)
	specs[0].Config.Source = append(specs[0].Config.Source, "\nlimit = 5"...)
	b.host.Apply(specs, []string{b.dir})
	b.awaitLog("plugin configured anew")
	if got := b.pid("places"); got != pid {
		t.Error("a process was replaced, though its places stayed the same")
	}
}

func TestPlacesAreRememberedBetweenLaunches(t *testing.T) {
	needsLandlock(t)
	const again = "plugin starts again"
	b := newBench(t, "places")
	specs := withLibrary("places", filepath.Join(b.root, "library"))
	b.start(quick(), specs)
	b.await("places", Running)
	if n := strings.Count(b.log.String(), again); n != 1 {
		t.Errorf("started again %d times at first, want once", n)
	}
	must(t, b.host.Close())
	b.start(quick(), specs)
	b.await("places", Running)
	if n := strings.Count(b.log.String(), again); n != 1 {
		t.Errorf("started again %d times in all, want once", n)
	}
}

// A folder that is made again, or whose drive is connected again, is another one
// to the sandbox.
func TestAPlaceThatComesBack(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "places")
	library := filepath.Join(b.root, "library")
	timing := quick()
	timing.HealthInterval = fast
	b.start(timing, withLibrary("places", library))
	b.await("places", Running)
	pid := b.pid("places")
	must(t, os.RemoveAll(library))
	b.await("places", Degraded)
	if b.pid("places") != pid {
		t.Error("a process was replaced, though it would fare no better")
	}
	must(t, os.Mkdir(library, 0o700))
	b.await("places", Running)
	if b.pid("places") == pid {
		t.Error("it runs in a folder that its sandbox does not know")
	}
}

// fast is an interval between health checks of tests that wait for one.
const fast = 20 * time.Millisecond

func TestAMissingPlaceIsNotMadeTwice(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "places")
	library := filepath.Join(b.root, "library")
	specs := withLibrary("places", library)
	b.start(quick(), specs)
	b.await("places", Running)
	must(t, b.host.Close())
	must(t, os.RemoveAll(library)) // its drive is not connected
	b.start(quick(), specs)
	b.await("places", Degraded)
	if _, err := os.Stat(library); err == nil {
		t.Error("the folder was made again")
	}
	b.awaitLog("plugin cannot use what its configuration names")
}

func TestPlacesOfTheGatewayItself(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "places")
	b.start(quick(), withLibrary("places", b.root))
	s := b.await("places", Failed)
	if want := "Salita's own files are there"; !strings.Contains(s.LastError, want) {
		t.Errorf("last error %q, want %q in it", s.LastError, want)
	}
}

func TestAScriptWhoseInterpreterIsOutOfReach(t *testing.T) {
	needsLandlock(t)
	b := newBench(t)
	// Its folder holds the gateway's data, so it cannot be opened, but for the
	// interpreter itself; that one is a script again.
	for name, text := range map[string]string{"inner": "#!/bin/sh\n", "outer": "#!" + filepath.Join(b.root, "bin", "inner") + "\n"} {
		must(t, os.MkdirAll(filepath.Join(b.root, "bin"), 0o755))
		must(t, os.WriteFile(filepath.Join(b.root, "bin", name), []byte(text), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(b.dir, filePrefix+"script"), []byte("#!"+filepath.Join(b.root, "bin", "outer")+"\n"), 0o755))
	b.start(quick(), enabled("script"))
	if s := b.await("script", Failed); !strings.Contains(s.LastError, "lies where plugins may not go. Set confine = false") {
		t.Errorf("last error %q", s.LastError)
	}
}

func TestAManifestThatChangesAtEachStart(t *testing.T) {
	needsLandlock(t)
	b := newBench(t, "fickle")
	b.start(quick(), withLibrary("fickle", filepath.Join(b.root, "library")))
	s := b.await("fickle", Failed)
	if want := "names other settings for paths"; !strings.Contains(s.LastError, want) {
		t.Errorf("last error %q, want %q in it", s.LastError, want)
	}
}

func TestTemporaryFiles(t *testing.T) {
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	_, text := b.call("GET", "/good/temp", nil)
	path, failure, _ := strings.Cut(text, " ")
	if failure != granted || !strings.HasPrefix(path, filepath.Join(dataFolder(b.data, "good"), tempName)+"/") {
		t.Fatalf("temporary file %q: %s", path, failure)
	}
	must(t, b.host.Close())
	if left, _ := filepath.Glob(filepath.Join(dataFolder(b.data, "good"), tempName, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMakeTemp(t *testing.T) {
	data := t.TempDir()
	stale := filepath.Join(data, tempName, "salita-run-0.gone")
	must(t, os.MkdirAll(filepath.Join(stale, "below"), 0o700))
	first, err := makeTemp(data, "salita-run-1")
	must(t, err)
	second, err := makeTemp(data, "salita-run-1")
	must(t, err)
	entries, err := os.ReadDir(filepath.Join(data, tempName))
	must(t, err)
	if len(entries) != 2 || first == second || filepath.Dir(first) != filepath.Dir(stale) {
		t.Errorf("%s and %s in %v, want two new folders and nothing else", first, second, entries)
	}
	must(t, removeTemp(data, first))
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("not removed: %v", err)
	}
}

// A plugin owns its data folder and may put links anywhere in it; the gateway,
// which may do more, must not follow them.
func TestMakeTempFollowsNoLinks(t *testing.T) {
	for name, plant := range map[string]func(data, outside string) error{
		"in place of the folder": func(data, outside string) error { return os.Symlink(outside, filepath.Join(data, tempName)) },
		"in the folder": func(data, outside string) error {
			must(t, os.Mkdir(filepath.Join(data, tempName), 0o700))
			return os.Symlink(outside, filepath.Join(data, tempName, "salita-run-0.old"))
		},
		"a file": func(data, _ string) error { return os.WriteFile(filepath.Join(data, tempName), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			data, outside := t.TempDir(), t.TempDir()
			precious := filepath.Join(outside, "precious")
			must(t, os.WriteFile(precious, nil, 0o600))
			must(t, plant(data, outside))
			path, err := makeTemp(data, "salita-run-1")
			must(t, err)
			info, err := os.Lstat(filepath.Join(data, tempName))
			if err != nil || !info.IsDir() || !strings.HasPrefix(path, data) {
				t.Errorf("made %s, the folder is %v, %v", path, info, err)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Errorf("outside there is %v", entries)
			}
		})
	}
}

// newTestLauncher returns a launcher over folders of its own.
func newTestLauncher(t *testing.T) (*launcher, string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	gateway := filepath.Join(root, "home", ".salita")
	l := &launcher{
		gatewayDir:  gateway,
		dataDir:     dataFolder(gateway, "media"),
		order:       order{assignment: assignment{spec: Spec{Name: "media"}}},
		environment: func(assignment) control.Environment { return control.Environment{HomeDir: filepath.Join(root, "home")} },
		log:         discard(),
	}
	must(t, os.MkdirAll(l.dataDir, 0o700))
	return l, root
}

func TestFindPlaces(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, l *launcher, in func(string) string)
		source  string // $ stands for the temporary folder
		want    []string
		remarks int
		refused bool
	}{
		{name: "absolute", source: `library = "$/mnt"`, want: []string{"mnt"}},
		{name: "in the home folder", source: `library = "~/Pictures/Salita"`, want: []string{"home/Pictures/Salita"}},
		{name: "list", source: `library = ["$/b", "$/a"]`, want: []string{"a", "b"}},
		{name: "relative, which is its own anyway", source: `library = "photos"`},
		{name: "not clean", source: `library = "$/mnt/./x/../y/"`, want: []string{"mnt/y"}},
		{name: "empty", source: `library = ""`},
		{name: "another attribute", source: `other = "$/mnt"`},
		{name: "no syntax", source: `library = `},
		{name: "one in the other", source: `library = ["$/a/b", "$/a", "$/a"]`, want: []string{"a"}},
		{name: "a file that only the plugin can make", source: `library = "$/db.sqlite"`, remarks: 1},
		{
			name: "a file", source: `library = "$/db.sqlite"`, want: []string{"db.sqlite"},
			prepare: func(t *testing.T, _ *launcher, in func(string) string) {
				must(t, os.WriteFile(in("db.sqlite"), nil, 0o600))
			},
		},
		{name: "a hidden folder", source: `library = "$/.photos"`, want: []string{".photos"}},
		{
			name: "through a link of the user", source: `library = "$/link/sub"`, want: []string{"target/sub"},
			prepare: func(t *testing.T, _ *launcher, in func(string) string) {
				must(t, os.Mkdir(in("target"), 0o700))
				must(t, os.Symlink(in("target"), in("link")))
			},
		},
		{
			name: "through a link of the plugin", source: `library = ["$/mnt", "$/mnt/link"]`, want: []string{"mnt"}, remarks: 1,
			prepare: func(t *testing.T, _ *launcher, in func(string) string) {
				must(t, os.MkdirAll(in("mnt"), 0o700))
				must(t, os.MkdirAll(in("home/.ssh"), 0o700))
				must(t, os.Symlink(in("home/.ssh"), in("mnt/link")))
			},
		},
		{
			name: "through a link in its data folder", source: `library = "$/link/ssh"`, remarks: 1,
			prepare: func(t *testing.T, l *launcher, in func(string) string) {
				must(t, os.MkdirAll(in("home/.ssh"), 0o700))
				must(t, os.Symlink(in("home/.ssh"), filepath.Join(l.dataDir, "ssh")))
				must(t, os.Symlink(l.dataDir, in("link")))
			},
		},
		{
			name: "that was there before and is missing", source: `library = "$/mnt/drive"`, remarks: 1,
			prepare: func(_ *testing.T, l *launcher, in func(string) string) {
				l.remember(func(m *memory) { m.Folders = []string{in("mnt/drive")} })
			},
		},
		{
			name: "that cannot be made", source: `library = "$/file/library"`, remarks: 1,
			prepare: func(t *testing.T, _ *launcher, in func(string) string) {
				must(t, os.WriteFile(in("file"), nil, 0o600))
			},
		},
		{name: "the home folder", source: `library = "~/"`, refused: true},
		{name: "the home folder, in short", source: `library = "~"`, refused: true},
		{name: "everything", source: `library = "/"`, refused: true},
		{name: "the gateway's folder", source: `library = "~/.salita"`, refused: true},
		{name: "all plugins' data", source: `library = "~/.salita/data"`, refused: true},
		{name: "a key", source: `library = "~/.salita/device.key"`, refused: true},
		{name: "programs", source: `library = "~/.salita/plugins/mine"`, refused: true},
		{name: "dots out of its own", source: `library = "../.."`, refused: true},
		{name: "another plugin's data, as the user wishes", source: `library = "~/.salita/data/posts"`, want: []string{"home/.salita/data/posts"}},
		{
			name: "the gateway's folder by a link", source: `library = "$/link"`, refused: true,
			prepare: func(t *testing.T, _ *launcher, in func(string) string) {
				must(t, os.Symlink(in("home/.salita"), in("link")))
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, root := newTestLauncher(t)
			in := func(name string) string { return filepath.Join(root, name) }
			if tt.prepare != nil {
				tt.prepare(t, l, in)
			}
			spec := Spec{Name: "media", Config: Block{Source: []byte(strings.ReplaceAll(tt.source, "$", root))}}
			got, err := l.named(t.Context(), spec, []string{"library"})
			var refused *sdk.Error
			if errors.As(err, &refused) != tt.refused || (err != nil) != tt.refused || tt.refused && !isPermanent(err) {
				t.Fatalf("error %v, want refused %v", err, tt.refused)
			}
			var want []string
			for _, w := range tt.want {
				want = append(want, in(w))
			}
			if diff := cmp.Diff(want, got.places, cmpopts.EquateEmpty()); diff != "" || len(got.remarks) != tt.remarks {
				t.Errorf("remarks %v; places (-want +got)\n%s", got.remarks, diff)
			}
			if len(got.identities) != len(got.places) {
				t.Errorf("identities %q", got.identities)
			}
		})
	}
}

func TestFindPlacesEndsWithItsContext(t *testing.T) {
	l, _ := newTestLauncher(t)
	answer := make(chan struct{})
	defer close(answer)
	l.environment = func(assignment) control.Environment {
		<-answer // as a drive that does not
		return control.Environment{}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStartTimeout)
	spec := Spec{Name: "media", Config: Block{Source: []byte(`library = ""`)}}
	if _, err := l.named(ctx, spec, []string{"library"}); !errors.Is(err, errStartTimeout) {
		t.Errorf("error %v, want %v", err, errStartTimeout)
	}
}

func TestMemory(t *testing.T) {
	l, _ := newTestLauncher(t)
	if diff := cmp.Diff(memory{}, l.recall()); diff != "" {
		t.Errorf("of nothing: %s", diff)
	}
	want := memory{Paths: []string{"library"}, Folders: []string{"/mnt/a"}}
	l.remember(func(m *memory) { *m = want })
	if diff := cmp.Diff(want, l.recall()); diff != "" {
		t.Error(diff)
	}
	before, err := os.Stat(l.memoryFile())
	must(t, err)
	l.remember(func(m *memory) { m.Paths = []string{"library"} })
	if after, err := os.Stat(l.memoryFile()); err != nil || !os.SameFile(before, after) {
		t.Errorf("written again without a change: %v", err)
	}
	must(t, os.WriteFile(l.memoryFile(), []byte(`{"paths": 7`), 0o600))
	if diff := cmp.Diff(memory{}, l.recall()); diff != "" {
		t.Errorf("of a damaged file: %s", diff)
	}
	l.noteFolders(slices.Repeat([]place{{path: "/same"}}, 3))
	for i := range 2 * maxFolders {
		l.noteFolders([]place{{path: fmt.Sprint("/", i)}})
	}
	got := l.recall().Folders
	if len(got) != maxFolders || got[len(got)-1] != fmt.Sprint("/", 2*maxFolders-1) {
		t.Errorf("%d folders, the last is %s", len(got), got[len(got)-1])
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(l.memoryFile()), ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPolicyFor(t *testing.T) {
	l, root := newTestLauncher(t)
	in := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"run/1", "plugins", "copy", "tools/python/bin"} {
		must(t, os.MkdirAll(in(dir), 0o700))
	}
	must(t, os.WriteFile(in("tools/python/bin/python3"), nil, 0o700))
	must(t, os.WriteFile(in("copy/salita-plugin-media"), []byte("#!"+in("tools/python/bin/python3")+"\n"), 0o700))
	l.order.program.dir = in("plugins")
	c := confinement{policy: &sandbox.Policy{MaxFiles: 7}, named: named{places: []string{in("mnt")}}}
	p := l.policyFor(c, in("copy/salita-plugin-media"), in("run/1"), nil)
	if diff := cmp.Diff([]string{l.dataDir, in("run/1"), in("mnt")}, p.ReadWrite); diff != "" {
		t.Errorf("to write (-want +got)\n%s", diff)
	}
	for _, path := range []string{"copy", "copy/salita-plugin-media", "plugins", "tools/python", "tools/python/bin/python3"} {
		if !slices.Contains(p.ReadOnly, in(path)) {
			t.Errorf("%s may not be read", path)
		}
	}
	if sandbox.Holds(l.gatewayDir, p.ReadOnly...) || p.MaxFiles != 7 || len(c.policy.ReadOnly) != 0 {
		t.Errorf("policy %+v", p)
	}
	// A plugin folder that is the home folder opens only the program itself.
	l.order.program.dir = in("home")
	if p := l.policyFor(c, in("copy/salita-plugin-media"), in("run/1"), nil); slices.Contains(p.ReadOnly, in("home")) {
		t.Error("the home folder may be read")
	}
	if l.policyFor(confinement{}, in("copy/salita-plugin-media"), in("run/1"), nil) != nil {
		t.Error("a policy for a plugin without a sandbox")
	}
}

func TestExpandWithoutAHomeFolder(t *testing.T) {
	for _, name := range []string{"~", "~/x", "a\x00b"} {
		if got := expand(name, "", "/data"); got != "" {
			t.Errorf("expand(%q) = %q", name, got)
		}
	}
	if got := expand("~x", "/home", "/data"); got != filepath.FromSlash("/data/~x") {
		t.Errorf("expand(~x) = %q", got)
	}
}

func TestSearchPath(t *testing.T) {
	if got := searchPath([]string{"PATH=/a", "X=1", "PATH=/b"}); got != "/b" {
		t.Errorf("search path %q, want the last", got)
	}
}
