package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// browser is a caller that keeps cookies.
func (w *world) browser() caller {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	nobody := w.callers()["nobody"]
	return caller{"browser", &http.Client{Transport: nobody.client.Transport, Jar: jar}, nobody.base, ""}
}

// linkSecret makes a sign-in link as the owner would and returns its secret.
func (w *world) linkSecret() string {
	w.t.Helper()
	got := w.do(w.callers()["owner"], "POST", "/auth/links", nil)
	var body linkBody
	if err := json.Unmarshal(got.body, &body); err != nil || got.status != http.StatusOK {
		w.t.Fatalf("link: %d %s", got.status, got.body)
	}
	link, err := url.Parse(body.Link)
	if err != nil || link.Path != "/open" || link.Fragment == "" || link.RawQuery != "" {
		w.t.Fatalf("link is %q", body.Link)
	}
	return link.Fragment
}

func TestSignInWithALink(t *testing.T) {
	w := newWorld(t)
	secret := w.linkSecret()
	b := w.browser()
	if got := w.do(b, "GET", "/api/tokens", nil); got.status != http.StatusUnauthorized {
		t.Fatalf("before: %d", got.status)
	}
	if got := w.do(b, "GET", "/open", nil); got.status != http.StatusOK { // a look uses nothing up
		t.Fatalf("page: %d", got.status)
	}
	got := w.do(b, "POST", "/auth/session", []byte(`{"secret":"`+secret+`"}`))
	if got.status != http.StatusOK {
		t.Fatalf("sign in: %d %s", got.status, got.body)
	}
	cookie := got.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-salita=salita_session_", "; secure", "; HttpOnly", "; SameSite=Lax", "; path=/"} {
		if !strings.Contains(strings.ToLower(cookie), strings.ToLower(want)) {
			t.Errorf("cookie %q lacks %q", cookie, want)
		}
	}
	if strings.Contains(string(got.body), "salita_session_") {
		t.Error("the answer's body holds the secret")
	}
	if got := w.do(b, "GET", "/api/tokens", nil); got.status != http.StatusOK {
		t.Errorf("as the owner: %d %s", got.status, got.body)
	}
	for range 2 {
		if got := w.do(w.browser(), "POST", "/auth/session", []byte(`{"secret":"`+secret+`"}`)); got.status != http.StatusGone {
			t.Errorf("the link worked again: %d", got.status)
		}
	}

	var list []sessionBody
	got = w.do(b, "GET", "/api/sessions", nil)
	if err := json.Unmarshal(got.body, &list); err != nil || len(list) != 1 || !list[0].Current || list[0].Kind != "owner" {
		t.Fatalf("sessions: %s", got.body)
	}
	if got := w.do(b, "DELETE", "/auth/session", nil); got.status != http.StatusNoContent {
		t.Errorf("sign out: %d %s", got.status, got.body)
	}
	if got := w.do(b, "GET", "/api/tokens", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", got.status)
	}
}

func TestSessionEndedElsewhere(t *testing.T) {
	w := newWorld(t)
	b, other := w.browser(), w.browser()
	for _, c := range []caller{b, other} {
		if got := w.do(c, "POST", "/auth/session", []byte(`{"secret":"`+w.linkSecret()+`"}`)); got.status != http.StatusOK {
			t.Fatalf("sign in: %d", got.status)
		}
	}
	var list []sessionBody
	if err := json.Unmarshal(w.do(b, "GET", "/api/sessions", nil).body, &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if !s.Current {
			if got := w.do(b, "DELETE", "/api/sessions/"+string(s.ID), nil); got.status != http.StatusNoContent {
				t.Errorf("end the other session: %d", got.status)
			}
		}
	}
	if got := w.do(other, "GET", "/api/tokens", nil); got.status != http.StatusUnauthorized {
		t.Errorf("the ended session: %d", got.status)
	}
	if got := w.do(b, "GET", "/api/tokens", nil); got.status != http.StatusOK {
		t.Errorf("the one that ended it: %d", got.status)
	}
}

func TestSignedInBrowserIsStillGuarded(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if got := w.do(b, "POST", "/auth/session", []byte(`{"secret":"`+w.linkSecret()+`"}`)); got.status != http.StatusOK {
		t.Fatalf("sign in: %d", got.status)
	}
	if got := w.ask(b, "POST", "/auth/pair/start", "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden {
		t.Errorf("another site opened a window: %d", got.status)
	}
	if got := w.ask(b, "GET", "/api/tokens", "evil.example"); got.status != http.StatusForbidden {
		t.Errorf("a rebound name was answered: %d %s", got.status, got.body)
	}
}

func TestWrongSecrets(t *testing.T) {
	w := newWorld(t)
	var shape string
	for _, secret := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 50_000)} {
		got := w.do(w.browser(), "POST", "/auth/session", []byte(`{"secret":"`+secret+`"}`))
		var body struct{ Error, Code string }
		if err := json.Unmarshal(got.body, &body); err != nil || got.status != http.StatusGone {
			t.Fatalf("secret of %d characters: %d %s", len(secret), got.status, got.body)
		}
		if shape == "" {
			shape = body.Error + body.Code
		}
		if body.Error+body.Code != shape {
			t.Errorf("wrong secrets are answered differently: %q, %q", body.Error+body.Code, shape)
		}
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	nobody := w.callers()["nobody"]
	for _, path := range []string{"/", "/open", "/add", "/join"} {
		got := w.do(nobody, "GET", path, nil)
		if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("GET %s: %d %s", path, got.status, got.header.Get("Content-Type"))
		}
		if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: policy %q", path, csp)
		}
		again := w.ask(nobody, "GET", path, "", "If-None-Match", got.header.Get("ETag"))
		if again.status != http.StatusNotModified || len(again.body) != 0 {
			t.Errorf("GET %s again: %d", path, again.status)
		}
	}
	for _, path := range []string{"/assets/nothing.js", "/assets/../open", "/assets/%2e%2e/open", "/assets/"} {
		if got := w.do(nobody, "GET", path, nil); got.status != http.StatusNotFound && got.status != http.StatusUnauthorized && path != "/assets/../open" {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
}
