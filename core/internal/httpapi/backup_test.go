package httpapi

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestBackupIsMadeInItsFolder(t *testing.T) {
	w := newWorld(t)
	for range 2 { // no two have the same name
		got := w.do(w.callers()["owner"], "POST", "/api/backup", []byte(`{"to":"/tmp/elsewhere.db"}`))
		var body backupBody
		if err := json.Unmarshal(got.body, &body); err != nil || got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if body.File != filepath.Base(body.File) {
			t.Errorf("the name is %q", body.File)
		}
		info, err := os.Stat(filepath.Join(w.store.BackupDir, body.File))
		if err != nil || info.Size() != body.Size || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%+v: %v, %v", body, info, err)
		}
	}
}
