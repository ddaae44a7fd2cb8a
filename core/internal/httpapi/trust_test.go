package httpapi

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestTrustIsOfferedOnlyWhenEnabled(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	script, owner := callers["script"], callers["owner"]
	for _, path := range []string{"/trust/salita.crt", "/trust/salita.mobileconfig"} {
		if got := w.do(script, "GET", path, nil); got.status != http.StatusNotFound {
			t.Errorf("GET %s before: %d", path, got.status)
		}
	}
	var state trustBody
	if err := json.Unmarshal(w.do(script, "GET", "/api/trust", nil).body, &state); err != nil || state.Enabled {
		t.Errorf("before: %+v, %v", state, err)
	}
	if got := w.do(owner, "POST", "/api/trust", nil); got.status != http.StatusOK {
		t.Fatalf("enable: %d %s", got.status, got.body)
	}
	if err := json.Unmarshal(w.do(script, "GET", "/api/trust", nil).body, &state); err != nil || !state.Enabled || len(state.Fingerprint) != 95 {
		t.Errorf("after: %+v, %v", state, err)
	}
	got := w.do(script, "GET", "/trust/salita.crt", nil)
	ca, err := x509.ParseCertificate(got.body)
	if err != nil || !ca.IsCA || !ca.PermittedDNSDomainsCritical || got.header.Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("authority: %v, headers %v", err, got.header)
	}
	if got := w.do(script, "GET", "/trust/salita.mobileconfig", nil); got.status != http.StatusOK || !strings.Contains(string(got.body), "<plist") {
		t.Errorf("profile: %d", got.status)
	}
}
