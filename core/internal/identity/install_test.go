package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCACertificate(t *testing.T) {
	i, enabled := withAuthority(t, t.TempDir())
	ca, ok := i.CACertificate()
	if !ok {
		t.Fatal("no certificate")
	}
	if diff := cmp.Diff(enabled, ca); diff != "" {
		t.Errorf("EnableCA and CACertificate disagree:\n%s", diff)
	}
	block, rest := pem.Decode(ca.PEM)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 || !bytes.Equal(block.Bytes, ca.DER) {
		t.Error("PEM and DER are not the same certificate")
	}
	sum := sha256.Sum256(ca.DER)
	if got := strings.ToLower(strings.ReplaceAll(ca.Fingerprint, ":", "")); got != hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprint %s, want %x", ca.Fingerprint, sum)
	}
	if !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(ca.Fingerprint) {
		t.Errorf("fingerprint %s is not as phones show it", ca.Fingerprint)
	}
	ca.DER[0] ^= 1
	if again, _ := i.CACertificate(); bytes.Equal(again.DER, ca.DER) {
		t.Error("a caller can change the certificate")
	}
}

// plist reads a property list of dictionaries, arrays, strings, integers and data.
func plist(t *testing.T, data []byte) any {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	var element func(xml.StartElement) any
	next := func() (start xml.StartElement, ok bool) {
		for {
			token, err := d.Token()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				return start, false
			}
			switch token := token.(type) {
			case xml.StartElement:
				return token, true
			case xml.EndElement:
				return start, false
			}
		}
	}
	element = func(start xml.StartElement) any {
		switch start.Name.Local {
		case "dict":
			dict := map[string]any{}
			for key, ok := next(); ok; key, ok = next() {
				name := element(key).(string)
				value, _ := next()
				dict[name] = element(value)
			}
			return dict
		case "array":
			var array []any
			for item, ok := next(); ok; item, ok = next() {
				array = append(array, element(item))
			}
			return array
		}
		var text string
		if err := d.DecodeElement(&text, &start); err != nil {
			t.Fatal(err)
		}
		return text
	}
	root, ok := next()
	if !ok || root.Name.Local != "plist" {
		t.Fatalf("not a property list: %s", data)
	}
	dict, _ := next()
	return element(dict)
}

const uuid8 = `^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`

func TestAppleProfile(t *testing.T) {
	dir := t.TempDir()
	i, ca := withAuthority(t, dir)
	const name = `Tom & "Ann's" <NAS> ]]> é`
	if err := i.Rename(name); err != nil {
		t.Fatal(err)
	}
	data, ok := i.AppleProfile()
	if !ok {
		t.Fatal("no profile")
	}
	got := plist(t, data).(map[string]any)
	inner := got["PayloadContent"].([]any)[0].(map[string]any)
	uuids := []string{got["PayloadUUID"].(string), inner["PayloadUUID"].(string)}
	for _, uuid := range uuids {
		if !regexp.MustCompile(uuid8).MatchString(uuid) {
			t.Errorf("UUID %s", uuid)
		}
	}
	if uuids[0] == uuids[1] {
		t.Error("one UUID for two payloads")
	}
	want := map[string]any{
		"PayloadType": "Configuration", "PayloadVersion": "1",
		"PayloadIdentifier": "salita." + string(i.ID()), "PayloadUUID": uuids[0],
		"PayloadDisplayName": "Salita: " + name, "PayloadDescription": got["PayloadDescription"],
		"PayloadContent": []any{map[string]any{
			"PayloadType": "com.apple.security.root", "PayloadVersion": "1",
			"PayloadIdentifier": "salita." + string(i.ID()) + ".ca", "PayloadUUID": uuids[1],
			"PayloadDisplayName": "Salita: " + name, "PayloadCertificateFileName": "salita-ca.cer",
			"PayloadContent": base64.StdEncoding.EncodeToString(ca.DER),
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(got["PayloadDescription"].(string), name) {
		t.Errorf("description %q does not say for which device", got["PayloadDescription"])
	}

	i.Close()
	again, _ := open(t, dir).AppleProfile()
	if !bytes.Equal(data, again) {
		t.Error("after a restart it is another profile")
	}
	other, _ := withAuthority(t, t.TempDir())
	if second, _ := other.AppleProfile(); bytes.Contains(second, []byte(uuids[0])) || bytes.Contains(second, []byte(uuids[1])) {
		t.Error("two authorities share a UUID")
	}
}

// TestAppleProfileInAnotherReader lets Python's reader, which follows Apple's,
// judge it.
func TestAppleProfileInAnotherReader(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here, whose plistlib would read the profile")
	}
	i, ca := withAuthority(t, t.TempDir())
	data, _ := i.AppleProfile()
	cmd := exec.Command(python, "-c", `
import plistlib, sys
p = plistlib.loads(sys.stdin.buffer.read())
assert p["PayloadVersion"] == 1 and p["PayloadContent"][0]["PayloadVersion"] == 1
sys.stdout.buffer.write(p["PayloadContent"][0]["PayloadContent"])`)
	cmd.Stdin = bytes.NewReader(data)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	der, err := cmd.Output()
	if err != nil || !bytes.Equal(der, ca.DER) {
		t.Errorf("it reads %x, %v: %s", der, err, &complaint)
	}
}

// FuzzAppleProfile checks that no name breaks out of its place.
func FuzzAppleProfile(f *testing.F) {
	for _, name := range []string{"Study", "</string><key>x</key>", "&amp;", "\x00", "\xff", "]]>", "%s %d"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := plist(t, appleProfile([]byte{1}, "id", name)).(map[string]any)
		if len(got) != 7 || got["PayloadType"] != "Configuration" {
			t.Errorf("%q: %v", name, got)
		}
	})
}
