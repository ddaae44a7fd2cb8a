package listener

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/sandbox"
)

// askVariable makes the test binary ask the owner's socket that it names for
// something, and print the answer.
const askVariable = "LISTENER_TEST_ASK"

func TestMain(m *testing.M) {
	sandbox.Main()
	if path := os.Getenv(askVariable); path != "" {
		ask(path)
		return
	}
	os.Exit(m.Run())
}

func ask(path string) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		os.Stdout.WriteString(err.Error())
		return
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, "GET /api/devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	io.Copy(os.Stdout, conn)
}

func TestAPluginIsNotTheOwner(t *testing.T) {
	dir := privateFolder(t)
	path := filepath.Join(dir, "admin.sock")
	l, err := ListenOwner(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the devices") })}
	go server.Serve(l)
	defer server.Close()

	run := func(start func(*exec.Cmd) error) string {
		var out strings.Builder
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = []string{askVariable + "=" + path}
		cmd.Stdout = &out
		if err := start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	// It is not the path that keeps it out: the policy opens everything.
	confined := sandbox.Policy{ReadOnly: []string{"/"}, ReadWrite: []string{"/"}}
	if got := run(confined.Start); !strings.HasPrefix(got, "HTTP/1.1 403 ") || !strings.Contains(got, `"code":"forbidden"`) || strings.Contains(got, "devices") {
		t.Errorf("a plugin was answered %q", got)
	}
	if got := run((*exec.Cmd).Start); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "the devices") {
		t.Errorf("the owner was answered %q", got)
	}
}
