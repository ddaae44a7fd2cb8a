package httpapi

import (
	"net/http"
	"testing"
)

func TestCapabilityIsCalledByItsID(t *testing.T) {
	p := newPlanes(t)
	w := p.world
	callers := w.allCallers()
	for _, tt := range []struct {
		caller, method, path string
		status               int
	}{
		{"owner", "POST", "/capabilities/echo.small", http.StatusOK},
		{"owner's browser", "POST", "/capabilities/echo.small?x=1", http.StatusOK},
		{"owner", "GET", "/capabilities/echo.small", http.StatusMethodNotAllowed},
		{"owner", "POST", "/capabilities/echo.large", http.StatusNotFound},
		{"owner", "POST", "/capabilities/", http.StatusNotFound},
		{"paired gateway", "POST", "/capabilities/echo.small", http.StatusForbidden},
		{"script", "POST", "/capabilities/echo.small", http.StatusForbidden},
		{"phone", "POST", "/capabilities/nothing", http.StatusNotFound},
		{"nobody", "POST", "/capabilities/echo.small", http.StatusUnauthorized},
		{"nobody", "POST", "/capabilities/nothing", http.StatusUnauthorized},
		{"made-up token", "POST", "/capabilities/echo.small", http.StatusUnauthorized},
		{"gateway's token without its key", "POST", "/capabilities/echo.small", http.StatusUnauthorized},
	} {
		got := w.do(callers[tt.caller], tt.method, tt.path, smallBody())
		if got.status != tt.status {
			t.Errorf("%s %s as %s: %d %s, want %d", tt.method, tt.path, tt.caller, got.status, got.body, tt.status)
		}
		if got.status == http.StatusOK && string(got.body) != string(smallBody()) {
			t.Errorf("as %s: %s", tt.caller, got.body)
		}
		if got.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != "POST" {
			t.Errorf("Allow: %v", got.header)
		}
		if got.status >= 400 {
			checkError(t, w, tt.path+" as "+tt.caller, got)
		}
	}
}
