package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// wrongPIN is a number that is certainly not pin.
func wrongPIN(pin string) string {
	if pin == "000000" {
		return "000001"
	}
	return "000000"
}

func TestWrongNumberThenRight(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	w, opened, err := desktop.openWindow()
	if err != nil {
		t.Fatal(err)
	}
	defer w.cancel()
	var pin string
	r := laptop.join(opened.Link, func() string {
		e, err := w.next("claimed")
		if err != nil {
			t.Error(err)
		}
		pin = e.PIN
		if e.Device.Name != "Laptop" || len(pin) != 6 {
			t.Errorf("claimed by %+v with number %q", e.Device, pin)
		}
		return wrongPIN(pin)
	})
	if r.code != 6 || !strings.Contains(r.out, "That's not the number on the screen.") {
		t.Fatalf("wrong number: exit %d, %s%s", r.code, r.out, r.err)
	}
	if len(desktop.deviceList())+len(laptop.deviceList()) != 0 {
		t.Fatal("a wrong number left something behind")
	}
	r = laptop.join(opened.Link, func() string { return pin[:3] + " " + pin[3:] })
	if r.code != 0 {
		t.Fatalf("right number: exit %d, %s%s", r.code, r.out, r.err)
	}
	if _, err := w.next("paired"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(desktop.log.String()+laptop.log.String(), pin) {
		t.Error("the number is in a log")
	}
}

func TestSixthAttemptIsRefused(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	w, opened, err := desktop.openWindow()
	if err != nil {
		t.Fatal(err)
	}
	defer w.cancel()
	var pin string
	for attempt := range 6 {
		number := func() string { return wrongPIN(pin) }
		if attempt == 0 {
			number = func() string { e, _ := w.next("claimed"); pin = e.PIN; return wrongPIN(pin) }
		}
		if attempt == 5 {
			number = func() string { return pin } // right, and too late
		}
		r := laptop.join(opened.Link, number)
		if r.code == 0 {
			t.Fatalf("attempt %d succeeded", attempt+1)
		}
		if attempt >= 4 && !strings.Contains(r.out, "For your safety, start again.") && !strings.Contains(r.out, "This code has expired") {
			t.Errorf("attempt %d said %s", attempt+1, r.out)
		}
	}
	if e, err := w.next("failed"); err == nil && e.Error != "For your safety, start again." {
		t.Errorf("the showing side said %q", e.Error)
	}
	if len(desktop.deviceList())+len(laptop.deviceList()) != 0 {
		t.Error("something was left behind")
	}
}

func TestExpiredWindow(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	desktop.stop()
	desktop.configure("pairing {\n  window = \"1s\"\n}\n")
	desktop.start()
	r := desktop.cli("", "pair", "--json")
	last := r.out[strings.LastIndex(strings.TrimSpace(r.out), "\n")+1:]
	var e event
	if err := json.Unmarshal([]byte(last), &e); err != nil || e.Event != "failed" || e.Error != "This code has expired. Show a new one." || r.code == 0 {
		t.Errorf("exit %d, last event %s", r.code, last)
	}
	var opened event
	if err := json.Unmarshal([]byte(strings.SplitN(r.out, "\n", 2)[0]), &opened); err != nil {
		t.Fatal(err)
	}
	if r := laptop.join(opened.Link, func() string { return "123456" }); r.code == 0 || !strings.Contains(r.out, "This code has expired. Show a new one.") {
		t.Errorf("joining an expired window: exit %d, %s", r.code, r.out)
	}
}

func TestNearbyByAddress(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	w, opened, err := desktop.openWindow()
	if err != nil {
		t.Fatal(err)
	}
	defer w.cancel()
	if opened.Address != desktop.address {
		t.Errorf("window says it is at %q", opened.Address)
	}
	r := laptop.join(desktop.address, func() string { e, _ := w.next("claimed"); return e.PIN })
	if r.code != 0 {
		t.Fatalf("exit %d, %s%s", r.code, r.out, r.err)
	}
}

func TestPairingThreeTimesLeavesOneDevice(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	for range 3 {
		pairUp(t, desktop, laptop)
	}
	pairUp(t, laptop, desktop)
	for _, g := range []*gateway{desktop, laptop} {
		var tokens []struct {
			NodeID string `json:"node_id"`
		}
		if err := g.get("/api/tokens", &tokens); err != nil {
			t.Fatal(err)
		}
		if len(g.deviceList()) != 1 || len(tokens) != 1 {
			t.Errorf("%s has %d devices and %d tokens", g.name, len(g.deviceList()), len(tokens))
		}
	}
	photo, _ := randomFile(t, "a.jpg", 1000)
	laptop.must("send", photo, "--to", "Desktop")
	desktop.must("send", photo, "--to", "Laptop")
}

func TestRemovedDeviceIsRefused(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	desktop.must("devices", "remove", "Laptop")
	if list := laptop.deviceList(); list[0].Status != "needs_repair" { // Desktop has said so
		t.Errorf("Laptop shows Desktop as %s", list[0].Status)
	}
	photo, _ := randomFile(t, "a.jpg", 1000)
	r := laptop.cli("", "send", photo, "--to", "Desktop")
	if r.code != 5 || !strings.Contains(r.err, "needs re-pairing") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	if list := laptop.deviceList(); list[0].Status != "needs_repair" {
		t.Errorf("Laptop shows Desktop as %s", list[0].Status)
	}
	pairUp(t, desktop, laptop)
	laptop.must("send", photo, "--to", "Desktop")
}

func TestWrongTargets(t *testing.T) {
	laptop := newGateway(t, "Laptop")
	for target, says := range map[string]string{
		"https://example.org/":           "",
		"not a link at all":              "",
		freeAddress(t):                   "offline",
		laptop.address:                   "",
		"http://" + laptop.address + "/": "",
	} {
		r := laptop.join(target, func() string { return "123456" })
		if r.code == 0 || !strings.Contains(r.out, `"failed"`) || !strings.Contains(r.out, says) {
			t.Errorf("join %q: exit %d, %s%s", target, r.code, r.out, r.err)
		}
		fmt.Fprintln(t.Output(), target, "→", strings.TrimSpace(r.out), strings.TrimSpace(r.err))
	}
}

func TestRepairKeepsNameAndID(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	desktop.must("devices", "rename", "Laptop", "Kitchen")
	before := desktop.deviceList()[0]
	laptop.must("devices", "remove", "Desktop")
	eventually(t, "Desktop sees that Kitchen needs re-pairing", func() error {
		if list := desktop.deviceList(); list[0].Status != "needs_repair" {
			return fmt.Errorf("it is %s", list[0].Status)
		}
		return nil
	})
	w, opened, err := desktop.follow("devices", "repair", "kitchen", "--json")
	if err != nil {
		t.Fatal(err)
	}
	defer w.cancel()
	r := laptop.join(opened.Link, func() string { e, _ := w.next("claimed"); return e.PIN })
	if r.code != 0 {
		t.Fatalf("exit %d, %s%s", r.code, r.out, r.err)
	}
	after := desktop.deviceList()
	if len(after) != 1 || after[0].ID != before.ID || after[0].Name != "Kitchen" || after[0].Status != "available" {
		t.Errorf("after re-pairing: %+v", after)
	}
	photo, _ := randomFile(t, "a.jpg", 1000)
	desktop.must("send", photo, "--to", "Kitchen")
}
