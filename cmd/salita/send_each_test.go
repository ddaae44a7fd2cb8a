package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// receiver stands in for a gateway whose device refuses some files by their
// names.
func receiver(t *testing.T, refusals map[string]sdk.ErrorBody) (dir string, stored *[]string) {
	t.Helper()
	dir = t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	stored = new([]string)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(w, `[{"id":"abc","name":"Desktop","kind":"gateway","status":"available"}]`)
			return
		}
		data, _ := io.ReadAll(r.Body)
		name := r.URL.Query().Get("filename")
		if refusal, ok := refusals[name]; ok {
			w.WriteHeader(refusal.Code.HTTPStatus())
			json.NewEncoder(w).Encode(refusal)
			return
		}
		*stored = append(*stored, name)
		json.NewEncoder(w).Encode(map[string]any{"items": []map[string]any{
			{"id": "1", "name": name, "size": len(data), "sha256": fmt.Sprintf("%x", sha256.Sum256(data))},
		}})
	})}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return dir, stored
}

func TestSendGoesOnAfterAFileThatIsRefused(t *testing.T) {
	const hostile = "b\x1b[31m\u202egpj.exe"
	badName := sdk.ErrorBody{Error: "That file name contains characters that can't be shown.", Code: sdk.Invalid, Reference: "7K3QF"}
	tests := []struct {
		name     string
		files    []string
		refusals map[string]sdk.ErrorBody
		code     int
		stored   []string
		says     []string
	}{
		{
			"one of three",
			[]string{"a.jpg", hostile, "c.jpg"},
			map[string]sdk.ErrorBody{hostile: badName},
			1,
			[]string{"a.jpg", "c.jpg"},
			[]string{`b\x1b[31m\u202egpj.exe was not sent. That file name contains`, "Try: another name", "Reference: 7K3QF", `Not sent: DIR/b\x1b[31m\u202egpj.exe`},
		},
		{
			"the only one",
			[]string{hostile},
			map[string]sdk.ErrorBody{hostile: badName},
			1,
			nil,
			[]string{`\u202egpj.exe was not sent. That file name contains`, "Try: another name", "Reference: 7K3QF"},
		},
		{
			"no room for one",
			[]string{"a.jpg", "b.jpg"},
			map[string]sdk.ErrorBody{"a.jpg": {Error: "Desktop doesn't have enough space.", Code: sdk.NoSpace}},
			1,
			[]string{"b.jpg"},
			[]string{"a.jpg was not sent. Desktop doesn't have enough space.", "Not sent: DIR/a.jpg\n"},
		},
		{
			"the device goes away",
			[]string{"a.jpg", "b.jpg", "c.jpg"},
			map[string]sdk.ErrorBody{"b.jpg": {Error: "Desktop is offline.", Code: sdk.Offline}},
			4,
			[]string{"a.jpg"},
			[]string{"Desktop is offline.", "Not sent: DIR/b.jpg, DIR/c.jpg\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, stored := receiver(t, tt.refusals)
			folder := t.TempDir()
			args := []string{"send", "--to", "Desktop", "--data-dir", dir}
			for _, name := range tt.files {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte("photo"), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, path)
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), args, os.Getenv, stdio{os.Stdin, &out, &errs})
			said := strings.ReplaceAll(errs.String(), folder, "DIR")
			if code != tt.code || strings.Join(*stored, " ") != strings.Join(tt.stored, " ") {
				t.Errorf("exit %d, want %d; stored %q, want %q; said %q", code, tt.code, *stored, tt.stored, said)
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("said %q, want %q in it", said, want)
				}
			}
			if strings.ContainsAny(out.String()+said, "\x1b\u202e") {
				t.Errorf("it moved the cursor: %q", out.String()+said)
			}
		})
	}
}

func TestSendWithoutFilesSaysWhatIsMissing(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"send", "--to", "Desktop"}, os.Getenv, stdio{os.Stdin, &out, &errs})
	if code != 2 || !strings.Contains(errs.String(), "say which files") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Küste bei Nacht 🌙.jpg": "Küste bei Nacht 🌙.jpg",
		"👩‍👩‍👧 Zoe\u0308":       "👩‍👩‍👧 Zoe\u0308",
		"a\x1b[2Jb":             `a\x1b[2Jb`,
		"a\u202eb\n":            `a\u202eb\n`,
		"a\xffb":                `a\xffb`,
		"c1\u0085":              `c1\u0085`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
	}
}

func TestAnothersGateway(t *testing.T) {
	err := fmt.Errorf("get: %w", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", os.ErrPermission)})
	var errs bytes.Buffer
	a := &app{stdio: stdio{err: &errs}}
	a.explain(err)
	if code := exitCode(err); code != 6 || !strings.HasPrefix(errs.String(), "That gateway belongs to another user of this computer.\nTry: ") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
