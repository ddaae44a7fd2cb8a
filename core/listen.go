package core

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/salita-mesh/salita/sdk"
)

// cannotListen says why an address cannot be had. What it suggests keeps the
// host: another one might open the gateway to more people than its owner meant.
func cannotListen(address string, cause error) error {
	e := &sdk.Error{Kind: sdk.Conflict, Message: fmt.Sprintf("Salita can't listen on %s.", address), Cause: cause}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return e
	}
	another := "another port: salita serve --address " + net.JoinHostPort(host, nextPort(port))
	var unknown *net.DNSError
	switch {
	case errors.Is(cause, syscall.EADDRINUSE):
		e.Message = fmt.Sprintf("Salita can't listen on %s: another program does already.", address)
		e.Hint = another
	case errors.Is(cause, syscall.EADDRNOTAVAIL), errors.As(cause, &unknown):
		e.Kind, e.Message = sdk.Invalid, fmt.Sprintf("Salita can't listen on %s: %s isn't an address of this device.", address, host)
		e.Hint = "an address that this device has, with --address or in config.hcl"
	case errors.Is(cause, syscall.EACCES):
		e.Kind, e.Message = sdk.Forbidden, fmt.Sprintf("Salita may not listen on %s.", address)
		e.Hint = "a port from 1024 on: salita serve --address " + net.JoinHostPort(host, "6969")
	default:
		e.Hint = another
	}
	return e
}

// nextPort is another port to try: the next one, and the usual one's next for
// what is no number.
func nextPort(port string) string {
	const usual = 6969
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n < 1024 || n == 65535 {
		n = usual
	}
	return strconv.FormatUint(n+1, 10)
}
