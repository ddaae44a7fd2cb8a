package sessions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/store"
)

// childEnv makes the test binary sign in and out in a loop instead of testing.
const childEnv = "SALITA_SESSIONS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("failed", signInAndOut(os.Args[len(os.Args)-1]))
	os.Exit(1)
}

// openSealer stands in for sealing; these tests store nothing that is sealed.
type openSealer struct{}

func (openSealer) Seal(plaintext, _ []byte) ([]byte, error) { return plaintext, nil }
func (openSealer) Open(sealed, _ []byte) ([]byte, error)    { return sealed, nil }

// openAll opens a real store and a Service over it.
func openAll(ctx context.Context, dir string) (*store.Store, *Service, error) {
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "salita.db"), Sealer: openSealer{}})
	if err != nil {
		return nil, nil, err
	}
	s, err := New(ctx, st, policy, hclog.NewNullLogger(), time.Now)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, s, nil
}

// pairPhone pairs a new phone, which signs it in.
func pairPhone(ctx context.Context, st *store.Store, s *Service) (mesh.DeviceID, string, error) {
	id := mesh.NewDeviceID()
	secret, session := s.Issue(id, mesh.Grant{"*"}, "Phone")
	_, hash := mesh.NewToken()
	_, err := st.CompletePairing(ctx, mesh.Pairing{
		Device:  mesh.Device{ID: id, Name: "Phone", Kind: mesh.KindBrowser, PairedAt: time.Now()},
		Issued:  mesh.IssuedToken{Hash: hash, DeviceID: id, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)},
		Session: &session,
	}, nil)
	if err != nil {
		return id, "", err
	}
	s.Publish(session)
	return id, secret, nil
}

// browser is one that is signed in, and how to end that.
type browser struct {
	secret string
	end    func() error
}

// signInAndOut prints what it is about to do and what is acknowledged.
func signInAndOut(dir string) error {
	ctx := context.Background()
	st, s, err := openAll(ctx, dir)
	if err != nil {
		return err
	}
	go s.Run(ctx)
	var browsers []browser
	for n := 0; ; n++ {
		b, err := signInOne(ctx, st, s, n%2 == 0)
		if err != nil {
			return err
		}
		fmt.Println("in", b.secret)
		browsers = append(browsers, b)
		if len(browsers) < 4 {
			continue
		}
		oldest := browsers[0]
		browsers = browsers[1:]
		fmt.Println("leaving", oldest.secret)
		if err := oldest.end(); err != nil {
			return err
		}
		if _, err := s.Verify([]byte(oldest.secret)); err == nil {
			return errors.New("accepted after it was removed")
		}
		fmt.Println("out", oldest.secret)
	}
}

func signInOne(ctx context.Context, st *store.Store, s *Service, owner bool) (browser, error) {
	if !owner {
		id, secret, err := pairPhone(ctx, st, s)
		return browser{secret, func() error { return s.RemoveDevice(ctx, id) }}, err
	}
	link, _ := s.MintLink()
	secret, session, err := s.Redeem(ctx, link, "Firefox")
	return browser{secret, func() error { return s.Remove(ctx, session.ID) }}, err
}

// TestKilledWhileSigningInAndOut kills a process that does both in a loop, again
// and again. Whatever it acknowledged must hold afterwards.
func TestKilledWhileSigningInAndOut(t *testing.T) {
	const kills = 15
	dir := t.TempDir()
	state := map[string]string{} // secret to the last thing said about it
	for range kills {
		for _, line := range runAndKill(t, dir) {
			word, secret, _ := strings.Cut(line, " ")
			if word == "failed" {
				t.Fatal(line)
			}
			state[secret] = word
		}
		checkAcknowledged(t, dir, state)
	}
	t.Logf("%d sessions acknowledged, all as they should be", len(state))
}

func checkAcknowledged(t *testing.T, dir string, state map[string]string) {
	t.Helper()
	st, s, err := openAll(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for secret, word := range state {
		_, err := s.Verify([]byte(secret))
		switch {
		case word == "in" && err != nil:
			t.Errorf("an acknowledged session is lost: %v", err)
		case word == "out" && err == nil:
			t.Error("an acknowledged removal is lost")
		}
	}
}

// runAndKill returns the complete lines that a child printed until it was
// killed.
func runAndKill(t *testing.T, dir string) (lines []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			break // what is left was cut off
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(250_000))*time.Microsecond, func() { cmd.Process.Kill() })
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	cmd.Wait() // reports the kill
	return lines
}

// TestWithTheRealStore takes sessions through their life on a real database.
func TestWithTheRealStore(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	open := func() (*store.Store, *Service) {
		t.Helper()
		st, s, err := openAll(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		s.table.Now = func() time.Time { return now }
		return st, s
	}
	flush := func(s *Service) {
		t.Helper()
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(stopped); err != nil {
			t.Fatal(err)
		}
	}
	st, s := open()
	owner, _ := signIn(t, s)
	id, phone, err := pairPhone(t.Context(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetManage(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lifetime - day)
	if !opens(t, s, owner, nil).Renewed {
		t.Error("not renewed with a day left")
	}
	flush(s)
	st.Close()

	st, s = open()
	now = now.Add(2 * day) // past the first expiry, which was the phone's too
	opens(t, s, owner, nil)
	opens(t, s, []byte(phone), ErrExpired)
	id, phone, err = pairPhone(t.Context(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.RemoveDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	st.Close()

	st, s = open()
	defer st.Close()
	opens(t, s, []byte(phone), ErrUnknown) // it went with its device
	list := s.List()
	if len(list) == 0 || list[0].Kind != mesh.SessionOwner || list[0].LastUsedAt.IsZero() {
		t.Errorf("list = %+v", list)
	}
}
