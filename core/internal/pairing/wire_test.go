package pairing

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// examples are one valid message of each type, keyed by the name of the type.
func examples() map[string]any {
	nonce, share, tag := bytes.Repeat([]byte{1}, nonceSize), bytes.Repeat([]byte{2}, shareSize), bytes.Repeat([]byte{3}, 64)
	return map[string]any{
		"HelloRequest":   &HelloRequest{Version: Version, Mode: ModeLink, Code: codeA, Nonce: nonce, Name: "NAS", Kind: mesh.KindGateway},
		"HelloReply":     &HelloReply{Version: Version, Code: codeA, Nonce: nonce, Name: "Desktop", ExpiresIn: 300, AttemptsLeft: 5},
		"ShareRequest":   &ShareRequest{Version: Version, Code: codeA, Share: share},
		"ShareReply":     &ShareReply{Share: share},
		"ConfirmRequest": &ConfirmRequest{Version: Version, Code: codeA, Tag: tag, Sealed: []byte{4}},
		"ConfirmReply":   &ConfirmReply{Tag: tag, Sealed: []byte{5}},
		"ClaimRequest":   &ClaimRequest{Code: codeA, LinkingCode: codeB, Name: "iPhone", Kind: mesh.KindBrowser},
		"VerifyRequest": &VerifyRequest{Code: codeA, PIN: "481920", LinkingCode: codeB, NodeIdentity: NodeIdentity{
			NodeID: "b7", Name: "iPhone", Hostname: "iphone.local", Port: 1, Capabilities: []string{"camera"}, Kind: mesh.KindBrowser,
		}},
	}
}

// blank returns a new message of the named type.
func blank(name string) any {
	return map[string]any{
		"HelloRequest": new(HelloRequest), "HelloReply": new(HelloReply),
		"ShareRequest": new(ShareRequest), "ShareReply": new(ShareReply),
		"ConfirmRequest": new(ConfirmRequest), "ConfirmReply": new(ConfirmReply),
		"ClaimRequest": new(ClaimRequest), "VerifyRequest": new(VerifyRequest),
	}[name]
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesRoundTrip(t *testing.T) {
	for name, want := range examples() {
		got := blank(name)
		if err := json.Unmarshal(encoded(t, want), got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", name, diff)
		}
	}
}

// TestMessageText pins the wire: others speak it too.
func TestMessageText(t *testing.T) {
	for name, want := range map[string]string{
		"HelloRequest": `{"version":"salita-pair/1","mode":"link","code":"` + codeA + `","nonce":"AQEBAQEBAQEBAQEBAQEBAQ","name":"NAS","kind":"gateway"}`,
		"HelloReply":   `{"version":"salita-pair/1","code":"` + codeA + `","nonce":"AQEBAQEBAQEBAQEBAQEBAQ","name":"Desktop","expires_in":300,"attempts_left":5}`,
		"ShareRequest": `{"version":"salita-pair/1","code":"` + codeA + `","share":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"}`,
		"ShareReply":   `{"share":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"}`,
		"ClaimRequest": `{"code":"` + codeA + `","linking_code":"` + codeB + `","name":"iPhone","kind":"browser"}`,
		"VerifyRequest": `{"code":"` + codeA + `","pin":"481920","linking_code":"` + codeB + `",` +
			`"node_identity":{"node_id":"b7","name":"iPhone","hostname":"iphone.local","port":1,"capabilities":["camera"],"kind":"browser"}}`,
	} {
		if got := string(encoded(t, examples()[name])); got != want {
			t.Errorf("%s is\n%s, want\n%s", name, got, want)
		}
	}
}

func TestRefusedMessages(t *testing.T) {
	for _, c := range []struct{ name, message, old, new string }{
		{"unknown field", "HelloRequest", `{"version"`, `{"admin":true,"version"`},
		{"no version", "HelloRequest", Version, ""},
		{"huge version", "HelloRequest", Version, strings.Repeat("v", 33)},
		{"unknown mode", "HelloRequest", `"link"`, `"loud"`},
		{"link without code", "HelloRequest", codeA, ""},
		{"code of another form", "HelloRequest", codeA, strings.ToUpper(codeA)},
		{"padded base64", "HelloRequest", `AQ"`, `AQ=="`},
		{"standard base64", "ShareReply", "AgIC", "+gIC"},
		{"base64 with spare bits", "HelloRequest", `AQ"`, `AR"`},
		{"base64 with a line break", "HelloRequest", `AQEB`, `A\nQEB`},
		{"short nonce", "HelloRequest", `AQEBAQEB`, `AQEB`},
		{"huge name", "HelloRequest", "NAS", strings.Repeat("n", 257)},
		{"a browser", "HelloRequest", "gateway", "browser"},
		{"number as text", "HelloReply", "300", `"300"`},
		{"negative time", "HelloReply", "300", "-1"},
		{"a year", "HelloReply", "300", "31536000"},
		{"broken number", "HelloReply", "300", "3.5"},
		{"many attempts", "HelloReply", `"attempts_left":5`, `"attempts_left":101`},
		{"long share", "ShareRequest", `AgIC`, `AgICAgIC`},
		{"no code", "ShareRequest", codeA, ""},
		{"no tag", "ConfirmReply", "AwMD", ""},
		{"nothing sealed", "ConfirmReply", `"sealed":"BQ"`, `"sealed":""`},
		{"nothing sealed", "ConfirmRequest", `"sealed":"BA"`, `"sealed":null`},
		{"a huge seal", "ConfirmRequest", `"sealed":"BA"`, `"sealed":"` + strings.Repeat("AAAA", maxSealed/3+1) + `"`},
		{"a gateway", "ClaimRequest", `"browser"`, `"gateway"`},
		{"a gateway", "VerifyRequest", `"browser"`, `"gateway"`},
		{"a long kind", "ClaimRequest", `"browser"`, `"` + strings.Repeat("k", maxKind+1) + `"`},
		{"no linking code", "ClaimRequest", codeB, ""},
		{"no code", "VerifyRequest", codeA, ""},
		{"a huge name", "ClaimRequest", "iPhone", strings.Repeat("n", MaxMessage)},
		{"unknown field", "ClaimRequest", `{"code"`, `{"pin":"481920","code"`},
		{"unknown field in the identity", "VerifyRequest", `{"node_id"`, `{"manage":true,"node_id"`},
		{"a field of ours", "VerifyRequest", `{"code"`, `{"Description":"x","code"`},
		{"a long number", "VerifyRequest", "481920", strings.Repeat("4", 65)},
		{"number as a number", "VerifyRequest", `"481920"`, `481920`},
		{"a port too many", "VerifyRequest", `"port":1`, `"port":65536`},
		{"a negative port", "VerifyRequest", `"port":1`, `"port":-1`},
		{"a capability that is none", "VerifyRequest", `"camera"`, `7`},
		{"a huge message", "ConfirmRequest", `"sealed":"BA"`, `"sealed":"` + strings.Repeat("A", MaxMessage) + `"`},
	} {
		text := string(encoded(t, examples()[c.message]))
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("%s: nothing to change in %s", c.name, text)
		}
		if err := json.Unmarshal([]byte(changed), blank(c.message)); err == nil {
			t.Errorf("%s in %s was taken", c.name, c.message)
		}
	}
	for name := range examples() {
		for _, text := range []string{`null`, `{}`, `[]`, `""`, `7`, `{`, ``} {
			if err := json.Unmarshal([]byte(text), blank(name)); err == nil {
				t.Errorf("%q was taken for %s", text, name)
			}
		}
	}
}

// FuzzMessages feeds any text to each decoder: what it takes must be within
// bounds and come out the same when written and read again.
func FuzzMessages(f *testing.F) {
	names := []string{"HelloRequest", "HelloReply", "ShareRequest", "ShareReply", "ConfirmRequest", "ConfirmReply"}
	for i, name := range names {
		f.Add(i, encoded(f, examples()[name]))
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		if i < 0 {
			return
		}
		name := names[i%len(names)]
		m := blank(name)
		if json.Unmarshal(text, m) != nil {
			return
		}
		if len(text) > MaxMessage+2 { // white space around the message is not counted
			trimmed := bytes.TrimSpace(text)
			if len(trimmed) > MaxMessage {
				t.Fatalf("a message of %d bytes was taken", len(trimmed))
			}
		}
		again := blank(name)
		if err := json.Unmarshal(encoded(t, m), again); err != nil {
			t.Fatalf("%s was taken and is refused written anew: %v", text, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("%s changed on the way (-want +got):\n%s", text, diff)
		}
	})
}

func examplePayload() (payload, mesh.KeyHash) {
	token, hash := mesh.NewToken()
	issued := mesh.IssuedToken{Hash: hash, Permissions: mesh.Grant{"media:*"}, ExpiresAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	h := newHouse("desktop", 1)
	return newPayload(h.self(), token, issued), h.key
}

func TestPayloadLeavesOutWhatOthersRefuse(t *testing.T) {
	self := newHouse("desktop", 1).self()
	self.Hostname = "Anna's Desktop"
	self.Addresses = append([]string{"no port", "http://x:1"}, self.Addresses...)
	self.Capabilities = []string{"media.storage", "two words", ""}
	for range 100 {
		self.Capabilities = append(self.Capabilities, "x")
		self.Addresses = append(self.Addresses, "10.0.0.1:1")
	}
	token, hash := mesh.NewToken()
	p := newPayload(self, token, mesh.IssuedToken{Hash: hash, ExpiresAt: time.Now()})
	if err := p.check(self.Key); err != nil {
		t.Errorf("others would refuse it: %v", err)
	}
	if p.Addresses[0] != "desktop.local:6969" || len(p.Capabilities) != maxCapabilities {
		t.Errorf("kept %v and %d capabilities", p.Addresses, len(p.Capabilities))
	}
}

func TestRefusedPayloads(t *testing.T) {
	for name, change := range map[string]func(*payload){
		"another id":            func(p *payload) { p.DeviceID = "x" },
		"a browser":             func(p *payload) { p.Kind = mesh.KindBrowser },
		"a huge name":           func(p *payload) { p.Name = strings.Repeat("n", 257) },
		"a bad host name":       func(p *payload) { p.Hostname = "a b" },
		"no port":               func(p *payload) { p.Port = 0 },
		"a port too high":       func(p *payload) { p.Port = 65536 },
		"too many addresses":    func(p *payload) { p.Addresses = slicesOf("a:1", maxAddresses+1) },
		"a bad address":         func(p *payload) { p.Addresses = []string{"a"} },
		"too many capabilities": func(p *payload) { p.Capabilities = slicesOf("a", maxCapabilities+1) },
		"a bad capability":      func(p *payload) { p.Capabilities = []string{"<b>"} },
		"too many permissions":  func(p *payload) { p.Permissions = make(mesh.Grant, maxPermissions+1) },
		"a bad permission":      func(p *payload) { p.Permissions = mesh.Grant{"media"} },
		"a mistyped token":      func(p *payload) { p.Token = p.Token[:len(p.Token)-1] + "!" },
		"no expiry":             func(p *payload) { p.ExpiresAt = time.Time{} },
		"pairings below none":   func(p *payload) { p.Earlier = -1 },
		"pairings beyond count": func(p *payload) { p.Earlier = maxEarlier + 1 },
	} {
		p, key := examplePayload()
		if err := p.check(key); err != nil {
			t.Fatal(err)
		}
		change(&p)
		if err := p.check(key); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func slicesOf(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestSealedPayload(t *testing.T) {
	p, from := examplePayload()
	key, aad := bytes.Repeat([]byte{1}, sealKeySize), []byte("transcript")
	sealed, err := p.seal(key, aad)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(p.Token)) {
		t.Error("the token can be read without the key")
	}
	got, err := openPayload(sealed, key, aad, from)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("payload differs (-want +got):\n%s", diff)
	}
	for name, open := range map[string]func() (payload, error){
		"another key":        func() (payload, error) { return openPayload(sealed, make([]byte, sealKeySize), aad, from) },
		"another transcript": func() (payload, error) { return openPayload(sealed, key, []byte("other"), from) },
		"another sender":     func() (payload, error) { return openPayload(sealed, key, aad, mesh.KeyHash{9}) },
		"cut short":          func() (payload, error) { return openPayload(sealed[:len(sealed)-1], key, aad, from) },
		"nothing":            func() (payload, error) { return openPayload(nil, key, aad, from) },
		"no key":             func() (payload, error) { return openPayload(sealed, nil, aad, from) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestPayloadWithoutAddresses(t *testing.T) {
	p, key := examplePayload()
	p.Addresses = nil
	if got := p.device(key, nil, time.Now()).Addresses; !cmp.Equal(got, []string{"desktop.local:6969"}) {
		t.Errorf("the device is at %v", got)
	}
	if got := p.device(key, []string{"10.0.0.9:6969"}, time.Now()).Addresses; got[0] != "10.0.0.9:6969" {
		t.Errorf("where it answered is not first: %v", got)
	}
}

// FuzzPayload opens any text that was sealed rightly: a device that knows the
// number may still write what it likes.
func FuzzPayload(f *testing.F) {
	p, from := examplePayload()
	f.Add(encoded(f, p))
	f.Add([]byte(`{"device_id":"` + string(from.DeviceID()) + `"}`))
	key, aad := make([]byte, sealKeySize), []byte("transcript")
	aead, err := newAEAD(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		got, err := openPayload(aead.Seal(nil, nil, plain, aad), key, aad, from)
		if err != nil {
			return
		}
		if err := got.check(from); err != nil {
			t.Fatal(err)
		}
		d := got.device(from, nil, time.Now())
		if d.ID != from.DeviceID() || d.Name == "" || len(d.Addresses) > maxAddresses || got.peerToken().Token == "" {
			t.Fatalf("%s became %+v", plain, d)
		}
	})
}
