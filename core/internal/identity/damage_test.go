package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

func pemOf(t *testing.T, kind string, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestDamageIsNamedAndLeftAlone damages one file after a first start.
func TestDamageIsNamedAndLeftAlone(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := pemOf(t, "PRIVATE KEY", p256(t))
	tests := map[string]struct {
		file, content string
		names         []string // files the sentence must name
	}{
		"key empty":           {keyFile, "", []string{keyFile}},
		"key cut":             {keyFile, good[:len(good)/2], []string{keyFile}},
		"key noise":           {keyFile, "\x00\xff\x00", []string{keyFile}},
		"key twice":           {keyFile, good + good, []string{keyFile}},
		"key of another type": {keyFile, pemOf(t, "PRIVATE KEY", rsaKey), []string{keyFile}},
		"key on other curve":  {keyFile, pemOf(t, "PRIVATE KEY", p384), []string{keyFile}},
		"key wrong label":     {keyFile, pemOf(t, "EC PRIVATE KEY", p384), []string{keyFile}},
		"key not DER":         {keyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", []string{keyFile}},
		"key too large":       {keyFile, strings.Repeat("\n", maxFile) + good, []string{keyFile}},
		"another key":         {keyFile, good, []string{keyFile, recordFile}},
		"record empty":        {recordFile, "", []string{recordFile}},
		"record cut":          {recordFile, `{"id": "abc`, []string{recordFile}},
		"record null":         {recordFile, `null`, []string{recordFile}},
		"record without id":   {recordFile, `{"name": "Study"}`, []string{recordFile}},
		"record wrong type":   {recordFile, `{"id": 7}`, []string{recordFile}},
		"record bad date":     {recordFile, `{"id": "abcdefghijklmnopqrstuvwxyz", "created_at": "yesterday"}`, []string{recordFile}},
		"another id":          {recordFile, `{"id": "abcdefghijklmnopqrstuvwxyz", "name": "Study"}`, []string{keyFile, recordFile}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			once(t, dir)
			write(t, filepath.Join(dir, tt.file), tt.content)
			before := snapshot(t, dir)
			_, err := Open(dir, testOptions())
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != sdk.Invalid || e.Hint == "" {
				t.Fatalf("Open = %v, want an invalid *sdk.Error with a hint", err)
			}
			for _, file := range tt.names {
				if !strings.Contains(e.Friendly(), filepath.Join(dir, file)) {
					t.Errorf("%q does not name %s", e.Friendly(), file)
				}
			}
			if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
				t.Errorf("files changed:\n%s", diff)
			}
		})
	}
}

func TestALostKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	once(t, dir)
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	_, err := Open(dir, testOptions())
	e := sdk.AsError(err)
	if e == nil || !strings.Contains(e.Friendly(), keyFile) || !strings.Contains(e.Friendly(), recordFile) {
		t.Errorf("Open = %v, want an error that names both files", err)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestNoErrorQuotesTheKey(t *testing.T) {
	good := pemOf(t, "PRIVATE KEY", p256(t))
	for cut := range len(good) {
		if _, err := parseKey([]byte(good[:cut] + "?" + good[cut:])); err != nil && len(err.Error()) > 60 {
			t.Fatalf("error of %d bytes, may quote the key: %v", len(err.Error()), err)
		}
	}
}

func TestAPipeInAFilesPlaceDoesNotBlock(t *testing.T) {
	for _, file := range []string{keyFile, recordFile, certificateFile} {
		dir := t.TempDir()
		if out, err := exec.Command("mkfifo", filepath.Join(dir, file)).CombinedOutput(); err != nil {
			t.Skipf("this system makes no named pipes: %v %s", err, out)
		}
		if _, err := Open(dir, testOptions()); err == nil {
			t.Errorf("%s may be a pipe", file)
		}
	}
}

// TestInterruptedFirstStart puts the folder into each state that a crash during
// the first start can leave, and starts again.
func TestInterruptedFirstStart(t *testing.T) {
	reference := t.TempDir()
	want := once(t, reference)
	files := snapshot(t, reference)
	tests := map[string][]string{
		"lock only":               {lockFile},
		"key":                     {lockFile, keyFile},
		"key, unfinished record":  {lockFile, keyFile, temporaryPrefix + "1"},
		"key and record":          {lockFile, keyFile, recordFile},
		"unfinished certificate":  {lockFile, keyFile, recordFile, temporaryPrefix + "2"},
		"all, temporary name too": {lockFile, keyFile, recordFile, certificateFile, temporaryPrefix + "3"},
	}
	for name, present := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range present {
				write(t, filepath.Join(dir, file), files[file])
			}
			got := once(t, dir)
			if hasKey := len(present) > 1; hasKey && got.Key() != want.Key() {
				t.Error("the key on disk was not used")
			}
			after := snapshot(t, dir)
			if len(after) != len(files) {
				t.Errorf("files after the start: %d, want %d: %v", len(after), len(files), after)
			}
		})
	}
}

const (
	killedFolder = "SALITA_TEST_KILLED_FOLDER"
	killedAt     = "SALITA_TEST_KILLED_AT" // what it is doing: "start" or "authority"
)

// TestMain turns the test binary into a gateway that is about to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(killedFolder)
	if dir == "" {
		os.Exit(m.Run())
	}
	work := startAgain
	if os.Getenv(killedAt) == "authority" {
		work = renewAuthority
	}
	fmt.Println("starting")
	for n := 0; ; n++ {
		if err := work(dir, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func startAgain(dir string, n int) error {
	i, err := Open(dir, Options{})
	if err == nil {
		err = i.Rename(fmt.Sprintf("Name %d", n))
	}
	if err == nil {
		err = i.Close()
	}
	return err
}

// killed runs the test binary doing work on the folder, and kills it after a
// while.
func killed(t *testing.T, work, dir string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedFolder+"="+dir, killedAt+"="+work)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// Any moment is as good as another; the spread is what matters.
	time.Sleep(after)
	cmd.Process.Kill()
	cmd.Wait()
	if complaint.Len() > 0 {
		t.Fatalf("killed after %v: %s", after, &complaint)
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "salita")
	var id string
	for round := range 25 {
		if round%5 == 0 {
			dir, id = filepath.Join(t.TempDir(), "salita"), ""
		}
		killed(t, "start", dir, time.Duration(round)*700*time.Microsecond)
		i := once(t, dir, func(o *Options) { o.Name = "" })
		if id != "" && string(i.ID()) != id {
			t.Fatalf("round %d: id %s, before the kill %s", round, i.ID(), id)
		}
		id = string(i.ID())
	}
}

func TestEarlierSalitaGetsAKeyAndKeepsItsName(t *testing.T) {
	const id = "0192f1c4-7a3e-7cc1-9b1e-3a5f00c0ffee"
	tests := map[string]struct {
		file    string
		created time.Time
	}{
		"as documented": {`{"id":"` + id + `","name":"Old Desktop","created_at":"2024-05-06T07:08:09Z"}`, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)},
		"odd date":      {`{"id":"` + id + `","name":"Old Desktop","created_at":"2024-05-06 07:08:09"}`, start},
		"no date":       {`{"id":"` + id + `","name":"Old Desktop"}`, start},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, recordFile), tt.file)
			i := once(t, dir, func(o *Options) { o.Name = "" })
			if i.ID() != i.Key().DeviceID() || i.Name() != "Old Desktop" || !i.CreatedAt().Equal(tt.created) {
				t.Errorf("upgraded to %q %q %v", i.ID(), i.Name(), i.CreatedAt())
			}
			if got := snapshot(t, dir)["backups/node_identity-"+id+".json"]; got != tt.file {
				t.Errorf("copy kept = %q, want the earlier file", got)
			}
			again := once(t, dir, func(o *Options) { o.Name = "" })
			if again.ID() != i.ID() {
				t.Error("the next start is another device")
			}
			// A crash between writing the key and the record.
			write(t, filepath.Join(dir, recordFile), tt.file)
			if again := once(t, dir, func(o *Options) { o.Name = "" }); again.ID() != i.ID() {
				t.Error("the key was not used after a crash in the upgrade")
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"id":"abc","name":"x","created_at":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"id":"0192f1c4-7a3e-7cc1-9b1e-3a5f00c0ffee","created_at":7}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err == nil && r.ID == "" {
			t.Error("a record without an id was accepted")
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := parseKey(data)
		if err != nil {
			return
		}
		if _, err := encodeKey(key); err != nil {
			t.Errorf("a key that cannot be written was accepted: %v", err)
		}
	})
}
