package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// browserLike is an HTTPS client without a key of its own, as browsers and
// scripts are.
func browserLike() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}

// post sends JSON over TLS and decodes the answer, or returns its status.
func (g *gateway) post(path string, in, out any) (*http.Response, []byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, nil, err
	}
	resp, err := browserLike().Post("https://"+g.address+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusOK && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return resp, answer, err
}

// opened is a pairing window as the API describes it.
type opened struct {
	Code        string `json:"code"`
	LinkingCode string `json:"linking_code"`
	Link        string `json:"link"`
}

func (g *gateway) startPairing(t *testing.T) opened {
	t.Helper()
	resp, err := g.owner().Post("http://salita/auth/pair/start", "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var w opened
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
		t.Fatal(err)
	}
	return w
}

// number is what the gateway shows to its owner.
func (g *gateway) number(t *testing.T, code string) string {
	t.Helper()
	var state struct{ State, PIN string }
	if err := g.get("/auth/pair/"+code, &state); err != nil {
		t.Fatal(err)
	}
	return state.PIN
}

// access is what a phone or script is given.
type access struct {
	SessionToken string `json:"session_token"`
	PeerNode     struct {
		NodeID      string   `json:"node_id"`
		Name        string   `json:"name"`
		AccessToken string   `json:"access_token"`
		Permissions []string `json:"permissions"`
		ExpiresAt   string   `json:"expires_at"`
	} `json:"peer_node"`
}

func claimBody(w opened, name, kind string) map[string]any {
	return map[string]any{"code": w.Code, "linking_code": w.LinkingCode, "name": name, "kind": kind}
}

func verifyBody(w opened, pin, name, kind string) map[string]any {
	return map[string]any{
		"code": w.Code, "pin": pin, "linking_code": w.LinkingCode,
		"node_identity": map[string]any{"node_id": "", "name": name, "hostname": "", "port": 0, "capabilities": []string{}, "kind": kind},
	}
}

// pairScript pairs a program that holds a token.
func (g *gateway) pairScript(t *testing.T, name string) access {
	t.Helper()
	w := g.startPairing(t)
	if resp, answer, err := g.post("/auth/pair/claim", claimBody(w, name, "script"), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("claim: %v %s", err, answer)
	}
	var got access
	resp, answer, err := g.post("/auth/pair/verify", verifyBody(w, g.number(t, w.Code), name, "script"), &got)
	if err != nil || resp.StatusCode != http.StatusOK || got.PeerNode.AccessToken == "" {
		t.Fatalf("verify: %v %s", err, answer)
	}
	return got
}

// with sends a request with a bearer token over TLS.
func (g *gateway) with(token, method, path string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequest(method, "https://"+g.address+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := browserLike().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

func TestPhoneOrScriptPairsOverHTTPS(t *testing.T) {
	g := newGateway(t, "Desktop")
	w := g.startPairing(t)
	if pin := g.number(t, w.Code); pin != "" {
		t.Errorf("there is a number before a claim: %q", pin)
	}
	for range 3 { // looks and reloads use nothing up
		if resp, err := browserLike().Get("https://" + g.address + "/join"); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("join page: %v", err)
		}
	}
	wrong := w
	wrong.LinkingCode = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	if resp, answer, _ := g.post("/auth/pair/claim", claimBody(wrong, "Mallory", "browser"), nil); resp.StatusCode/100 == 2 {
		t.Errorf("claimed with a wrong secret: %s", answer)
	}
	var claimed struct{ Gateway struct{ Name string } }
	if resp, answer, err := g.post("/auth/pair/claim", claimBody(w, "iPhone", "browser"), &claimed); err != nil || resp.StatusCode != http.StatusOK || claimed.Gateway.Name != "Desktop" {
		t.Fatalf("claim: %v %s", err, answer)
	}
	if resp, answer, _ := g.post("/auth/pair/claim", claimBody(w, "Mallory", "browser"), nil); resp.StatusCode/100 == 2 {
		t.Errorf("a second claim: %s", answer)
	}
	pin := g.number(t, w.Code)
	if len(pin) != 6 {
		t.Fatalf("number is %q", pin)
	}
	if resp, answer, _ := g.post("/auth/pair/verify", verifyBody(w, wrongPIN(pin), "iPhone", "browser"), nil); resp.StatusCode/100 == 2 {
		t.Errorf("a wrong number: %s", answer)
	}
	var got access
	resp, answer, err := g.post("/auth/pair/verify", verifyBody(w, pin, "iPhone", "browser"), &got)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("verify: %v %s", err, answer)
	}
	cookies := resp.Cookies()
	if len(cookies) != 1 || cookies[0].Name[:7] != "__Host-" || !cookies[0].Secure || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Errorf("cookies are %v", cookies)
	}
	list := g.deviceList()
	if len(list) != 1 || list[0].Name != "iPhone" || list[0].Kind != "browser" {
		t.Errorf("devices are %+v", list)
	}

	token := got.PeerNode.AccessToken
	if status, body, err := g.with(token, "POST", "/media/upload?filename=a.jpg", bytes.NewReader([]byte("photo"))); err != nil || status != http.StatusCreated {
		t.Errorf("upload: %d %s %v", status, body, err)
	}
	if status, _, _ := g.with(token, "GET", "/api/devices", nil); status != http.StatusOK {
		t.Errorf("devices: %d", status)
	}
	if status, _, _ := g.with(token, "POST", "/auth/pair/start", bytes.NewReader([]byte("{}"))); status != http.StatusForbidden {
		t.Errorf("a phone may open a window: %d", status)
	}
	g.must("devices", "remove", list[0].ID)
	if status, _, _ := g.with(token, "GET", "/api/devices", nil); status != http.StatusUnauthorized {
		t.Errorf("after removal: %d", status)
	}
	req, _ := http.NewRequest("GET", "https://"+g.address+"/api/devices", nil)
	req.AddCookie(cookies[0])
	if resp, err := browserLike().Do(req); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session after removal: %v %v", resp, err)
	}
}

func TestRevocationSurvivesAKill(t *testing.T) {
	g := newGateway(t, "Desktop")
	script := g.pairScript(t, "backup script")
	if status, _, _ := g.with(script.PeerNode.AccessToken, "GET", "/health", nil); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	resp, err := g.owner().Post("http://salita/api/tokens/revoke/"+g.deviceList()[0].ID, "application/json", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("revoke: %v %v", resp, err)
	}
	resp.Body.Close()
	g.kill()
	g.start()
	if status, body, _ := g.with(script.PeerNode.AccessToken, "GET", "/health", nil); status != http.StatusUnauthorized {
		t.Errorf("after kill -9: %d %s", status, body)
	}
	fmt.Fprintln(t.Output(), "revoked", script.PeerNode.Name)
}
