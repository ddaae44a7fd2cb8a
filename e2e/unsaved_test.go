package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPairingThatTheShowingSideCannotSave takes the database away before the
// number is typed. Both commands end at once, each with a sentence that says whose
// device it is, what to do, and a reference that finds the line in its own log.
func TestPairingThatTheShowingSideCannotSave(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	putBack := moveAway(t, desktop.database()...)
	window, opened, err := desktop.follow("pair", "--json")
	if err != nil {
		t.Fatal(err)
	}
	defer window.cancel()

	begin := time.Now()
	r := laptop.join(opened.Link, func() string {
		e, _ := window.next("claimed")
		return e.PIN
	})
	if took := time.Since(begin); took > patience {
		t.Errorf("the joining side heard after %v", took)
	}
	if r.code != 1 || !strings.Contains(r.err, "Desktop couldn't save the pairing.") || !strings.Contains(r.err, "Try: ") {
		t.Errorf("join: exit %d: %s%s", r.code, r.out, r.err)
	}
	referenceIn(t, r.err, laptop)
	failed, _ := window.next("failed")
	if !strings.Contains(failed.Error, "moved or deleted") {
		t.Errorf("the showing side said %+v", failed)
	}
	putBack()
	pairUp(t, desktop, laptop)
}

var reference = regexp.MustCompile(`Reference: ([2-9A-Z]{5})\n`)

// referenceIn finds the reference of a message in the gateway's log.
func referenceIn(t *testing.T, said string, g *gateway) {
	t.Helper()
	found := reference.FindStringSubmatch(said)
	if found == nil || !strings.Contains(g.log.String(), "reference="+found[1]) {
		t.Errorf("%q does not lead to a line in the log of %s", said, g.name)
	}
}
