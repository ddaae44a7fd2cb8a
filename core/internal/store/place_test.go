package store

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// takeAways are what can happen to the files under an open Store. Each returns
// how to put them back.
var takeAways = map[string]func(t *testing.T, path string) (putBack func()){
	"the file deleted": func(t *testing.T, path string) func() { return moveAway(t, path) },
	"the log deleted":  func(t *testing.T, path string) func() { return moveAway(t, path+"-wal") },
	"everything deleted": func(t *testing.T, path string) func() {
		file, log, index := moveAway(t, path), moveAway(t, path+"-wal"), moveAway(t, path+"-shm")
		return func() { file(); log(); index() }
	},
	"the file replaced": func(t *testing.T, path string) func() {
		was, err := os.ReadFile(path)
		must(t, err)
		putBack := moveAway(t, path)
		must(t, os.WriteFile(path, was, fileMode))
		return putBack
	},
	"the log replaced by nothing": func(t *testing.T, path string) func() {
		putBack := moveAway(t, path+"-wal")
		must(t, os.WriteFile(path+"-wal", nil, fileMode))
		return putBack
	},
	"the folder renamed": func(t *testing.T, path string) func() {
		return moveAway(t, filepath.Dir(path))
	},
}

func moveAway(t *testing.T, path string) (putBack func()) {
	t.Helper()
	must(t, os.Rename(path, path+".away"))
	return func() { must(t, os.Rename(path+".away", path)) }
}

// TestNothingIsAcknowledgedOutsideTheFile takes files away under an open Store.
// Every change must fail and leave no trace, and must work once they are back.
func TestNothingIsAcknowledgedOutsideTheFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be taken away there")
	}
	for name, takeAway := range takeAways {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(filepath.Join(t.TempDir(), "data"))
			must(t, os.Mkdir(filepath.Dir(o.Path), 0o700))
			s := openStore(t, o)
			first := pairingOf(laptop(1))
			pair(t, s, first)
			putBack := takeAway(t, o.Path)

			_, paired := s.CompletePairing(t.Context(), pairingOf(laptop(2)), nil)
			for what, err := range map[string]error{
				"pair":    paired,
				"rename":  s.RenameDevice(t.Context(), first.Device.ID, "Other"),
				"revoke":  s.RevokeTokens(t.Context(), first.Device.ID, noon),
				"remove":  s.RemoveDevice(t.Context(), first.Device.ID),
				"current": s.SaveCurrent(t.Context(), "id", "Desktop", "desktop", 6969),
			} {
				wantKind(t, err, sdk.Internal)
				if err == nil || !strings.Contains(sdk.AsError(err).Friendly(), "moved or deleted") {
					t.Errorf("%s: %v", what, err)
				}
			}
			for range 2 * readers { // more than there are connections: some are opened now
				devices, err := s.Devices(t.Context())
				moved := err != nil && strings.Contains(sdk.AsError(err).Friendly(), "moved or deleted")
				right := err == nil && len(devices) == 1 && devices[0].Name == "Laptop 1"
				if !moved && !right {
					t.Errorf("devices are %+v, %v", devices, err)
				}
			}

			putBack()
			pair(t, s, pairingOf(laptop(3)))
			must(t, s.RevokeTokens(t.Context(), first.Device.ID, noon))
			must(t, s.Close())
			s = openStore(t, o)
			tokens, err := s.IssuedTokens(t.Context())
			if err != nil || len(tokens) != 2 || tokens[0].RevokedAt.IsZero() == tokens[1].RevokedAt.IsZero() {
				t.Errorf("after a restart tokens are %+v, %v", tokens, err)
			}
		})
	}
}
