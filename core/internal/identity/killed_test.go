package identity

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// renewAuthority lets five years pass, so that the authority and both leaves are
// written anew.
func renewAuthority(dir string, _ int) error {
	opts := testOptions()
	now := start
	opts.Now = func() time.Time { return now }
	i, err := Open(dir, opts)
	if err != nil {
		return err
	}
	defer i.Close()
	if ca, ok := i.CACertificate(); ok {
		now = ca.ValidUntil.Add(time.Second)
	}
	_, err = i.EnableCA()
	return errors.Join(err, i.RefreshCertificate())
}

// TestKilledWhileRenewingTheAuthority kills it anywhere and finds, each time, the
// same device, the same authority's key, and an authority that is whole.
func TestKilledWhileRenewingTheAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "salita")
	var id, key string
	enabled := 0
	for round := range 25 {
		if round%5 == 0 {
			dir, id, key = filepath.Join(t.TempDir(), "salita"), "", ""
		}
		killed(t, "authority", dir, time.Duration(round)*1100*time.Microsecond)

		clock := newWallClock(start)
		i := open(t, dir, clock.option)
		if id != "" && string(i.ID()) != id {
			t.Fatalf("round %d: another device", round)
		}
		files := snapshot(t, dir)
		if key != "" && files[authorityKeyFile] != key {
			t.Fatalf("round %d: the authority's key changed", round)
		}
		id, key = string(i.ID()), files[authorityKeyFile]
		ca, ok := i.CACertificate()
		if _, found := files[authorityFile]; found != ok {
			t.Fatalf("round %d: there is an authority %v, it is whole %v", round, found, ok)
		}
		if ok {
			enabled++
			clock.set(ca.ValidUntil.Add(-time.Hour))
			if err := i.RefreshCertificate(); err != nil {
				t.Fatal(err)
			}
			_, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", *clock.now.Load()))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if enabled == 0 {
		t.Error("no round got as far as an authority")
	}
}
