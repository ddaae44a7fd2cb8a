package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// TestEveryRouteAndEveryCaller walks the whole table of contents as every kind
// of caller. A route that is not in this table fails the test.
func TestEveryRouteAndEveryCaller(t *testing.T) {
	w := newWorld(t)
	callers := w.allCallers()
	kinds := map[string][]string{ // who is known as what
		"owner":  {"owner", "owner's browser"},
		"device": {"paired gateway", "script", "phone"},
		"none":   {"powerless"},
		"nobody": {"nobody", "paired gateway without its token", "signed-out browser"},
		"bad":    {"gateway's token without its key", "gateway's token with another key", "made-up token", "garbage token"},
	}
	const (
		open   = "open"   // anybody gets past the door
		known  = "known"  // the owner and every device
		read   = "read"   // the owner and devices with devices:read
		upload = "upload" // the owner and devices with media:upload
		owner  = "owner"  // the owner alone
	)
	want := map[string]string{
		"GET /livez": open, "GET /readyz": open,
		"GET /": open, "GET /open": open, "GET /add": open, "GET /join": open, "GET /assets/*": open,
		"POST /auth/links": owner, "POST /auth/session": open, "GET /auth/session": known, "DELETE /auth/session": known,
		"GET /api/sessions": owner, "DELETE /api/sessions/:id": owner,
		"GET /health":           known,
		"POST /auth/pair/start": owner, "GET /auth/pair/:code": owner, "DELETE /auth/pair/:code": owner,
		"GET /auth/pair/:code/qr.svg": owner, "POST /auth/pair/gateway/removed": known, "POST /auth/pair/gateway/leaving": known, "POST /auth/pair/claim": open, "POST /auth/pair/verify": open, "POST /api/devices/:id/repair": owner,
		"POST /auth/pair/gateway/hello": open, "POST /auth/pair/gateway/share": open, "POST /auth/pair/gateway/confirm": open,
		"POST /api/pairings": owner, "GET /api/pairings/:id": owner, "POST /api/pairings/:id/pin": owner,
		"GET /api/node/identity": owner, "POST /api/node/identity": owner,
		"GET /api/devices": read, "GET /api/devices/:id": read,
		"PATCH /api/devices/:id": owner, "DELETE /api/devices/:id": owner, "POST /api/discover": owner,
		"POST /api/devices/:id/restore": owner, "GET /api/archived": owner, "GET /api/activity": owner,
		"POST /api/devices/:id/send": upload,
		"GET /api/tokens":            owner, "POST /api/tokens/revoke/:id": owner,
		"POST /api/plugins/:name/restart": owner, "POST /api/plugins/:name/enable": owner, "POST /api/plugins/:name/disable": owner,
		"GET /api/config":  owner,
		"GET /api/plugins": owner, "GET /api/events": owner, "GET /api/imported": owner, "POST /api/backup": owner,
		"GET /trust": open, "GET /trust/salita.crt": known, "GET /trust/salita.mobileconfig": known,
		"GET /api/trust": known, "POST /api/trust": owner,
	}
	passes := func(rule, kind, name string) bool {
		switch rule {
		case open:
			return true
		case known:
			return kind == "owner" || kind == "device" || kind == "none"
		case read:
			return kind == "owner" || kind == "device"
		case upload:
			return kind == "owner" || name == "paired gateway" || name == "phone"
		}
		return kind == "owner"
	}

	for _, r := range w.server.routes() {
		key := r.method + " " + r.path
		rule, ok := want[key]
		if !ok {
			t.Errorf("%s is not in the matrix", key)
			continue
		}
		method := r.method
		if r.path == "/api/events" {
			method = http.MethodHead // the same handler, without the endless answer
		}
		path := strings.NewReplacer(":id", "nobody", ":name", "nothing", ":code", "nothing").Replace(r.path)
		for kind, names := range kinds {
			for _, name := range names {
				got := w.do(callers[name], method, path, []byte(`{}`))
				if key == "DELETE /auth/session" && got.status == http.StatusNoContent {
					callers = w.allCallers() // it has signed itself out
				}
				refusal := http.StatusUnauthorized
				if kind == "device" || kind == "none" {
					refusal = http.StatusForbidden
				}
				// A token that opens nothing is refused even where none is needed: its
				// holder has to learn that its access has ended.
				pass := passes(rule, kind, name) && kind != "bad"
				protocol := strings.HasPrefix(r.path, "/auth/pair/gateway/")
				switch {
				case pass && protocol:
					// Past the door there is the protocol's own check of the key.
				case pass && (got.status == http.StatusUnauthorized || got.status == http.StatusForbidden):
					t.Errorf("%s as %s: %d %s, want it to pass", key, name, got.status, got.body)
				case !pass && got.status != refusal:
					t.Errorf("%s as %s: %d %s, want %d", key, name, got.status, got.body, refusal)
				}
				if got.status >= 400 && method != http.MethodHead {
					checkError(t, w, key+" as "+name, got)
				}
			}
		}
	}
}

// checkError holds every error answer to one form, whose reference finds the
// cause in the log.
func checkError(t *testing.T, w *world, what string, got answer) {
	t.Helper()
	var body sdk.ErrorBody
	if err := json.Unmarshal(got.body, &body); err != nil || body.Error == "" || body.Code == "" || len(body.Reference) != 5 {
		t.Errorf("%s: error answer %q", what, got.body)
		return
	}
	if !strings.Contains(w.logs.String(), "reference="+body.Reference) {
		t.Errorf("%s: reference %s is not in the log", what, body.Reference)
	}
}

func TestUnknownPathsTellStrangersNothing(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	for _, path := range []string{"/media", "/nothing/at/all", "/api/nothing"} {
		if got := w.do(callers["nobody"], "GET", path, nil); got.status != http.StatusUnauthorized {
			t.Errorf("GET %s as nobody: %d", path, got.status)
		}
		if got := w.do(callers["script"], "GET", path, nil); got.status != http.StatusNotFound {
			t.Errorf("GET %s as a script: %d", path, got.status)
		}
	}
}

func TestJSONBodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	big := []byte(`{"name":"` + strings.Repeat("x", 2<<20) + `"}`)
	if got := w.do(owner, "POST", "/api/node/identity", big); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a 2 MiB body: %d %s", got.status, got.body)
	}
	for _, body := range []string{"", "{", "[]", `{"name":`, "\xff\xfe", `{"name":1}`} {
		if got := w.do(owner, "POST", "/api/node/identity", []byte(body)); got.status != http.StatusBadRequest {
			t.Errorf("body %q: %d %s", body, got.status, got.body)
		}
	}
}

func TestPathsThatMeanSomethingElseAreRefused(t *testing.T) {
	w := newWorld(t)
	script := w.callers()["script"]
	for _, path := range []string{"/media//x", "/media/./x", "/nothing/%2e%2e/x"} {
		if got := w.do(script, "GET", path, nil); got.status != http.StatusBadRequest && got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
	}
}

func TestHealthSaysWhoThisIs(t *testing.T) {
	w := newWorld(t)
	got := w.do(w.callers()["paired gateway"], "GET", "/health", nil)
	var body healthBody
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	if !body.OK || body.NodeID != w.server.Identity.ID() || body.Capabilities == nil || body.Version != "test" {
		t.Errorf("health is %s", got.body)
	}
}

func TestRevokedTokenIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	if got := w.do(callers["script"], "GET", "/health", nil); got.status != http.StatusOK {
		t.Fatalf("before: %d", got.status)
	}
	if got := w.do(callers["owner"], "POST", "/api/tokens/revoke/script", nil); got.status != http.StatusOK {
		t.Fatalf("revoke: %d %s", got.status, got.body)
	}
	got := w.do(callers["script"], "GET", "/health", nil)
	if got.status != http.StatusUnauthorized || !strings.Contains(string(got.body), `"needs_repair"`) {
		t.Errorf("after: %d %s", got.status, got.body)
	}
}

func TestNoSecretInListings(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	for _, path := range []string{"/api/tokens", "/api/devices", "/api/plugins", "/api/node/identity"} {
		got := w.do(owner, "GET", path, nil)
		if got.status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
		for _, secret := range []string{w.gatewayToken, w.scriptToken} {
			if strings.Contains(string(got.body), secret) || strings.Contains(string(got.body), secret[10:30]) {
				t.Errorf("GET %s shows a token", path)
			}
		}
	}
}
