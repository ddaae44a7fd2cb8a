package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// rule is what text must be like.
type rule struct {
	expected string // completes "Expected ..."
	clean    func(string) (string, bool)
}

func (r rule) accepts(s string) bool {
	_, ok := r.clean(s)
	return ok
}

// matching is a rule that changes nothing.
func matching(expected string, ok func(string) bool) rule {
	return rule{expected, func(s string) (string, bool) { return s, ok(s) }}
}

func nameRule() rule {
	return rule{
		fmt.Sprintf("a name of at most %d characters", mesh.MaxNameRunes),
		func(s string) (string, bool) {
			clean := mesh.CleanName(s)
			return clean, clean != "" && utf8.RuneCountInString(s) <= mesh.MaxNameRunes
		},
	}
}

func addressRule() rule {
	return matching(`an address with a port, such as "0.0.0.0:6969"`, func(s string) bool {
		host, port, err := net.SplitHostPort(s)
		if err != nil || !isHost(host) {
			return false
		}
		n, err := strconv.ParseUint(port, 10, 16)
		return err == nil && strconv.FormatUint(n, 10) == port
	})
}

func hostRule() rule {
	return matching(`a host name, such as "nas.example.org"`, func(s string) bool { return s != "" && isHost(s) })
}

// isHost reports whether one can try to listen there: an IP address, a host
// name, or nothing for all addresses.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	// Digits and dots alone are a mistyped IP address.
	return len(host) <= 253 && strings.Trim(host, allowed) == "" && strings.Trim(host, "0123456789.") != ""
}

func pathRule() rule {
	return matching("a path", func(s string) bool { return s != "" && !strings.ContainsRune(s, 0) })
}

func permissionRule() rule {
	return matching(`a permission such as "media:upload", "media:*" or "*"`, func(s string) bool {
		_, err := mesh.ParsePermission(s)
		return err == nil
	})
}

func levelRule() rule {
	return oneOf("trace", "debug", "info", "warn", "error", "off")
}

func formatRule() rule { return oneOf("text", "json") }

func oneOf(words ...string) rule {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	last := len(quoted) - 1
	expected := strings.Join(quoted[:last], ", ") + " or " + quoted[last]
	return matching(expected, func(s string) bool { return slices.Contains(words, s) })
}

func digestRule() rule {
	return rule{
		"the 64 hexadecimal digits of a SHA-256",
		func(s string) (string, bool) {
			s = strings.ToLower(s)
			return s, len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
		},
	}
}

func variableRule() rule {
	return matching(`the name of an environment variable, such as "LANG"`, func(s string) bool {
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
		return s != "" && len(s) <= 128 && strings.Trim(s, letters+"0123456789") == "" &&
			strings.IndexByte(letters, s[0]) >= 0
	})
}

func pluginNameRule() rule {
	return matching("1 to 32 lower-case letters, digits and dashes, the first a letter", func(s string) bool {
		const letters = "abcdefghijklmnopqrstuvwxyz"
		return s != "" && len(s) <= 32 && strings.Trim(s, letters+"0123456789-") == "" &&
			strings.IndexByte(letters, s[0]) >= 0
	})
}

func durationRule(low, high time.Duration) rule {
	expected := fmt.Sprintf(`a duration such as "90s" or "5m", from %s to %s`, short(low), short(high))
	return matching(expected, func(s string) bool {
		d, err := time.ParseDuration(s)
		return err == nil && low <= d && d <= high
	})
}

// short spells a duration without the parts that are zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
