package pairing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	codeA = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	codeB = "bbbbbbbbbbbbbbbbbbbbbbbbbe"
	keyA  = "aeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // mesh.KeyHash{1}
)

func TestLinkRoundTrip(t *testing.T) {
	for _, addresses := range [][]string{
		{"192.168.1.5:6969"},
		{"nas.local:6969", "192.168.1.5:6969", "10.0.0.1:6969"},
		{"[2001:db8::1]:6969", "192.168.1.5:6969"},
		{"[fe80::1%eth0]:6969"},
		{"a:1", "b:1", "c:1", "d:1", "e:1", "f:1", "g:1", "h:1"},
		{"nas.local:443"},
	} {
		want := Link{Code: codeA, LinkingCode: codeB, Key: mesh.KeyHash{1}, Addresses: addresses}
		got, err := ParseLink(want.String())
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", want, diff)
		}
	}
}

func TestLinkText(t *testing.T) {
	got := Link{Code: codeA, LinkingCode: codeB, Key: mesh.KeyHash{1}, Addresses: []string{"[2001:db8::1]:6969", "nas.local:6969"}}.String()
	want := "https://[2001:db8::1]:6969/join#v1." + codeA + "." + codeB + "." + keyA + ".%5B2001:db8::1%5D:6969,nas.local:6969"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLinkFromABrowser(t *testing.T) {
	fragment := "#v1." + codeA + "." + codeB + "." + keyA + ".nas.local:6969"
	for before, want := range map[string][]string{
		"https://nas.local:6969/join":   {"nas.local:6969"},
		"https://nas.example.com/join":  {"nas.example.com:443", "nas.local:6969"},
		"HTTPS://192.168.1.5:6969/join": {"192.168.1.5:6969", "nas.local:6969"},
	} {
		l, err := ParseLink(before + fragment)
		if err != nil {
			t.Errorf("%s: %v", before, err)
			continue
		}
		if diff := cmp.Diff(want, l.Addresses); diff != "" {
			t.Errorf("%s: addresses differ (-want +got):\n%s", before, diff)
		}
	}
	many := "https://proxy:1/join#v1." + codeA + "." + codeB + "." + keyA + ".a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1"
	if l, err := ParseLink(many); err != nil || len(l.Addresses) != maxLinkAddresses || l.Addresses[0] != "proxy:1" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestRefusedLinks(t *testing.T) {
	good := "https://nas.local:6969/join#v1." + codeA + "." + codeB + "." + keyA + ".nas.local:6969"
	if _, err := ParseLink(good); err != nil {
		t.Fatal(err)
	}
	replaced := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, text := range map[string]string{
		"nothing":               "",
		"no fragment":           "https://nas.local:6969/join",
		"plain http":            replaced("https", "http"),
		"another scheme":        replaced("https://", "javascript:"),
		"another path":          replaced("/join", "/joint"),
		"no path":               replaced("/join", ""),
		"an escaped path":       replaced("/join", "/j%6fin"),
		"a query":               replaced("/join", "/join?x=1"),
		"an empty query":        replaced("/join", "/join?"),
		"a user":                replaced("https://", "https://anna@"),
		"no host":               replaced("https://nas.local:6969", "https://"),
		"a bad port":            replaced("6969/", "69690/"),
		"another version":       replaced("#v1", "#v2"),
		"a short code":          replaced(codeA, codeA[1:]),
		"an upper-case code":    replaced(codeA, strings.ToUpper(codeA)),
		"a code with tail bits": replaced(codeA, codeA[1:]+"b"),
		"a short secret":        replaced(codeB, codeB[1:]),
		"no secret":             replaced(codeB, ""),
		"a short key":           replaced(keyA, keyA[1:]),
		"an upper-case key":     replaced(keyA, strings.ToUpper(keyA)),
		"a key with tail bits":  replaced(keyA, keyA[1:]+"b"),
		"no key at all":         replaced(keyA, strings.Repeat("a", len(keyA))),
		"no address":            replaced(".nas.local:6969", "."),
		"an empty address":      good + ",",
		"an address w/o port":   good + ",nas",
		"port 0":                good + ",nas:0",
		"port 007":              good + ",nas:007",
		"a path in an address":  good + ",nas/x:1",
		"a bad escape":          good + ",%zz:1",
		"a space":               good + ",n%20as:1",
		"nine addresses":        good + strings.Repeat(",a:1", 8),
		"a part too many":       good + "#more",
		"a very long link":      good + strings.Repeat(",a:1", 4000),
	} {
		if l, err := ParseLink(text); err == nil {
			t.Errorf("%s: taken as %+v", name, l)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"nas":                      "nas:6969",
		"nas.local":                "nas.local:6969",
		"nas.local:7000":           "nas.local:7000",
		"192.168.1.5":              "192.168.1.5:6969",
		"::1":                      "[::1]:6969",
		"[::1]":                    "[::1]:6969",
		"[fe80::1%eth0]:7000":      "[fe80::1%eth0]:7000",
		"https://nas.local:6969/":  "nas.local:6969",
		"https://192.168.1.5:6969": "192.168.1.5:6969",
		"salita-2.my_net.lan":      "salita-2.my_net.lan:6969",
	} {
		got, err := parseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":", ":6969", "nas:", "nas:0", "nas:65536", "nas:http", "nas:+1", "nas:06969", "http://nas", "https://nas/join",
		"na s", "nas\n", "nas,other", "nas?x", "user@nas", "[::1", "fe80::1%", "fe80::1%a b", "naïve", strings.Repeat("a", 254),
	} {
		if got, err := parseAddress(text); err == nil {
			t.Errorf("%q: taken as %q", text, got)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	good := Link{Code: codeA, LinkingCode: codeB, Key: mesh.KeyHash{1}, Addresses: []string{"[fe80::1%eth0]:6969", "nas.local:1"}}.String()
	f.Add(good)
	f.Add(strings.Replace(good, "%25", "%2525", 1))
	f.Add("https://nas/join#v1...." + good)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLink(text)
		if err != nil {
			return
		}
		if len(l.Addresses) == 0 || len(l.Addresses) > maxLinkAddresses {
			t.Fatalf("%d addresses", len(l.Addresses))
		}
		again, err := ParseLink(l.String())
		if err != nil {
			t.Fatalf("%q was taken, but not as %q: %v", text, l, err)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Fatalf("%q changed on the way (-want +got):\n%s", text, diff)
		}
	})
}

func FuzzJoinTarget(f *testing.F) {
	f.Add("nas.local")
	f.Add("[::1]:6969")
	f.Add("https://[fe80::1%25eth0]:1/")
	f.Fuzz(func(t *testing.T, text string) {
		target, err := parseTarget(text)
		if err != nil {
			return
		}
		for _, address := range target.addresses {
			if err := checkAddress(address); err != nil {
				t.Fatalf("%q leads to %q: %v", text, address, err)
			}
		}
	})
}
