package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// attached runs the media plugin as a debugger would, and returns the folder in
// which it waits.
func attached(t *testing.T, runtime string) (*exec.Cmd, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	cmd := exec.Command(filepath.Join(bin, "plugins", "salita-plugin-media"), "--attach")
	cmd.Env = []string{"XDG_RUNTIME_DIR=" + runtime}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, log
}

// TestAttach runs a plugin by hand, as in a debugger, and a gateway that uses it.
func TestAttach(t *testing.T) {
	runtime, err := os.MkdirTemp("", "at") // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runtime)
	plugin, log := attached(t, runtime)
	t.Setenv("SALITA_ATTACH", "media="+filepath.Join(runtime, "salita-attach-media"))
	desktop := newGateway(t, "Desktop")
	desktop.awaitPlugin("media", "running")
	if !strings.Contains(log.tail(4000), os.Getenv("SALITA_ATTACH")) {
		t.Errorf("it does not say what the gateway needs:\n%s", log.tail(4000))
	}
	resp, err := desktop.owner().Get("http://salita/media")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()

	// Interrupted and started again, as after a change.
	if err := plugin.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("interrupted: %v\n%s", err, log.tail(4000))
	}
	for deadline := time.Now().Add(patience); desktop.pluginState("media").State == "running"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the gateway does not notice its end")
		}
	}
	plugin, log = attached(t, runtime)
	desktop.awaitPlugin("media", "running")
	desktop.stop()
	if err := plugin.Wait(); err != nil {
		t.Errorf("told to stop: %v\n%s", err, log.tail(4000))
	}
}
