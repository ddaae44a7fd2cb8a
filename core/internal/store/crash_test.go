package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// childEnv makes the test binary do one job in a folder instead of testing.
const childEnv = "SALITA_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	job := os.Getenv(childEnv)
	if job == "" {
		os.Exit(m.Run())
	}
	jobs := map[string]func(dir string) error{
		"open": childOpen,
		"pair": childPair,
		"hang": childHang,

		"import":  childImport,
		"restore": childRestore,
	}
	if err := jobs[job](os.Args[len(os.Args)-1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childOpen opens and closes, and says how that went.
func childOpen(dir string) error {
	s, err := Open(context.Background(), optionsIn(dir))
	if err != nil {
		fmt.Printf("%s|%s|%v\n", sdk.KindOf(err), sdk.AsError(err).Friendly(), err)
		return nil
	}
	fmt.Println("opened")
	return s.Close()
}

// childPair pairs the same device over and over; each round is recognisable in
// every table. It prints the number of each round that was acknowledged.
func childPair(dir string) error {
	s, err := Open(context.Background(), optionsIn(dir))
	if err != nil {
		return err
	}
	for round := lastRound(s) + 1; ; round++ {
		p, record := roundPairing(round)
		if _, err := s.CompletePairing(context.Background(), p, record); err != nil {
			return err
		}
		fmt.Println(round)
	}
}

// childHang leaves changes in the log beside the file and waits to be killed.
func childHang(dir string) error {
	s, err := Open(context.Background(), optionsIn(dir))
	if err != nil {
		return err
	}
	p, record := roundPairing(1)
	if _, err := s.CompletePairing(context.Background(), p, record); err != nil {
		return err
	}
	if err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)`).Error; err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

func lastRound(s *Store) int {
	var hostname string
	s.read.Raw(`SELECT hostname FROM mesh_nodes`).Scan(&hostname)
	round, _ := strconv.Atoi(hostname) // none yet is zero
	return round
}

func roundPairing(round int) (mesh.Pairing, *mesh.PairingRecord) {
	mark := strconv.Itoa(round)
	d := laptop(1)
	d.Hostname = mark
	p := pairingOf(d)
	p.Issued.Permissions = mesh.Grant{mesh.Permission("round:" + mark)}
	p.Peer.Token = mark
	return p, &mesh.PairingRecord{
		Code: "code", Role: mesh.RoleShowing, Secret: []byte(mark), Expires: noon.Add(time.Hour),
	}
}

func child(t *testing.T, job, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

// killLater runs the child, kills it a little after its first line and returns
// all its complete lines.
func killLater(t *testing.T, cmd *exec.Cmd, after time.Duration) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			break // what is left was cut off
		}
		must(t, err)
		if len(lines) == 0 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		lines = append(lines, line[:len(line)-1])
	}
	cmd.Wait() // reports the kill
	return lines
}

// TestKilledWhilePairing kills a process that pairs in a loop, again and again.
// Afterwards one round must be there in every table, none older than the last
// one acknowledged.
func TestKilledWhilePairing(t *testing.T) {
	const kills = 20
	dir := t.TempDir()
	for range kills {
		lines := killLater(t, child(t, "pair", dir), time.Duration(rand.IntN(30_000))*time.Microsecond)
		if len(lines) == 0 {
			t.Fatal("child acknowledged nothing")
		}
		acknowledged, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil {
			t.Fatalf("child failed: %s", lines[len(lines)-1])
		}
		checkRound(t, dir, acknowledged)
	}
}

func checkRound(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	s, err := Open(t.Context(), optionsIn(dir))
	must(t, err)
	defer s.Close()
	devices, err := s.Devices(t.Context())
	must(t, err)
	issued, err := s.IssuedTokens(t.Context())
	must(t, err)
	records, err := s.PairingRecords(t.Context(), mesh.RoleShowing)
	must(t, err)
	if len(devices) != 1 || len(issued) != 1 || len(records) != 1 {
		t.Fatalf("%d devices, %d issued tokens, %d records; want one each", len(devices), len(issued), len(records))
	}
	peer, err := s.PeerToken(t.Context(), devices[0].ID)
	must(t, err)
	mark := devices[0].Hostname
	got := []string{string(issued[0].Permissions[0]), peer.Token, string(records[0].Secret)}
	diff(t, []string{"round:" + mark, mark, mark}, got)
	if round, _ := strconv.Atoi(mark); round < acknowledged {
		t.Errorf("round %d is stored, %d was acknowledged", round, acknowledged)
	}
}

// TestKilledWhileOpening kills a process at any moment of its first start. The
// next start must find or make a whole database.
func TestKilledWhileOpening(t *testing.T) {
	for i := range 15 {
		dir := t.TempDir()
		cmd := child(t, "open", dir)
		must(t, cmd.Start())
		waitForFile(t, filepath.Join(dir, "salita.db"))
		time.Sleep(time.Duration(i) * 2 * time.Millisecond) // where it is then does not matter
		cmd.Process.Kill()
		cmd.Wait()
		s := openStore(t, optionsIn(dir))
		pair(t, s, pairingOf(laptop(1)))
		must(t, s.Close())
	}
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	for !exists(path) {
		select {
		case <-t.Context().Done():
			t.Fatal("the file never appeared")
		case <-time.After(time.Millisecond):
		}
	}
}
