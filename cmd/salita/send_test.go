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
	"testing"
)

// TestFileThatChangedOnTheWayIsSentAgain stands in for a gateway whose receiver
// stores other bytes than were sent, a number of times.
func TestFileThatChangedOnTheWayIsSentAgain(t *testing.T) {
	for wrong, code := range map[int]int{0: 0, 1: 0, 2: 1} {
		t.Run(fmt.Sprintf("%d wrong", wrong), func(t *testing.T) {
			dir := t.TempDir()
			ln, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
			if err != nil {
				t.Fatal(err)
			}
			uploads := 0
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					io.WriteString(w, `[{"id":"abc","name":"Desktop","kind":"gateway","status":"available"}]`)
					return
				}
				data, _ := io.ReadAll(r.Body)
				if uploads++; uploads <= wrong {
					data = append(data[1:], '!')
				}
				json.NewEncoder(w).Encode(map[string]any{"items": []map[string]any{
					{"id": "1", "name": "a.jpg", "size": len(data), "sha256": fmt.Sprintf("%x", sha256.Sum256(data))},
				}})
			})}
			go server.Serve(ln)
			t.Cleanup(func() { server.Close() })
			file := filepath.Join(dir, "a.jpg")
			if err := os.WriteFile(file, []byte("photo"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			got := run(t.Context(), []string{"send", file, "--to", "Desktop", "--data-dir", dir}, os.Getenv, stdio{os.Stdin, &out, &errs})
			again := bytes.Contains(errs.Bytes(), []byte("The file changed on the way. Sending again."))
			if got != code || again != (wrong > 0) || uploads != min(wrong+1, 2) {
				t.Errorf("exit %d, %d uploads, said %q", got, uploads, errs.String())
			}
		})
	}
}
