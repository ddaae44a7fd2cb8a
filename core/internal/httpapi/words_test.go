package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// TestWordsForPeople provokes the plain sentences that this package's routes
// answer with. Those of sending, pairing and the disk are provoked with real
// programs, in e2e.
func TestWordsForPeople(t *testing.T) {
	w := newWorld(t)
	callers := w.allCallers()
	tests := []struct {
		what   string
		as     string
		method string
		path   string
		body   string
		status int
		says   string
	}{
		{"a token that opens nothing", "made-up token", "GET", "/health", "", 401, "Device needs re-pairing"},
		{"no sign of who it is", "nobody", "GET", "/health", "", 401, "Couldn't connect to device"},
		{"not permitted", "script", "POST", "/api/discover", "", 403, "This device can't do that."},
		{"a device that is not there", "owner", "DELETE", "/api/devices/nobody", "", 404, "Device not recognized"},
		{"a script is asked to store", "owner", "POST", "/api/devices/script/send?filename=a.jpg", "x", 403, "Script can't do that"},
		{"a gateway that we cannot call", "owner", "POST", "/api/devices/" + string(w.gateway.ID()) + "/send?filename=a.jpg", "x", 401, "Laptop needs re-pairing"},
		{"an old code", "nobody", "POST", "/auth/pair/claim", `{"code":"aaaaaaaaaaaaaaaaaaaaaaaaaa","linking_code":"aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"x","kind":"browser"}`, 410, "This code has expired. Show a new one."},
		{"no name", "owner", "POST", "/api/node/identity", `{"name":" "}`, 400, ""},
		{"nonsense", "owner", "POST", "/api/node/identity", `{`, 400, "That request can't be understood."},
		{"a name that is not ours", "script", "GET", "http://evil.example/health", "", 403, "This device doesn't go by that name."},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			host, path := "", tt.path
			if rest, ok := strings.CutPrefix(path, "http://"); ok {
				host, path, _ = strings.Cut(rest, "/")
				path = "/" + path
			}
			c := callers[tt.as]
			req, err := http.NewRequestWithContext(t.Context(), tt.method, c.base+path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			got := w.send(c, req)
			var body sdk.ErrorBody
			if err := json.Unmarshal(got.body, &body); err != nil || got.status != tt.status || !strings.Contains(body.Error, tt.says) {
				t.Errorf("answered %d %s, want %d %q", got.status, got.body, tt.status, tt.says)
			}
			checkError(t, w, tt.what, got)
			for _, word := range []string{"token", "permission", "peer", "node", "certificate", "TLS", "socket", "port", "127.0.0.1"} {
				if strings.Contains(body.Error+body.Hint, word) {
					t.Errorf("%q uses the word %q", body.Error, word)
				}
			}
		})
	}
}
