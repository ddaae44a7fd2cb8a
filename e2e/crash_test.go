package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// kills is how often each crash test kills a gateway.
func kills() int {
	if os.Getenv("SALITA_LONG") != "" {
		return 250
	}
	return 30
}

// TestKillDuringTransfer kills either gateway at a random moment of a transfer.
// Afterwards the receiver holds whole files only, and every file whose sending
// was acknowledged.
func TestKillDuringTransfer(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	photo, sum := randomFile(t, "photo.jpg", 24<<20)

	// An undisturbed transfer says how long the moments are to choose from.
	begin := time.Now()
	laptop.must("send", photo, "--to", "Desktop")
	whole := time.Since(begin)

	acknowledged := map[string]bool{}
	for _, item := range desktop.media() {
		acknowledged[item.ID] = true
	}
	for i := range kills() {
		victim := []*gateway{desktop, laptop}[i%2]
		sent := make(chan result, 1)
		go func() { sent <- laptop.cli("", "send", photo, "--to", "Desktop", "--json") }()
		time.Sleep(time.Duration(rand.Int64N(int64(whole) * 5 / 4)))
		victim.kill()
		r := <-sent
		victim.start()
		if r.code == 0 {
			var line struct{ Item mediaItem }
			if err := json.Unmarshal([]byte(r.out), &line); err != nil {
				t.Fatal(err)
			}
			acknowledged[line.Item.ID] = true
		} else if r.err == "" {
			t.Errorf("kill %d: send failed with code %d and no word", i, r.code)
		}
		checkLibrary(t, desktop, sum, acknowledged)
	}
	t.Logf("%d kills, %d transfers acknowledged", kills(), len(acknowledged))
}

// checkLibrary compares what the media plugin lists with what lies on disk.
func checkLibrary(t *testing.T, g *gateway, sum string, acknowledged map[string]bool) {
	t.Helper()
	var items []mediaItem
	eventually(t, "the media plugin answers", func() error {
		var page struct{ Items []mediaItem }
		err := g.get("/media?limit=200", &page)
		items = page.Items
		return err
	})
	listed := map[string]bool{}
	for _, item := range items {
		listed[item.ID] = true
		if item.SHA256 != sum {
			t.Fatalf("item %s has hash %s, want %s", item.ID, item.SHA256, sum)
		}
	}
	for id := range acknowledged {
		if !listed[id] {
			t.Fatalf("acknowledged item %s is lost", id)
		}
	}
	files := 0
	err := filepath.WalkDir(g.library, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			return fmt.Errorf("%s is not a whole file: %d bytes", path, len(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != len(items) {
		t.Fatalf("%d files on disk, %d listed", files, len(items))
	}
}

// TestKillDuringPairing kills either gateway at a random moment of a pairing.
// Once both run again, either both know each other or neither does.
func TestKillDuringPairing(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	begin := time.Now()
	pairUp(t, desktop, laptop)
	whole := time.Since(begin)
	photo, _ := randomFile(t, "photo.jpg", 100_000)

	both := 0
	for i := range kills() {
		forget(t, desktop)
		forget(t, laptop)
		victim := []*gateway{desktop, laptop}[i%2]
		done := make(chan error, 1)
		go func() { done <- tryPair(desktop, laptop) }()
		time.Sleep(time.Duration(rand.Int64N(int64(whole) * 5 / 4)))
		victim.kill()
		victim.start()
		err := <-done
		eventually(t, fmt.Sprintf("both sides agree after kill %d", i), func() error {
			a, b := len(desktop.deviceList()), len(laptop.deviceList())
			if a != b {
				return fmt.Errorf("Desktop knows %d devices, Laptop %d", a, b)
			}
			if err == nil && a == 0 {
				return fmt.Errorf("the pairing was reported and is gone")
			}
			return nil
		})
		if len(desktop.deviceList()) == 1 {
			both++
			laptop.must("send", photo, "--to", "Desktop")
			desktop.must("send", photo, "--to", "Laptop")
		}
	}
	t.Logf("%d kills, %d pairings came about", kills(), both)
}

func forget(t *testing.T, g *gateway) {
	t.Helper()
	for _, d := range g.deviceList() {
		g.must("devices", "remove", d.ID)
	}
}

// eventually waits until check passes.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
