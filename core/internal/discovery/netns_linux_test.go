package discovery

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// patience bounds how long a test waits for what must come; how long it took
// never decides.
const patience = 30 * time.Second

// gatewayEnv makes the test's own program a gateway, to be started in another
// network namespace.
const gatewayEnv = "SALITA_TEST_DISCOVERY"

func TestMain(m *testing.M) {
	if self := os.Getenv(gatewayEnv); self != "" {
		os.Exit(beGateway(self))
	}
	os.Exit(m.Run())
}

// beGateway announces what the JSON says and prints each sighting on a line. A
// line of JSON on the input replaces what is announced.
func beGateway(self string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var info atomic.Pointer[Info]
	set := func(text string) {
		var i Info
		if err := json.Unmarshal([]byte(text), &i); err != nil {
			panic(err)
		}
		info.Store(&i)
	}
	set(self)
	out := json.NewEncoder(os.Stdout)
	s := New(Options{
		Self: func() Info { return *info.Load() },
		Seen: func(s Sighting) { _ = out.Encode(s) },
		Now:  time.Now,
		Log:  hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Debug}),
	})
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			set(lines.Text())
			s.Refresh()
		}
	}()
	if err := s.Run(ctx); err != nil {
		return 1
	}
	return 0
}

// lan is an Ethernet switch in a network namespace of its own, to which hosts
// are plugged that have one each.
type lan struct {
	t      *testing.T
	prefix string
	hosts  int
}

var lans atomic.Int32

func newLAN(t *testing.T) *lan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root only")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip command (iproute2) to make network namespaces with")
	}
	l := &lan{t: t, prefix: fmt.Sprintf("sal%dx%d", os.Getpid(), lans.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", l.prefix).CombinedOutput(); err != nil {
		t.Skipf("this system lets nobody make network namespaces: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.prefix).Run() })
	l.ip("-n", l.prefix, "link", "add", "switch", "type", "bridge", "mcast_snooping", "0")
	l.ip("-n", l.prefix, "link", "set", "switch", "up")
	return l
}

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// host is a machine with one or more network cards.
type host struct {
	*lan
	name string
}

func (l *lan) host(addresses ...string) *host {
	l.t.Helper()
	l.hosts++
	h := &host{lan: l, name: fmt.Sprintf("%sh%d", l.prefix, l.hosts)}
	l.ip("netns", "add", h.name)
	l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.name).Run() })
	// The namespace has IPv6 only where the kernel has; there is nothing to wait for.
	_ = exec.Command("ip", "netns", "exec", h.name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0").Run()
	l.ip("-n", h.name, "link", "set", "lo", "up")
	h.plug(l, "eth0", addresses...)
	return h
}

// plug adds a card with the addresses and connects it to the switch.
func (h *host) plug(l *lan, card string, addresses ...string) {
	h.t.Helper()
	port := fmt.Sprintf("p%s%s", h.name[len(h.prefix):], card)
	h.ip("link", "add", card, "netns", h.name, "type", "veth", "peer", "name", port, "netns", l.prefix)
	h.ip("-n", l.prefix, "link", "set", port, "master", "switch", "up")
	for _, a := range addresses {
		h.address("add", card, a)
	}
	h.ip("-n", h.name, "link", "set", card, "up")
}

func (h *host) address(verb, card, prefix string) {
	h.t.Helper()
	args := []string{"-n", h.name, "address", verb, prefix, "dev", card}
	if verb == "add" && strings.Contains(prefix, ":") {
		args = append(args, "nodad")
	}
	h.ip(args...)
}

// command is a command to be run on the host.
func (h *host) command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", slices.Concat([]string{"netns", "exec", h.name, name}, args)...)
}

// process is a program that runs on a host and whose lines are read.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.WriteCloser
	lines chan string
	ended sync.Once
}

func (h *host) start(cmd *exec.Cmd) *process {
	h.t.Helper()
	p := &process{t: h.t, cmd: cmd, lines: make(chan string, 10_000)}
	input, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	p.input = input
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(output); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	h.t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if h.t.Failed() {
			h.t.Logf("%s %v wrote:\n%s", h.name, cmd.Args[4:], log)
		}
	})
	return p
}

// end stops the program and waits for it.
func (p *process) end(by os.Signal) {
	p.ended.Do(func() {
		_ = p.cmd.Process.Signal(by)
		for range p.lines {
		}
		_ = p.cmd.Wait()
	})
}

// await returns the first line from here on that is wanted.
func (p *process) await(what string, wanted func(line string) bool) string {
	p.t.Helper()
	late := time.After(patience)
	var seen []string
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s: the program ended; it wrote:\n%s", what, strings.Join(seen, "\n"))
			}
			if wanted(line) {
				return line
			}
			seen = append(seen, line)
		case <-late:
			p.t.Fatalf("%s: not within %v; it wrote:\n%s", what, patience, strings.Join(seen, "\n"))
		}
	}
}

// gateway starts a gateway on the host.
func (h *host) gateway(info Info) *process {
	h.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := h.command(exe)
	cmd.Env = append(os.Environ(), gatewayEnv+"="+toJSON(info))
	return h.start(cmd)
}

func (p *process) announce(info Info) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.input, toJSON(info)); err != nil {
		p.t.Fatal(err)
	}
}

// sights waits for a sighting of the device that is as wanted.
func (p *process) sights(what string, id mesh.DeviceID, wanted func(Sighting) bool) Sighting {
	p.t.Helper()
	var s Sighting
	p.await(what, func(line string) bool {
		s = Sighting{}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			p.t.Fatalf("line %q: %v", line, err)
		}
		return s.ID == id && wanted(s)
	})
	return s
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func at(address string) func(Sighting) bool {
	return func(s Sighting) bool { return slices.Contains(s.Addresses, netip.MustParseAddrPort(address)) }
}
