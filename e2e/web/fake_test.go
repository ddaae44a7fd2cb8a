package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// policy is what the pages must live with.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const (
	fakeCode   = "abcdefghijklmnopqrstuvwx23"
	fakeSecret = "234567abcdefghijklmnopqrst"
	fakePIN    = "481920"
)

type object = map[string]any

// fake is a gateway made of canned answers. Its fields are read and changed
// under the lock.
type fake struct {
	*httptest.Server
	sync.Mutex

	name    string
	roles   map[string]string // by session cookie: "owner" or "phone"
	window  object            // how the pairing window stands; nil: none
	opened  bool              // the sign-in link was used
	join    object            // how joining another gateway stands
	devices []object          // as GET /api/devices tells them
	browser []object          // as GET /api/sessions tells them
	fail    map[string]object
	calls   []string // method, path and body of what was changed
	trust   object   // as GET /api/trust tells it
	lie     int      // how many uploads are answered with a wrong hash
	slow    chan struct{}
}

// newFake serves the pages from the source tree beside canned answers.
func newFake(t *testing.T) *fake {
	f := &fake{name: "Study Desktop", roles: make(map[string]string), fail: make(map[string]object), trust: object{"enabled": false}, slow: make(chan struct{})}
	mux := http.NewServeMux()
	f.pages(mux)
	f.sessions(mux)
	f.showing(mux)
	f.claiming(mux)
	f.joining(mux)
	f.api(mux)
	f.Server = httptest.NewTLSServer(f.noting(mux))
	t.Cleanup(f.Close)
	return f
}

// noting keeps what was asked to change, and fails where it was told to.
func (f *fake) noting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		f.Lock()
		failure := f.fail[r.Method+" "+r.URL.Path]
		f.Unlock()
		if r.Method != http.MethodGet && !strings.HasPrefix(r.URL.Path, "/media/") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			f.Lock()
			f.calls = append(f.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
			f.Unlock()
		}
		if failure != nil {
			io.Copy(io.Discard, r.Body)
			answer(w, failure["status"].(int), failure)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// called waits until something was asked for.
func (f *fake) called(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f.count(want) > 0 {
			return
		}
	}
	t.Fatalf("never asked for %s; asked for %q", want, f.calls)
}

func (f *fake) count(want string) int {
	f.Lock()
	defer f.Unlock()
	n := 0
	for _, call := range f.calls {
		if call == want || strings.HasPrefix(call, want+" ") {
			n++
		}
	}
	return n
}

// set changes the fake while a page is watching.
func (f *fake) set(change func()) {
	f.Lock()
	defer f.Unlock()
	change()
}

func (f *fake) pages(mux *http.ServeMux) {
	files := os.DirFS("../../core/internal/web/static")
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "home"
		}
		if path.Ext(name) == "" {
			name += ".html"
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.ServeFileFS(w, r, files, name)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func problem(status int, code, sentence string) object {
	return object{"status": status, "error": sentence, "code": code, "reference": "7K3QF"}
}

func refuse(w http.ResponseWriter, p object) { answer(w, p["status"].(int), p) }

func read(r *http.Request) map[string]string {
	var raw map[string]any
	json.NewDecoder(r.Body).Decode(&raw)
	out := make(map[string]string)
	for k, v := range raw {
		out[k] = fmt.Sprint(v)
	}
	return out
}

func (f *fake) sessions(mux *http.ServeMux) {
	mux.HandleFunc("POST /auth/session", func(w http.ResponseWriter, r *http.Request) {
		f.Lock()
		defer f.Unlock()
		if read(r)["secret"] != "salita_open_once_only" || f.opened {
			refuse(w, problem(401, "sign_in", "Couldn't connect to device"))
			return
		}
		f.opened = true
		f.let(w, "owner")
		answer(w, 200, object{"ok": true})
	})
	mux.HandleFunc("GET /auth/session", f.signedIn("phone", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, object{"owner": f.role(r) == "owner", "name": "You", "gateway": object{"name": f.name}})
	}))
	mux.HandleFunc("DELETE /auth/session", f.signedIn("phone", func(w http.ResponseWriter, _ *http.Request) {
		clear(f.roles)
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("GET /api/sessions", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, f.browser)
	}))
	mux.HandleFunc("DELETE /api/sessions/{id}", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		f.browser = without(f.browser, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	}))
}

// let gives the caller a session.
func (f *fake) let(w http.ResponseWriter, role string) {
	id := fmt.Sprintf("session-%d", len(f.roles))
	f.roles[id] = role
	http.SetCookie(w, &http.Cookie{Name: "__Host-salita", Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (f *fake) role(r *http.Request) string {
	c, err := r.Cookie("__Host-salita")
	if err != nil {
		return ""
	}
	return f.roles[c.Value]
}

// signedIn serves whoever has the cookie, under the lock; the owner may do all.
func (f *fake) signedIn(as string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.Lock()
		defer f.Unlock()
		if f.role(r) == "" {
			refuse(w, problem(401, "sign_in", "Couldn't connect to device"))
			return
		}
		if as == "owner" && f.role(r) != "owner" {
			refuse(w, problem(403, "forbidden", "This device can't do that."))
			return
		}
		next(w, r)
	}
}

func without(list []object, id string) []object {
	out := []object{}
	for _, o := range list {
		if o["id"] != id {
			out = append(out, o)
		}
	}
	return out
}

func (f *fake) showing(mux *http.ServeMux) {
	start := f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		f.window = object{"state": "open"}
		link := f.link()
		answer(w, 200, object{
			"code": fakeCode, "linking_code": fakeSecret, "link": link, "qr_url": link,
			"expires_at": time.Now().Add(5 * time.Minute).UTC(),
		})
	})
	mux.HandleFunc("POST /auth/pair/start", start)
	mux.HandleFunc("POST /api/devices/{id}/repair", start)
	mux.HandleFunc("GET /auth/pair/{code}", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		if f.window == nil || r.PathValue("code") != fakeCode {
			refuse(w, problem(404, "not_found", "This code has expired. Show a new one."))
			return
		}
		answer(w, 200, f.window)
	}))
	mux.HandleFunc("DELETE /auth/pair/{code}", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		f.window = object{"state": "failed", "error": "Pairing was stopped. Start again when you're ready."}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("GET /auth/pair/{code}/qr.svg", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, drawQR(f.link()))
	}))
}

func (f *fake) link() string {
	host := strings.TrimPrefix(f.URL, "https://")
	return f.URL + "/join#v1." + fakeCode + "." + fakeSecret + ".YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWZnaGk." + host + ",192.168.178.20:6969"
}

func (f *fake) claiming(mux *http.ServeMux) {
	attempts := 0
	mux.HandleFunc("POST /auth/pair/claim", func(w http.ResponseWriter, r *http.Request) {
		f.Lock()
		defer f.Unlock()
		in := read(r)
		if f.window == nil || f.window["state"] != "open" || in["code"] != fakeCode || in["linking_code"] != fakeSecret {
			refuse(w, problem(410, "expired", "This code has expired. Show a new one."))
			return
		}
		attempts = 0
		f.window = object{"state": "claimed", "pin": fakePIN, "device": object{"name": in["name"], "kind": in["kind"]}}
		answer(w, 200, object{"gateway": object{"name": f.name}})
	})
	mux.HandleFunc("POST /auth/pair/verify", func(w http.ResponseWriter, r *http.Request) {
		f.Lock()
		defer f.Unlock()
		in := read(r)
		attempts++
		switch {
		case f.window == nil || f.window["state"] != "claimed":
			refuse(w, problem(410, "expired", "This code has expired. Show a new one."))
		case in["pin"] == fakePIN && in["linking_code"] == fakeSecret:
			f.window["state"] = "paired"
			f.let(w, "phone")
			answer(w, 200, object{"ok": true, "session_token": "salita_secret_token", "peer_node": object{"name": f.name}})
		case attempts >= 5:
			f.window = object{"state": "failed", "error": "For your safety, start again."}
			refuse(w, problem(410, "expired", "For your safety, start again."))
		default:
			refuse(w, problem(403, "forbidden", "That's not the number on the screen."))
		}
	})
}

func (f *fake) joining(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/pairings", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(read(r)["target"], ".") {
			refuse(w, problem(400, "invalid", "That's not a link or an address of a device."))
			return
		}
		f.join = object{"state": "connecting"}
		answer(w, 201, object{"id": "j1"})
	}))
	mux.HandleFunc("GET /api/pairings/{id}", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, f.join)
	}))
	mux.HandleFunc("POST /api/pairings/{id}/pin", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		f.join = object{"state": "pin_needed", "device": object{"name": "NAS"}, "error": "That's not the number on the screen.", "code": "forbidden"}
		if read(r)["pin"] == fakePIN {
			f.join = object{"state": "paired", "device": object{"name": "NAS", "kind": "gateway"}}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
}

func (f *fake) api(mux *http.ServeMux) {
	mux.HandleFunc("GET /health", f.signedIn("phone", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, object{"ok": true, "node_id": "me", "name": f.name, "capabilities": []string{"media.storage", "always_on"}, "metadata": object{}})
	}))
	mux.HandleFunc("GET /api/node/identity", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, object{"id": "me", "name": f.name})
	}))
	mux.HandleFunc("POST /api/node/identity", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		f.name = read(r)["name"]
		answer(w, 200, object{"id": "me", "name": f.name})
	}))
	mux.HandleFunc("GET /api/devices", f.signedIn("phone", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, f.devices)
	}))
	mux.HandleFunc("GET /api/devices/{id}", f.signedIn("phone", func(w http.ResponseWriter, r *http.Request) {
		for _, d := range f.devices {
			if d["id"] == r.PathValue("id") {
				answer(w, 200, d)
				return
			}
		}
		refuse(w, problem(404, "not_found", "That isn't here."))
	}))
	mux.HandleFunc("GET /api/trust", f.signedIn("phone", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, f.trust)
	}))
	mux.HandleFunc("POST /api/trust", f.signedIn("owner", func(w http.ResponseWriter, _ *http.Request) {
		f.trust = object{"enabled": true, "fingerprint": strings.TrimSuffix(strings.Repeat("A1:", 32), ":")}
		answer(w, 200, f.trust)
	}))
	mux.HandleFunc("PATCH /api/devices/{id}", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		name := read(r)["name"]
		for _, d := range f.devices {
			if d["id"] == r.PathValue("id") {
				d["name"] = name
			}
		}
		answer(w, 200, object{"id": r.PathValue("id"), "name": name})
	}))
	mux.HandleFunc("DELETE /api/devices/{id}", f.signedIn("owner", func(w http.ResponseWriter, r *http.Request) {
		f.devices = without(f.devices, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /media/upload", f.upload)
}

// upload hashes what it gets, and lies about it when told to.
func (f *fake) upload(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("filename")
	if strings.HasPrefix(name, "slow") {
		select {
		case <-f.slow:
		case <-r.Context().Done():
		}
	}
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		return
	}
	f.Lock()
	defer f.Unlock()
	f.calls = append(f.calls, "UPLOAD "+name)
	sum := hex.EncodeToString(h.Sum(nil))
	if f.lie > 0 {
		f.lie--
		sum = strings.Repeat("0", 64)
	}
	answer(w, 201, object{"url": "/media/1", "items": []object{{"id": "1", "name": name, "size": n, "sha256": sum}}})
}
