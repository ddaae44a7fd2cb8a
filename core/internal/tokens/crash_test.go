package tokens

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

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/store"
)

// childEnv makes the test binary issue and revoke in a loop instead of testing.
const childEnv = "SALITA_TOKENS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("failed", issueAndRevoke(os.Args[len(os.Args)-1]))
	os.Exit(1)
}

// openSealer stands in for sealing; these tests give no token to be sealed.
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

// pairScript gives a new device a token, as a pairing does.
func pairScript(ctx context.Context, st *store.Store, s *Service) (mesh.DeviceID, string, error) {
	id := mesh.NewDeviceID()
	secret, token := s.Issue(id, mesh.KeyHash{}, mesh.Grant{"*"})
	_, err := st.CompletePairing(ctx, mesh.Pairing{
		Device: mesh.Device{ID: id, Name: "Script", Kind: mesh.KindScript, PairedAt: time.Now()},
		Issued: token,
	}, nil)
	if err != nil {
		return id, "", err
	}
	s.Publish(token)
	return id, secret, nil
}

// issueAndRevoke prints what it is about to do and what is acknowledged.
func issueAndRevoke(dir string) error {
	ctx := context.Background()
	st, s, err := openAll(ctx, dir)
	if err != nil {
		return err
	}
	go s.Run(ctx)
	type holder struct {
		id     mesh.DeviceID
		secret string
	}
	var holders []holder
	for {
		id, secret, err := pairScript(ctx, st, s)
		if err != nil {
			return err
		}
		fmt.Println("issued", secret)
		holders = append(holders, holder{id, secret})
		if err := verify(s, []byte(secret), mesh.KeyHash{}); err != nil {
			return err
		}
		if len(holders) < 3 {
			continue
		}
		oldest := holders[0]
		holders = holders[1:]
		fmt.Println("revoking", oldest.secret)
		if err := s.Revoke(ctx, oldest.id); err != nil {
			return err
		}
		if err := verify(s, []byte(oldest.secret), mesh.KeyHash{}); !errors.Is(err, ErrRevoked) {
			return fmt.Errorf("accepted after its revocation: %v", err)
		}
		fmt.Println("revoked", oldest.secret)
	}
}

// TestKilledWhileIssuingAndRevoking kills a process that does both in a loop,
// again and again. Whatever it acknowledged must hold afterwards.
func TestKilledWhileIssuingAndRevoking(t *testing.T) {
	const kills = 20
	dir := t.TempDir()
	state := map[string]string{} // token to the last thing said about it
	for range kills {
		for _, line := range runAndKill(t, dir) {
			word, token, _ := strings.Cut(line, " ")
			if word == "failed" {
				t.Fatal(line)
			}
			state[token] = word
		}
		checkAcknowledged(t, dir, state)
	}
	t.Logf("%d tokens acknowledged, all as they should be", len(state))
}

func checkAcknowledged(t *testing.T, dir string, state map[string]string) {
	t.Helper()
	st, s, err := openAll(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for token, word := range state {
		err := verify(s, []byte(token), mesh.KeyHash{})
		switch {
		case word == "issued" && err != nil:
			t.Errorf("an acknowledged token is lost: %v", err)
		case word == "revoked" && !errors.Is(err, ErrRevoked):
			t.Errorf("an acknowledged revocation is lost: %v", err)
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

// TestWithTheRealStore takes a token through its life on a real database.
func TestWithTheRealStore(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	open := func() (*store.Store, *Service) {
		t.Helper()
		st, s, err := openAll(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		s.table.Now = c.Now
		return st, s
	}
	st, s := open()
	id, text, err := pairScript(t.Context(), st, s)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(text)

	c.advance(lifetime - day)
	renewed, err := s.Verify(secret, noKey)
	if err != nil || !renewed.Renewed {
		t.Fatalf("renewed %v, %v", renewed.Renewed, err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(stopped); err != nil {
		t.Fatal(err)
	}
	used := bearer.Instant(c.Now())
	st.Close()

	st, s = open()
	c.advance(2 * day) // past the first expiry
	list := s.List()
	if len(list) != 1 || !list[0].ExpiresAt.Equal(renewed.ExpiresAt) || !list[0].LastUsedAt.Equal(used) {
		t.Errorf("list = %+v, want expiry %v and last use %v", list, renewed.ExpiresAt, used)
	}
	if err := verify(s, secret, noKey); err != nil {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	st.Close()

	st, s = open()
	defer st.Close()
	if err := verify(s, secret, noKey); !errors.Is(err, ErrRevoked) {
		t.Errorf("after a restart: %v", err)
	}
}
