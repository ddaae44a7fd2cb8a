package discovery

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busConfig lets anybody on a private message bus do anything.
const busConfig = `<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>`

// avahi is a host that runs the Avahi daemon, another implementation of the
// same standards, with a message bus of its own.
type avahi struct {
	*host
	bus string
}

func (h *host) avahi() *avahi {
	h.t.Helper()
	for _, name := range []string{"dbus-daemon", "avahi-daemon", "avahi-browse", "avahi-publish", "avahi-resolve"} {
		if _, err := exec.LookPath(name); err != nil {
			h.t.Skip("Avahi is not installed (packages avahi-daemon and avahi-utils): nothing to compare with")
		}
	}
	dir, err := os.MkdirTemp("/tmp", "bus") // a socket's path must be short
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the daemon gives up root
		h.t.Fatal(err)
	}
	a := &avahi{host: h, bus: filepath.Join(dir, "bus")}
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, a.bus), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.start(h.command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address")).
		await("the message bus", func(line string) bool { return line != "" })
	settings := filepath.Join(dir, "avahi.conf")
	if err := os.WriteFile(settings, []byte("[server]\nhost-name=other\n[rlimits]\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	// A private /run, in the mount namespace that "ip netns exec" makes, keeps
	// daemons on several hosts apart.
	h.start(a.tool("sh", "-c", "mount -t tmpfs none /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "+settings))
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := a.tool("avahi-browse", "-at").CombinedOutput()
		if err == nil {
			return a
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("avahi-daemon does not run: %s", out)
		}
	}
}

func (a *avahi) tool(name string, args ...string) *exec.Cmd {
	cmd := a.command(name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+a.bus, "LC_ALL=C.UTF-8")
	return cmd
}

func TestAvahiFindsUs(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	other := l.host("10.7.0.9/24", "fd07::9/64").avahi()
	info := testInfo(1)
	p := l.host("10.7.0.1/24", "fd07::1/64").gateway(info)
	label := strings.TrimSuffix(info.Host, ".local")

	browse := other.start(other.tool("avahi-browse", "-rpk", "_salita._tcp"))
	heardBy := map[string]bool{}
	for range 2 { // once by IPv4 and once by IPv6, in no settled order
		line := browse.await("resolved", func(line string) bool { return strings.HasPrefix(line, "=;") })
		heardBy[strings.Split(line, ";")[2]] = true
		for _, want := range []string{";" + label + ";", ";" + info.Host + ";", ";7001;", `"txtvers=1"`, `"id=` + string(info.ID) + `"`} {
			if !strings.Contains(line, want) {
				t.Errorf("Avahi reads %s, without %s", line, want)
			}
		}
		if strings.Contains(line, "Device") || strings.Contains(line, "pair") {
			t.Errorf("Avahi reads %s: the name of a device that is not pairing", line)
		}
	}
	if !heardBy["IPv4"] || !heardBy["IPv6"] {
		t.Errorf("Avahi heard us by %v", heardBy)
	}
	for flag, want := range map[string]string{"-4": "10.7.0.1", "-6": "fd07::1"} {
		out, err := other.tool("avahi-resolve", flag, "-n", info.Host).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("avahi-resolve %s: %q, %v", flag, out, err)
		}
	}
	if out, err := other.tool("avahi-browse", "-bat").CombinedOutput(); err != nil {
		t.Errorf("browse all: %v: %s", err, out)
	}

	open := info
	open.Pairing, open.Name = true, "Anna’s NAS"
	p.announce(open)
	record := other.start(other.tool("avahi-browse", "-rpkt", "_salita._tcp"))
	record.await("the name while pairing", func(line string) bool {
		return strings.Contains(line, `"pair=1"`) && strings.Contains(line, "name=Anna")
	})

	p.end(syscall.SIGTERM)
	browse.await("goodbye", func(line string) bool { return strings.HasPrefix(line, "-;") })
}

func TestWeFindWhatAvahiPublishes(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	other := l.host("10.7.0.9/24", "fd07::9/64").avahi()
	p := l.host("10.7.0.1/24", "fd07::1/64").gateway(testInfo(1))

	text := []string{"txtvers=1", "id=" + string(testID(2))}
	published := other.start(other.tool("avahi-publish", append([]string{"-s", "Another gateway", "_salita._tcp", "7009"}, text...)...))
	p.sights("what Avahi published", testID(2), func(s Sighting) bool {
		return at("10.7.0.9:7009")(s) && at("[fd07::9]:7009")(s)
	})
	published.end(syscall.SIGTERM)
	p.sights("what Avahi withdrew", testID(2), Sighting.Gone)
}

// A name that Avahi has already is Avahi's; a name that Avahi wants and we have
// stays ours.
func TestAvahiAndWeAgreeOnNames(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	other := l.host("10.7.0.9/24").avahi()
	ours := l.host("10.7.0.1/24")
	watcher := l.host("10.7.0.2/24").gateway(testInfo(3))
	label := func(i Info) string { return strings.TrimSuffix(i.Host, ".local") }
	taken, wanted := testInfo(1), testInfo(2)

	publish := func(i Info) *process {
		return other.start(other.tool("avahi-publish", "-s", label(i), "_salita._tcp", "7009", "txtvers=1", "id="+string(testID(9))))
	}
	first := publish(taken)
	watcher.sights("Avahi's gateway", testID(9), at("10.7.0.9:7009"))
	p := ours.gateway(taken)
	watcher.sights("both", testID(1), at("10.7.0.1:7001"))
	other.start(other.tool("avahi-browse", "-rpkt", "_salita._tcp")).await("our other name", func(line string) bool {
		return strings.HasPrefix(line, "=;") && strings.Contains(line, ";"+label(taken)+"-2;")
	})
	first.end(syscall.SIGTERM)
	watcher.sights("Avahi's gateway gone", testID(9), Sighting.Gone)
	p.end(syscall.SIGTERM)
	watcher.sights("ours gone", testID(1), Sighting.Gone)

	ours.gateway(wanted)
	watcher.sights("our next gateway", testID(2), at("10.7.0.1:7002"))
	publish(wanted)
	s := watcher.sights("Avahi's gateway, under some other name", testID(9), at("10.7.0.9:7009"))
	other.start(other.tool("avahi-browse", "-rpkt", "_salita._tcp")).await("our name", func(line string) bool {
		return strings.HasPrefix(line, "=;") && strings.Contains(line, ";"+label(wanted)+";") && strings.Contains(line, ";10.7.0.1;")
	})
	if s.Pairing {
		t.Error("Avahi's gateway is pairing")
	}
}
