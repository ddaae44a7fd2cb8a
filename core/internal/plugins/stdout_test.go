package plugins

import (
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// readStdout feeds the output to a reader and returns what was passed on.
func readStdout(t *testing.T, out string) (passed string, broken int, log string, r *stdoutReader) {
	t.Helper()
	buf := &logBuffer{}
	r = newStdoutReader(hclog.New(&hclog.LoggerOptions{Output: buf}), func() { broken++ })
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(strings.NewReader(out))
	}()
	got, err := io.ReadAll(r.passed)
	must(t, err)
	<-done
	return string(got), broken, buf.String(), r
}

func TestStdoutReader(t *testing.T) {
	handshake := "1|1|unix|/p|grpc|" + junkCertificate + "\n"
	flood := strings.Repeat("x", 300<<10)
	for _, c := range []struct {
		name, out, passed string
		broken, warnings  int
		failure, quote    string
	}{
		{"handshake alone", handshake, handshake, 0, 0, "", ""},
		{"text before", "hi\x07\nthere\n" + handshake, handshake, 0, 1, "", `hi\x07\nthere`},
		{"text after", handshake + "hello\n" + strings.Repeat("y", 1<<20), handshake, 0, 1, "", "hello"},
		{"second handshake", handshake + handshake, handshake, 0, 1, "", "1|1|unix"},
		{"unsound", "1|9|unix|/p|grpc|" + junkCertificate + "\n" + handshake, "", 1, 1, "version 9", ""},
		{"nothing", "", "", 0, 0, "", ""},
		{"text only", "usage: ...\n", "", 0, 1, "", "usage: ..."},
		{"flood without newline", flood, "", 1, 2, "no handshake", "xxx"},
		{"flood of lines", strings.Repeat("line\n", 60<<10), "", 1, 2, "no handshake", `line\nline`},
		{"overlong line with a handshake's beginning", "1|1|" + strings.Repeat("x", 20<<10) + "\n" + handshake, handshake, 0, 1, "", "1|1|xxx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			passed, broken, log, r := readStdout(t, c.out)
			if passed != c.passed {
				t.Errorf("passed on %q", passed)
			}
			if broken != c.broken || r.succeeded() != (c.passed != "") {
				t.Errorf("broken %d, succeeded %v", broken, r.succeeded())
			}
			if n := strings.Count(log, "not for text"); n != c.warnings || !strings.Contains(log, c.quote) {
				t.Errorf("%d warnings: %.300s", n, log)
			}
			if err := r.failure(); (err == nil) != (c.failure == "") || (err != nil && !strings.Contains(err.Error(), c.failure)) {
				t.Errorf("failure %v", err)
			}
			if len(log) > 8<<10 {
				t.Errorf("%d bytes of log", len(log))
			}
		})
	}
}
