package identity

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// wallClock is a clock that jumps.
type wallClock struct{ now atomic.Pointer[time.Time] }

func newWallClock(now time.Time) *wallClock {
	c := &wallClock{}
	c.set(now)
	return c
}

func (c *wallClock) set(now time.Time) { c.now.Store(&now) }

func (c *wallClock) option(o *Options) { o.Now = func() time.Time { return *c.now.Load() } }

// TestEveryDateIsLegal walks the authority and both leaves over the dates at
// which encodings and calendars change.
func TestEveryDateIsLegal(t *testing.T) {
	for _, date := range []string{
		"1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2027-02-28T12:00:00Z", "2028-02-29T00:30:00Z",
		"2044-12-31T23:59:59Z", "2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z", "2100-03-01T00:00:00Z", "9990-01-01T00:00:00Z",
		"2026-11-03T10:20:30.999999999+14:00",
	} {
		now, err := time.Parse(time.RFC3339Nano, date)
		if err != nil {
			t.Fatal(err)
		}
		i, ca := withAuthority(t, t.TempDir(), clockAt(now))
		authority := i.authority.Load().certificate
		for what, c := range map[string]*x509.Certificate{
			"authority": authority, "for browsers": i.signed.Load().Leaf, "self-signed": i.certificate.Load().Leaf,
		} {
			lifetime := certificateLifetime
			if c.IsCA {
				lifetime = authorityLifetime
			}
			if !validAt(c, now) || !validAt(c, now.Add(-backdate)) || validAt(c, now.Add(lifetime)) {
				t.Errorf("%s: %s is valid from %v to %v", date, what, c.NotBefore, c.NotAfter)
			}
			if got := c.NotAfter.Sub(c.NotBefore) + time.Second; got != lifetime {
				t.Errorf("%s: %s is valid for %v, want %v", date, what, got, lifetime)
			}
		}
		_, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", now))
		if err := errors.Join(serverErr, clientErr); err != nil {
			t.Errorf("%s: %v", date, err)
		}
	}
}

// TestAuthorityOverTheYears follows one authority to its end and beyond.
func TestAuthorityOverTheYears(t *testing.T) {
	clock := newWallClock(start)
	i, ca := withAuthority(t, t.TempDir(), clock.option)
	leaf := func() *x509.Certificate { return i.signed.Load().Leaf }
	at := func(now time.Time) {
		t.Helper()
		clock.set(now)
		if err := i.RefreshCertificate(); err != nil {
			t.Fatal(err)
		}
	}
	trusts := func(want bool) {
		t.Helper()
		_, _, _, err := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", *clock.now.Load()))
		if (err == nil) != want {
			t.Errorf("at %v: %v, want trust %v", clock.now.Load(), err, want)
		}
	}
	first := leaf()
	at(start.Add(365 * day))
	if !leaf().Equal(first) {
		t.Error("renewed with 31 days left")
	}
	at(start.Add(368 * day))
	if leaf().Equal(first) {
		t.Error("not renewed with 29 days left")
	}
	trusts(true)

	at(ca.ValidUntil.Add(-200 * day))
	last := leaf()
	if !last.NotAfter.Equal(ca.ValidUntil) {
		t.Errorf("the last certificate ends at %v, the authority at %v", last.NotAfter, ca.ValidUntil)
	}
	if same, err := i.EnableCA(); err != nil || same.Fingerprint != ca.Fingerprint {
		t.Errorf("200 days before its end EnableCA = %v, %v", same.Fingerprint, err)
	}
	at(ca.ValidUntil.Add(-day))
	if !leaf().Equal(last) {
		t.Error("made one that ends at the same time")
	}
	trusts(true)

	clock.set(ca.ValidUntil.Add(time.Second))
	if i.inForce() {
		t.Error("the end of the authority is not noticed")
	}
	at(ca.ValidUntil.Add(day))
	if i.signed.Load() != nil {
		t.Error("an ended authority still counts")
	}
	_, c, _, err := handshake(t, i.ServerTLS(), browser("http/1.1"))
	if err != nil || !c.PeerCertificates[0].Equal(i.certificate.Load().Leaf) {
		t.Errorf("browsers do not get the self-signed certificate, %v", err)
	}
	old, key := ca, i.authority.Load().key
	if ca, err = i.EnableCA(); err != nil || ca.Fingerprint == old.Fingerprint || !i.authority.Load().key.Equal(key) {
		t.Errorf("afterwards EnableCA = %v, %v, want a new certificate of the same key", ca.Fingerprint, err)
	}
	trusts(true)
}

func TestAnEndingAuthorityIsReplacedWhenAskedFor(t *testing.T) {
	clock := newWallClock(start)
	i, old := withAuthority(t, t.TempDir(), clock.option)
	clock.set(old.ValidUntil.Add(-29 * day))
	ca, err := i.EnableCA()
	if err != nil || ca.Fingerprint == old.Fingerprint {
		t.Fatalf("EnableCA = %v, %v, want a new certificate", ca.Fingerprint, err)
	}
	_, c, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", *clock.now.Load()))
	if err := errors.Join(serverErr, clientErr); err != nil {
		t.Fatal(err)
	}
	if len(c.PeerCertificates) != 2 || !bytes.Equal(c.PeerCertificates[1].Raw, ca.DER) {
		t.Error("the chain does not end in the new certificate")
	}
}

// TestAClockThatIsBehind is a computer without a battery for its clock, which
// starts in the past until the network tells it the time.
func TestAClockThatIsBehind(t *testing.T) {
	dir := t.TempDir()
	first, ca := withAuthority(t, dir)
	first.Close()
	before := snapshot(t, dir)

	clock := newWallClock(start.Add(-10 * year))
	i := open(t, dir, clock.option)
	if got, ok := i.CACertificate(); !ok || got.Fingerprint != ca.Fingerprint {
		t.Errorf("CACertificate = %v, %v", got.Fingerprint, ok)
	}
	if i.signed.Load() != nil {
		t.Error("the authority counts before its time")
	}
	_, err := i.EnableCA()
	if e := sdk.AsError(err); err == nil || e.Kind != sdk.Conflict || e.Hint == "" || !strings.Contains(e.Friendly(), "clock") {
		t.Errorf("EnableCA = %v, want a conflict about the clock", err)
	}
	after := snapshot(t, dir)
	for _, file := range []string{authorityKeyFile, authorityFile, signedFile} {
		if before[file] != after[file] {
			t.Errorf("%s changed while the clock was wrong", file)
		}
	}

	clock.set(start.Add(time.Minute))
	if i.inForce() {
		t.Error("the jump is not noticed")
	}
	if err := i.RefreshCertificate(); err != nil {
		t.Fatal(err)
	}
	_, _, serverErr, clientErr := handshake(t, i.ServerTLS(), phone(t, ca, "localhost", start.Add(time.Minute)))
	if err := errors.Join(serverErr, clientErr); err != nil {
		t.Errorf("once the clock is right: %v", err)
	}
}

// TestRunNoticesAJumpOfTheClock shows it within a minute, in both directions.
func TestRunNoticesAJumpOfTheClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 3 * year, "backward": -30 * year, "a little forward": 398 * day} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				clock := newWallClock(start)
				opts := Options{Hosts: func() []string { return nil }}
				clock.option(&opts)
				i, err := Open(dir, opts)
				if err != nil {
					t.Fatal(err)
				}
				defer i.Close()
				if _, err := i.EnableCA(); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- i.Run(ctx) }()

				time.Sleep(10*time.Minute + time.Second)
				clock.set(start.Add(jump))
				if i.inForce() {
					t.Fatal("the jump is too small for this test")
				}
				time.Sleep(glanceEvery)
				synctest.Wait()
				if !i.inForce() {
					t.Error("a minute later the certificates do not suit the clock")
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

// TestACertificateThatCannotBeRenewedIsNoReasonNotToStart uses a year that no
// certificate can have.
func TestACertificateThatCannotBeRenewedIsNoReasonNotToStart(t *testing.T) {
	noDate := clockAt(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	dir := t.TempDir()
	first, _ := withAuthority(t, dir)
	first.Close()
	before := snapshot(t, dir)

	var log bytes.Buffer
	i := open(t, dir, noDate, logTo(&log))
	if !strings.Contains(log.String(), "certificate not renewed") {
		t.Errorf("the log does not say so: %s", &log)
	}
	if err := i.RefreshCertificate(); err == nil {
		t.Error("RefreshCertificate returned nil")
	}
	b := open(t, t.TempDir())
	pin := first.Key()
	if _, _, serverErr, clientErr := handshake(t, i.ServerTLS(), b.ClientTLS(&pin)); errors.Join(serverErr, clientErr) != nil {
		t.Errorf("a peer: %v, %v", serverErr, clientErr)
	}
	if after := snapshot(t, dir); after[certificateFile] != before[certificateFile] || after[authorityFile] != before[authorityFile] {
		t.Error("files changed")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "new"), func() Options {
		o := testOptions()
		noDate(&o)
		return o
	}()); err == nil {
		t.Error("a first start without a certificate succeeded")
	}
}

func logTo(log *bytes.Buffer) func(*Options) {
	return func(o *Options) {
		o.Log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace, DisableTime: true})
	}
}
