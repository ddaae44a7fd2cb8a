package pairing

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	codeBytes   = 16
	maxVersion  = 32
	maxHost     = 253 // RFC 1035, section 2.3.4, in its text form
	defaultPort = 6969
)

// codes spells the codes of windows: 26 lower-case letters and digits.
var codes = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// parseCode reads the canonical spelling of a code.
func parseCode(s string) ([]byte, error) {
	if len(s) != codes.EncodedLen(codeBytes) {
		return nil, fmt.Errorf("code: want %d characters, got %d", codes.EncodedLen(codeBytes), len(s))
	}
	b, err := codes.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("code: %w", err)
	}
	if codes.EncodeToString(b) != s {
		return nil, errors.New("code: not canonical")
	}
	return b, nil
}

func checkCode(s string) error {
	_, err := parseCode(s)
	return err
}

// checkVersion bounds the version only: an unknown one is to be answered as
// such.
func checkVersion(v string) error {
	if v == "" || len(v) > maxVersion {
		return fmt.Errorf("version of %d bytes", len(v))
	}
	return nil
}

func checkMode(mode Mode, code string) error {
	switch mode {
	case ModeLink:
		return checkCode(code)
	case ModeNearby:
		if code != "" {
			return errors.New("code in mode nearby")
		}
		return nil
	}
	return errors.New("unknown mode")
}

func checkSize(field string, value []byte, want int) error {
	if len(value) != want {
		return fmt.Errorf("%s: want %d bytes, got %d", field, want, len(value))
	}
	return nil
}

func checkSealed(sealed []byte) error {
	if len(sealed) == 0 || len(sealed) > maxSealed {
		return fmt.Errorf("sealed: %d bytes", len(sealed))
	}
	return nil
}

func checkName(name string) error {
	if len(name) > maxNameSize || !utf8.ValidString(name) {
		return fmt.Errorf("name of %d bytes", len(name))
	}
	return nil
}

func checkGateway(kind mesh.Kind) error {
	if kind != mesh.KindGateway {
		return errors.New("kind is not gateway")
	}
	return nil
}

func checkRange(field string, value, most int) error {
	if value < 0 || value > most {
		return fmt.Errorf("%s: %d is not between 0 and %d", field, value, most)
	}
	return nil
}

// checkAddress takes "host:port" with a host name or an IP address, the latter
// in brackets when it is IPv6.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if err := checkHost(host); err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("port %q", port)
	}
	return nil
}

func checkHost(host string) error {
	if len(host) > maxHost {
		return fmt.Errorf("host of %d bytes", len(host))
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return checkWord("host", host, maxHost)
	case ip.Zone() != "":
		return checkWord("zone", ip.Zone(), maxHost)
	}
	return nil
}

// checkWord takes letters, digits, '.', '-' and '_': host names, capability
// ids.
func checkWord(field, s string, most int) error {
	if s == "" || len(s) > most {
		return fmt.Errorf("%s of %d bytes", field, len(s))
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return fmt.Errorf("%s holds %q", field, c)
		}
	}
	return nil
}
