package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type mediaItem struct {
	ID, Name, URL, SHA256 string
	Size                  int64
}

// library lists what a gateway's media plugin holds, over the owner's socket.
func (g *gateway) media() []mediaItem {
	g.t.Helper()
	var page struct{ Items []mediaItem }
	if err := g.get("/media?limit=200", &page); err != nil {
		g.t.Fatal(err)
	}
	return page.Items
}

func randomFile(t *testing.T, name string, size int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var seed [32]byte
	copy(seed[:], name)
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, hash), rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	return path, hex.EncodeToString(hash.Sum(nil))
}

func TestPhotoGoesFromOneMachineToTheOther(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)

	for _, side := range []struct{ here, other *gateway }{{desktop, laptop}, {laptop, desktop}} {
		list := side.here.deviceList()
		if len(list) != 1 || list[0].Name != side.other.name || list[0].Status != "available" {
			t.Fatalf("%s knows %+v, want %s available", side.here.name, list, side.other.name)
		}
	}

	photo, sum := randomFile(t, "Küste bei Nacht 🌙.jpg", 3<<20)
	out := laptop.must("send", photo, "--to", "desk", "--json")
	var sent struct{ Item mediaItem }
	if err := json.Unmarshal([]byte(out), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Item.SHA256 != sum || sent.Item.Size != 3<<20 {
		t.Errorf("sent %+v, want hash %s", sent.Item, sum)
	}

	items := desktop.media()
	if len(items) != 1 || items[0].Name != filepath.Base(photo) || items[0].SHA256 != sum {
		t.Fatalf("Desktop's library lists %+v", items)
	}
	resp, err := desktop.owner().Get("http://salita" + items[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the library serves other bytes than were sent")
	}
	onDisk, err := os.ReadFile(filepath.Join(desktop.library, filepath.Base(photo)))
	if err != nil || !bytes.Equal(onDisk, want) {
		t.Errorf("the file in the library folder differs: %v", err)
	}
}

func TestSendSaysPlainlyWhatIsWrong(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	photo, _ := randomFile(t, "a.jpg", 1000)
	desktop.stop()

	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such file", []string{"send", "nope.jpg", "--to", "Desktop"}, 1, "There is no file nope.jpg."},
		{"a folder", []string{"send", laptop.dir, "--to", "Desktop"}, 1, "is a folder"},
		{"no such device", []string{"send", photo, "--to", "Fridge"}, 1, "There is no device called"},
		{"no device named", []string{"send", photo}, 2, "--to DEVICE"},
		{"wrong flag", []string{"send", photo, "--tu", "Desktop"}, 2, "unknown flag"},
		{"device is off", []string{"send", photo, "--to", "Desktop"}, 4, "Desktop is offline. Make sure it's on and on the same network."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := laptop.cli("", tt.args...)
			if r.code != tt.code || !strings.Contains(r.err, tt.says) {
				t.Errorf("exit %d, want %d; said %q, want %q", r.code, tt.code, r.err, tt.says)
			}
		})
	}

	laptop.stop()
	if r := laptop.cli("", "send", photo, "--to", "Desktop"); r.code != 3 || !strings.Contains(r.err, "isn't running") {
		t.Errorf("without a gateway: exit %d, %q", r.code, r.err)
	}
}
