package tokens

import (
	"regexp"
	"testing"
)

func TestAuthorizationToken(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc":            "abc",
		"bearer abc":            "abc",
		"BEARER abc":            "abc",
		"bEaReR abc":            "abc",
		"Bearer   abc":          "abc",
		"Bearer a-b._~+/9Z==":   "a-b._~+/9Z==",
		"":                      "",
		"Bearer":                "",
		"Bearer ":               "",
		"Bearer    ":            "",
		"Bearerabc":             "",
		"Bearer\tabc":           "",
		"Bearer abc ":           "",
		"Bearer abc\r\n":        "",
		" Bearer abc":           "",
		"Bearer a b":            "",
		"Bearer a,b":            "",
		"Bearer =":              "",
		"Bearer a=b":            "",
		"Bearer \"abc\"":        "",
		"Bearer token=abc":      "",
		"Bearer caf\u00e9":      "",
		"Bearer a\x00b":         "",
		"Basic abc":             "",
		"BearerBearer abc":      "",
		"Bearer Bearer abc":     "",
		"\"earer abc":           "", // '"' is 'B' with one bit less
		"Bearer a, Basic Zm9v":  "",
		"Digest username=\"x\"": "",
	} {
		got, ok := AuthorizationToken([]byte(header))
		if ok != (want != "") || string(got) != want {
			t.Errorf("%q: %q, %v; want %q", header, got, ok, want)
		}
	}
}

func TestAuthorizationTokenAllocatesNothing(t *testing.T) {
	header := []byte("Bearer salita_0123456789")
	if n := testing.AllocsPerRun(1000, func() { AuthorizationToken(header) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAuthorizationToken compares with the grammar of RFC 6750 as an
// expression.
func FuzzAuthorizationToken(f *testing.F) {
	grammar := regexp.MustCompile(`\A(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)\z`)
	for _, header := range []string{"", "Bearer abc", "bearer  a=", "Bearer a b", "Basic x", "Bearer \xff"} {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		got, ok := AuthorizationToken(header)
		match := grammar.FindSubmatch(header)
		if ok != (match != nil) || ok && string(got) != string(match[1]) {
			t.Errorf("%q: %q, %v; the grammar says %q", header, got, ok, match)
		}
	})
}
