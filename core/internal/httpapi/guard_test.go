package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask sends a request with a Host and headers of the caller's choice.
func (w *world) ask(c caller, method, path, host string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, c.base+path, strings.NewReader("{}"))
	if err != nil {
		w.t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return w.send(c, req)
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	w := newWorld(t)
	script := w.callers()["script"]
	for _, host := range []string{"evil.example", "evil.example:6969", "localhost.evil.example", "127.0.0.1.evil.example", "LOCALHOSTX", ".", "-"} {
		got := w.ask(script, "GET", "/health", host)
		if got.status != http.StatusForbidden {
			t.Errorf("host %q: %d %s", host, got.status, got.body)
		} else {
			checkError(t, w, "host "+host, got)
		}
	}
	for _, host := range []string{"localhost", "LocalHost:6969", "127.0.0.1", "[::1]:6969", "192.168.1.5:443"} {
		if got := w.ask(script, "GET", "/health", host); got.status != http.StatusOK {
			t.Errorf("host %q: %d %s", host, got.status, got.body)
		}
	}
}

func TestOtherSitesCannotChangeAnything(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	own := "https://" + w.address
	tests := []struct {
		name    string
		method  string
		headers []string
		refused bool
	}{
		{"no browser", "POST", nil, false},
		{"own page", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", own}, false},
		{"own page in an old browser", "POST", []string{"Origin", own}, false},
		{"typed address", "POST", []string{"Sec-Fetch-Site", "none"}, false},
		{"another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, true},
		{"another site in an old browser", "POST", []string{"Origin", "https://evil.example"}, true},
		{"another port of this host", "POST", []string{"Sec-Fetch-Site", "same-site"}, true},
		{"opaque origin", "POST", []string{"Origin", "null"}, true},
		{"another site, DELETE", "DELETE", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"another site may look, and sees nothing", "GET", []string{"Sec-Fetch-Site", "cross-site"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := w.ask(callers["script"], tt.method, "/api/devices/nobody", "", tt.headers...)
			refused := got.status == http.StatusForbidden && strings.Contains(w.logs.String(), "another site asks for a change")
			if tt.refused && !refused {
				t.Errorf("answered %d %s", got.status, got.body)
			}
			got = w.ask(callers["nobody"], tt.method, "/livez", "", tt.headers...)
			if !tt.refused && got.status == http.StatusForbidden {
				t.Errorf("answered %d %s", got.status, got.body)
			}
		})
	}
}

func TestEveryAnswerIsHardened(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	for _, c := range []caller{callers["nobody"], callers["script"], callers["garbage token"]} {
		for _, path := range []string{"/livez", "/health", "/nothing", "/media//x"} {
			got := w.do(c, "GET", path, nil)
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
				"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if !strings.Contains(got.header.Get(name), want) {
					t.Errorf("GET %s as %s: %s is %q", path, c.name, name, got.header.Get(name))
				}
			}
			if got.header.Get("Server") != "" || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("GET %s as %s: headers %v", path, c.name, got.header)
			}
		}
	}
}

func TestOwnNamesAreLookedUpNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, names := 0, []string{"study.local"}
		own := ownNames{find: func() []string { looks++; return names }}
		for range 100 {
			if !own.hold("Study.Local") {
				t.Fatal("does not know its own name")
			}
		}
		for range 100 {
			if own.hold("evil.example") {
				t.Fatal("knows a stranger")
			}
		}
		if looks != 1 {
			t.Errorf("looked %d times within a moment", looks)
		}
		names = []string{"attic.local"}
		time.Sleep(namesRetry + 1)
		if !own.hold("attic.local") {
			t.Error("does not learn a new name")
		}
		time.Sleep(namesAge + 1)
		if own.hold("study.local") {
			t.Error("keeps an old name")
		}
	})
}
