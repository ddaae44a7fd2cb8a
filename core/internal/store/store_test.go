package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// noon is the time in tests that do not ask for another.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// gcm seals as the gateway does: AES-256-GCM, random nonce, bound to context.
type gcm struct{ cipher.AEAD }

func newSealer(key byte) gcm {
	block, err := aes.NewCipher([]byte(strings.Repeat(string(rune('a'+key)), 32)))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm{aead}
}

func (g gcm) Seal(plaintext, context []byte) ([]byte, error) {
	nonce := make([]byte, g.NonceSize())
	rand.Read(nonce)
	return g.AEAD.Seal(nonce, nonce, plaintext, context), nil
}

func (g gcm) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("too short")
	}
	return g.AEAD.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], context)
}

func optionsIn(dir string) Options {
	return Options{
		Path:      filepath.Join(dir, "salita.db"),
		BackupDir: filepath.Join(dir, "backups"),
		Sealer:    newSealer(0),
		Now:       func() time.Time { return noon },
	}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	return openStore(t, optionsIn(t.TempDir()))
}

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// laptop is a gateway; the number tells one from another.
func laptop(n byte) mesh.Device {
	key := mesh.KeyHash{1, n}
	return mesh.Device{
		ID:           key.DeviceID(),
		Name:         fmt.Sprintf("Laptop %d", n),
		Kind:         mesh.KindGateway,
		Hostname:     "laptop.local",
		Key:          key,
		Addresses:    []string{"192.168.1.20:6969", "[fe80::1]:6969"},
		Capabilities: []string{"media.storage"},
		Metadata:     map[string]string{"free": "1000"},
		PairedAt:     noon,
		LastSeen:     noon.Add(-time.Minute),
	}
}

// pairingOf is a whole pairing with the device and the secret token given out.
func pairingOf(d mesh.Device) mesh.Pairing {
	_, hash := mesh.NewToken()
	p := mesh.Pairing{
		Device: d,
		Issued: mesh.IssuedToken{
			Hash: hash, DeviceID: d.ID, Key: d.Key, Permissions: mesh.Grant{"media:*", "posts:read"},
			IssuedAt: noon, ExpiresAt: noon.Add(720 * time.Hour),
		},
	}
	if d.Kind == mesh.KindGateway {
		secret, _ := mesh.NewToken()
		p.Peer = &mesh.PeerToken{
			DeviceID: d.ID, Token: secret, Permissions: mesh.Grant{"media:upload"}, ExpiresAt: noon.Add(720 * time.Hour),
		}
	}
	return p
}

func pair(t *testing.T, s *Store, p mesh.Pairing) mesh.Device {
	t.Helper()
	d, err := s.CompletePairing(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// count runs a query that answers with one number.
func count(t *testing.T, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.read.Raw(query, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func execute(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if err := s.write.Exec(query, args...).Error; err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, want sdk.Kind) {
	t.Helper()
	if got := sdk.KindOf(err); got != want {
		t.Errorf("error kind = %q, want %q: %v", got, want, err)
	}
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mismatch (-want +got):\n%s", d)
	}
}

// snapshot maps every file under the folder to its bytes, except lock files.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, lockSuffix) {
			return err
		}
		b, err := os.ReadFile(path)
		files[filepath.Base(path)] = string(b)
		return err
	}))
	return files
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no path":   {Sealer: newSealer(0)},
		"no sealer": {Path: filepath.Join(t.TempDir(), "salita.db")},
	} {
		if _, err := Open(t.Context(), o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestDataSurvivesReopening(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	p := pairingOf(laptop(1))
	pair(t, s, p)
	must(t, s.Close())
	must(t, s.Close()) // a second time does nothing

	s = openStore(t, o)
	got, err := s.Device(t.Context(), p.Device.ID)
	must(t, err)
	diff(t, p.Device, got)
	token, err := s.PeerToken(t.Context(), p.Device.ID)
	must(t, err)
	diff(t, *p.Peer, token)
}

func TestAnyPathWorks(t *testing.T) {
	o := optionsIn(t.TempDir())
	o.Path = filepath.Join(filepath.Dir(o.Path), "a b?mode=ro&x#y%25é.db")
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	if _, err := os.Stat(o.Path); err != nil {
		t.Error(err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, s.Backup(t.Context(), filepath.Join(filepath.Dir(o.Path), "copy.db")))
	entries, err := os.ReadDir(filepath.Dir(o.Path))
	must(t, err)
	seen := map[string]bool{}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		seen[e.Name()] = true
		if info.Mode().Perm() != fileMode {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	for _, name := range []string{"salita.db", "salita.db-wal", "salita.db-shm", "copy.db"} {
		if !seen[name] {
			t.Errorf("no %s", name)
		}
	}
}

func TestLooseModeIsMended(t *testing.T) {
	o := optionsIn(t.TempDir())
	must(t, openStore(t, o).Close())
	must(t, os.Chmod(o.Path, 0o644))
	openStore(t, o)
	info, err := os.Stat(o.Path)
	must(t, err)
	if info.Mode().Perm() != fileMode {
		t.Errorf("mode = %v", info.Mode())
	}
}

func TestOneUserAtATime(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.Conflict)
	pair(t, s, pairingOf(laptop(1))) // the first is unharmed
	must(t, s.Close())
	openStore(t, o)
}

func TestReadersCannotWrite(t *testing.T) {
	s := newStore(t)
	if err := s.read.Exec(`DELETE FROM mesh_nodes`).Error; resultCode(err)&primaryMask != codeReadOnly {
		t.Errorf("error = %v, want read-only", err)
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	s := newStore(t)
	for pragma, want := range map[string]int{"foreign_keys": 1, "synchronous": 2, "busy_timeout": 5000} {
		var got int
		must(t, s.write.Raw(`PRAGMA `+pragma).Scan(&got).Error)
		if got != want {
			t.Errorf("%s = %d, want %d", pragma, got, want)
		}
	}
	var mode string
	must(t, s.write.Raw(`PRAGMA journal_mode`).Scan(&mode).Error)
	if mode != "wal" {
		t.Errorf("journal_mode = %s", mode)
	}
}

func TestTranslatedErrors(t *testing.T) {
	s := newStore(t)
	d := laptop(1)
	pair(t, s, pairingOf(d))
	row := rowOfDevice(d)
	wantKind(t, friendly(s.write.Create(&row).Error), sdk.Conflict)
	row.ID = "another"
	wantKind(t, friendly(s.write.Create(&row).Error), sdk.Conflict) // same key
	orphan := rowOfIssued(pairingOf(laptop(9)).Issued)
	if err := s.write.Create(&orphan).Error; resultCode(err) != codeForeignKey {
		t.Errorf("orphan token: %v", err)
	}
	row.KeyHash, row.Kind = digest{9}, "toaster"
	if err := s.write.Create(&row).Error; resultCode(err) != codeCheck {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestCancelledContext(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CompletePairing(ctx, pairingOf(laptop(1)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want cancelled", err)
	}
	if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != 0 {
		t.Errorf("%d devices", n)
	}
}
