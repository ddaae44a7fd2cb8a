package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newGatewayOn starts a gateway whose library is a small disk of its own.
func newGatewayOn(t *testing.T, name, size string, flags uintptr) *gateway {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("this user may not mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	library := filepath.Join(disk, "library")
	if err := os.MkdirAll(library, 0o700); err != nil {
		t.Fatal(err)
	}
	if flags != 0 {
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|flags, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
	g := newGateway(t, name)
	g.stop()
	g.library = library
	g.configure(`plugin "media" {
  config {
    library = "` + library + `"
  }
}
`)
	g.start()
	return g
}

func TestFullDisk(t *testing.T) {
	desktop, laptop := newGatewayOn(t, "Desktop", "96m", 0), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	film, _ := randomFile(t, "film.mp4", 120<<20)
	r := laptop.cli("", "send", film, "--to", "Desktop")
	if r.code != 1 || !strings.Contains(r.err, "Desktop doesn't have enough space (needs 12") || !strings.Contains(r.err, "Reference: ") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	desktop.empty(t)

	// Without a declared length the disk fills up on the way.
	body, err := os.Open(film)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	resp, err := desktop.owner().Post("http://salita/media/upload?filename=film.mp4", "video/mp4", readOnly{body})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	desktop.refused(t, resp, 507, "no_space")

	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	laptop.must("send", photo, "--to", "Desktop")
}

// readOnly hides a file's length.
type readOnly struct{ f *os.File }

func (r readOnly) Read(p []byte) (int, error) { return r.f.Read(p) }

func TestLibraryThatCannotBeWritten(t *testing.T) {
	desktop, laptop := newGatewayOn(t, "Desktop", "8m", syscall.MS_RDONLY), newGateway(t, "Laptop")
	var plugins []struct{ Name, State, LastError string }
	if err := json.Unmarshal([]byte(desktop.must("plugins", "--json")), &plugins); err != nil {
		t.Fatal(err)
	}
	if len(plugins) != 1 || plugins[0].State == "running" {
		t.Errorf("plugins are %+v", plugins)
	}
	pairUp(t, desktop, laptop)
	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	r := laptop.cli("", "send", photo, "--to", "Desktop")
	if r.code == 0 || r.err == "" || strings.Contains(r.err, "read-only file system") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	if !strings.Contains(desktop.log.String(), "read-only file system") {
		t.Error("the cause is not in the log")
	}
}

func TestMistakeInAPluginsConfig(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.stop()
	g.configure("plugin \"media\" {\n  config {\n    libary = \"x\"\n  }\n}\n")
	g.start()
	var plugins []struct {
		Name, State string
		LastError   string `json:"last_error"`
	}
	if err := json.Unmarshal([]byte(g.must("plugins", "--json")), &plugins); err != nil {
		t.Fatal(err)
	}
	if len(plugins) != 1 || plugins[0].State != "failed" || plugins[0].LastError == "" {
		t.Errorf("plugins are %+v", plugins)
	}
	log := g.log.String()
	for _, want := range []string{"config.hcl", "libary", "library"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}
