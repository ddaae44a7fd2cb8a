package core

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

func TestCannotListenNeverWidens(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ln, inUse := net.Listen("tcp", taken.Addr().String())
	if inUse == nil {
		ln.Close()
		t.Fatal("the address can be had twice")
	}
	for _, tt := range []struct {
		address    string
		cause      error
		kind       sdk.Kind
		says, hint string
	}{
		{taken.Addr().String(), inUse, sdk.Conflict, "another program", "--address 127.0.0.1:"},
		{"203.0.113.7:6969", &net.OpError{Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}, sdk.Invalid, "203.0.113.7 isn't an address of this device", "an address that this device has"},
		{"no-such-host.invalid:6969", &net.OpError{Err: &net.DNSError{IsNotFound: true}}, sdk.Invalid, "isn't an address of this device", "an address that this device has"},
		{"[::1]:80", &net.OpError{Err: os.NewSyscallError("bind", syscall.EACCES)}, sdk.Forbidden, "may not listen", "--address [::1]:6969"},
	} {
		e := sdk.AsError(cannotListen(tt.address, tt.cause))
		if e.Kind != tt.kind || !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Hint, tt.hint) || e.Cause == nil {
			t.Errorf("%s: %v, hint %q", tt.address, e, e.Hint)
		}
	}
}

func TestNextPort(t *testing.T) {
	for port, want := range map[string]string{"7001": "7002", "6969": "6970", "80": "6970", "65535": "6970", "0": "6970", "https": "6970"} {
		if got := nextPort(port); got != want {
			t.Errorf("after %s comes %s, want %s", port, got, want)
		}
	}
}
