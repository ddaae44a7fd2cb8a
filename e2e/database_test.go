package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// database lists the database's files: the file itself, its log and the log's
// index.
func (g *gateway) database() []string {
	file := filepath.Join(g.dir, "salita.db")
	return []string{file, file + "-wal", file + "-shm"}
}

// moveAway takes files away under a running gateway.
func moveAway(t *testing.T, files ...string) (putBack func()) {
	t.Helper()
	for _, file := range files {
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		for _, file := range files {
			if err := os.Rename(file+".away", file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// databaseTrouble is what can happen to the database of a running gateway.
var databaseTrouble = []struct {
	name  string
	words string // that every change is refused with
	begin func(t *testing.T, g *gateway) (end func())
}{
	{"deleted", "moved or deleted", func(t *testing.T, g *gateway) func() {
		return moveAway(t, g.database()...)
	}},
	{"deleted without its log", "moved or deleted", func(t *testing.T, g *gateway) func() {
		return moveAway(t, g.database()[0])
	}},
	{"replaced by a copy", "moved or deleted", func(t *testing.T, g *gateway) func() {
		putBack := moveAway(t, g.database()[0])
		copyFile(t, g.database()[0]+".away", g.database()[0])
		return putBack
	}},
	{"log deleted", "moved or deleted", func(t *testing.T, g *gateway) func() {
		return moveAway(t, g.database()[1:]...)
	}},
	{"disk full", "no space left", fillDisk},
}

// TestDatabaseTroubleWhileRunning takes the database away from a running
// gateway in several ways. Nothing may be called done that is not, what works
// without the database goes on, and once the trouble is over everything that
// was acknowledged is there, also after kill -9.
func TestDatabaseTroubleWhileRunning(t *testing.T) {
	for _, trouble := range databaseTrouble {
		t.Run(trouble.name, func(t *testing.T) {
			desktop, laptop := newGatewayOnDisk(t, "Desktop"), newGateway(t, "Laptop")
			pairUp(t, desktop, laptop)
			script := desktop.pairScript(t, "script")
			desktop.must("devices", "rename", "Laptop", "Notebook")

			end := trouble.begin(t, desktop)
			desktop.refusesChanges(t, trouble.words)
			if status, _, err := desktop.with(script.PeerNode.AccessToken, "GET", "/health", nil); err != nil || status != http.StatusUnauthorized {
				t.Errorf("a script whose access was ended: %d %v", status, err)
			}
			if out := desktop.must("devices", "--json"); !strings.Contains(out, "Notebook") {
				t.Errorf("devices are %s", out)
			}
			end()

			desktop.kill()
			desktop.start()
			if names := desktop.names(); !slices.Equal(names, []string{"Notebook", "script"}) {
				t.Errorf("after kill -9 devices are %q", names)
			}
			desktop.must("devices", "remove", "script")
			pairUp(t, desktop, laptop)
			desktop.kill()
			desktop.start()
			if status, _, _ := desktop.with(script.PeerNode.AccessToken, "GET", "/health", nil); status != http.StatusUnauthorized {
				t.Errorf("a removed script after kill -9: %d", status)
			}
			photo, _ := randomFile(t, "photo.jpg", 1<<20)
			laptop.must("send", photo, "--to", "Desktop")
			desktop.must("send", photo, "--to", "Notebook")
		})
	}
}

// refusesChanges tries everything that has to be stored.
func (g *gateway) refusesChanges(t *testing.T, words string) {
	t.Helper()
	plain := func(what string, r result, words string) {
		t.Helper()
		if r.code != 1 || !strings.Contains(r.err, words) || !strings.Contains(r.err, "Try: ") || !strings.Contains(r.err, "Reference: ") {
			t.Errorf("%s: exit %d: %s%s", what, r.code, r.out, r.err)
		}
	}
	plain("rename", g.cli("", "devices", "rename", "Notebook", "Other"), words)

	_, secret, _ := strings.Cut(strings.TrimSpace(g.must("open", "--print")), "#")
	resp, answer, err := g.post("/auth/session", map[string]any{"secret": secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plainAnswer(t, "sign in", resp, answer, words)

	w := g.startPairing(t)
	if resp, answer, err := g.post("/auth/pair/claim", claimBody(w, "iPhone", "browser"), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("claim: %v %s", err, answer)
	}
	resp, answer, err = g.post("/auth/pair/verify", verifyBody(w, g.number(t, w.Code), "iPhone", "browser"), nil)
	if err != nil {
		t.Fatal(err)
	}
	plainAnswer(t, "pair", resp, answer, words)

	plain("remove", g.cli("", "devices", "remove", "script"), "couldn't be saved yet")
}

// plainAnswer checks a refusal that gives nothing away.
func plainAnswer(t *testing.T, what string, resp *http.Response, answer []byte, words string) {
	t.Helper()
	var refusal struct{ Error, Code, Reference string }
	if err := json.Unmarshal(answer, &refusal); err != nil || resp.StatusCode < 500 ||
		!strings.Contains(refusal.Error, words) || refusal.Reference == "" || len(resp.Cookies()) > 0 {
		t.Errorf("%s: %s %s %v", what, resp.Status, answer, resp.Cookies())
	}
}

func (g *gateway) names() (names []string) {
	g.t.Helper()
	for _, d := range g.deviceList() {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

// TestDatabaseIsGoneAtTheNextStart deletes the database for good: the gateway
// starts anew, as the same device, and can be paired again.
func TestDatabaseIsGoneAtTheNextStart(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	for _, file := range desktop.database() {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if r := laptop.cli("", "devices"); r.code != 0 {
		t.Errorf("devices: exit %d: %s", r.code, r.err)
	}
	desktop.kill()
	const gone = "he list of your devices is gone"
	if log := desktop.log.String(); strings.Contains(log, gone) {
		t.Errorf("it said so before: %s", log)
	}
	desktop.start()
	if names := desktop.names(); len(names) != 0 {
		t.Errorf("devices are %q", names)
	}
	eventually(t, "the gateway says what is gone", func() error {
		log := desktop.log.String()
		if strings.Count(log, "[WARN]  salita: the list of devices is gone") != 1 || strings.Count(log, gone) != 1 {
			return fmt.Errorf("it said %s", log)
		}
		return nil
	})
	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	if r := laptop.cli("", "send", photo, "--to", "Desktop"); r.code != 5 {
		t.Errorf("send: exit %d, want 5 (needs re-pairing): %s", r.code, r.err)
	}
	pairUp(t, desktop, laptop)
	laptop.must("send", photo, "--to", "Desktop")
	desktop.must("send", photo, "--to", "Laptop")
	if names := laptop.names(); !slices.Equal(names, []string{"Desktop"}) {
		t.Errorf("devices are %q", names)
	}
}

// TestReadOnlyDatabase takes away the right to write. A file that is open
// already may go on being written; whatever is acknowledged has to be there
// later.
func TestReadOnlyDatabase(t *testing.T) {
	desktop := newGateway(t, "Desktop")
	desktop.pairScript(t, "script")
	chmod := func(folder, file os.FileMode) {
		t.Helper()
		if err := os.Chmod(desktop.dir, folder); err != nil {
			t.Fatal(err)
		}
		for _, f := range desktop.database() {
			if err := os.Chmod(f, file); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod(0o500, 0o400)
	want := "script"
	if r := desktop.cli("", "devices", "rename", "script", "backup"); r.code == 0 {
		want = "backup"
	} else if !strings.Contains(r.err, "can't save its data") || !strings.Contains(r.err, "Reference: ") {
		t.Errorf("rename: exit %d: %s%s", r.code, r.out, r.err)
	}
	desktop.kill()
	if err := desktop.tryStart(); err != nil && !strings.Contains(desktop.log.tail(1000), "Try: ") {
		t.Errorf("%v, and the last words are %s", err, desktop.log.tail(1000))
	}
	desktop.kill()
	chmod(0o700, 0o600)
	desktop.start()
	if names := desktop.names(); !slices.Equal(names, []string{want}) {
		t.Errorf("devices are %q, want %q", names, want)
	}
}

// damagedWords is what people read when the database is damaged.
const damagedWords = "Salita's data on this device is damaged."

// TestDamagedDatabase writes rubbish into the file of a running gateway. The
// gateway may notice at once or at the next start, but must not go on as if
// nothing were the matter, and a copy brings everything back.
func TestDamagedDatabase(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	id := desktop.deviceList()[0].ID
	desktop.stop()
	file := desktop.database()[0]
	kept := filepath.Join(t.TempDir(), "kept.db")
	copyFile(t, file, kept)
	desktop.start()

	damage(t, file)
	for _, args := range [][]string{{"devices"}, {"devices", "rename", id, "Notebook"}, {"devices", "remove", id}} {
		r := desktop.cli("", args...)
		const stopped = 3 // it may have noticed while it started
		if r.code != 0 && r.code != stopped && !strings.Contains(r.err, "Reference: ") {
			t.Errorf("%v: exit %d: %s%s", args, r.code, r.out, r.err)
		}
	}
	if err := desktop.get("/livez", new(map[string]any)); err != nil && !strings.Contains(desktop.log.tail(1000), damagedWords) {
		t.Errorf("the gateway stopped and does not say why: %v", err)
	}
	desktop.kill()
	if err := desktop.tryStart(); err == nil {
		t.Error("started with a damaged database")
	}
	desktop.kill()
	if log := desktop.log.tail(1000); !strings.Contains(log, damagedWords) || !strings.Contains(log, "Try: ") {
		t.Errorf("the last words are %s", log)
	}

	for _, file := range desktop.database() {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	copyFile(t, kept, file)
	desktop.start()
	if names := desktop.names(); !slices.Equal(names, []string{"Laptop"}) {
		t.Errorf("devices are %q", names)
	}
	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	desktop.must("send", photo, "--to", "Laptop")
}

// damage overwrites all pages but the first.
func damage(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	rubbish := []byte(strings.Repeat("\xa5", int(info.Size()-page)))
	if _, err := f.WriteAt(rubbish, page); err != nil {
		t.Fatal(err)
	}
}
