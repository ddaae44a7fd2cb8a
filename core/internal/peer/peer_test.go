package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func newIdentity(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Open(t.TempDir(), identity.Options{Name: "test", Hosts: func() []string { return []string{"127.0.0.1"} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { id.Close() })
	return id
}

// gateway serves handler over TLS as a gateway with this identity would. The
// handler finds the caller's key with callerKey.
func gateway(t *testing.T, id *identity.Identity, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener = tlsListener{server.Listener, id.ServerTLS()}
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

type connKey struct{}

func callerKey(r *http.Request) (mesh.KeyHash, bool) {
	return identity.PeerKey(r.Context().Value(connKey{}).(hiddenTLS).Conn.(*tls.Conn).ConnectionState())
}

// tlsListener hides from net/http that its connections are TLS, because
// net/http closes those whose protocol it does not know.
type tlsListener struct {
	net.Listener
	config *tls.Config
}

func (l tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return hiddenTLS{tls.Server(c, l.config)}, nil
}

type hiddenTLS struct{ net.Conn }

type fakeTokens struct {
	mu      sync.Mutex
	token   mesh.PeerToken
	err     error
	expires time.Time
}

func (f *fakeTokens) PeerToken(context.Context, mesh.DeviceID) (mesh.PeerToken, error) {
	return f.token, f.err
}

func (f *fakeTokens) SetPeerTokenExpiry(_ context.Context, _ mesh.DeviceID, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = at
	return nil
}

func newClient(t *testing.T, tokens *fakeTokens) *Client {
	t.Helper()
	c := New(newIdentity(t), tokens, hclog.NewNullLogger())
	t.Cleanup(func() { c.Close() })
	return c
}

func deviceAt(key mesh.KeyHash, addresses ...string) mesh.Device {
	return mesh.Device{ID: key.DeviceID(), Name: "Laptop", Kind: mesh.KindGateway, Key: key, Addresses: addresses}
}

func get(t *testing.T, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestDoPresentsTokenAndKey(t *testing.T) {
	other := newIdentity(t)
	tokens := &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}}
	c := newClient(t, tokens)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	address := gateway(t, other, func(w http.ResponseWriter, r *http.Request) {
		key, ok := callerKey(r)
		if !ok || key.IsZero() || r.Header.Get("Authorization") != "Bearer salita_secret" {
			t.Errorf("key %v, authorization %q", ok, r.Header.Get("Authorization"))
		}
		w.Header().Set(HeaderTokenExpires, expires.Format(time.RFC3339))
		io.WriteString(w, r.URL.String())
	})
	resp, err := c.Do(get(t, "/media?limit=5"), deviceAt(other.Key(), address))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if string(body) != "/media?limit=5" {
		t.Errorf("asked for %q", body)
	}
	if !tokens.expires.Equal(expires) {
		t.Errorf("new expiry %v was not kept", tokens.expires)
	}
	if c.Address(other.ID()) != address {
		t.Errorf("last good address is %q", c.Address(other.ID()))
	}
}

func TestAnotherKeyAtTheAddressIsOffline(t *testing.T) {
	other, stranger := newIdentity(t), newIdentity(t)
	asked := false
	address := gateway(t, stranger, func(http.ResponseWriter, *http.Request) { asked = true })
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	_, err := c.Do(get(t, "/health"), deviceAt(other.Key(), address))
	if sdk.KindOf(err) != sdk.Offline || !errors.Is(err, identity.ErrWrongKey) {
		t.Errorf("error is %v", err)
	}
	if asked {
		t.Error("the stranger was sent a request")
	}
}

func TestOnlyTheGatewaysOwnWordMeansRepair(t *testing.T) {
	other := newIdentity(t)
	gatewaySays := true
	address := gateway(t, other, func(w http.ResponseWriter, _ *http.Request) {
		if gatewaySays {
			w.Header().Set(HeaderError, string(sdk.NeedsRepair))
		}
		sdk.WriteJSON(w, http.StatusUnauthorized, sdk.ErrorBody{Error: "no", Code: sdk.NeedsRepair})
	})
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	device := deviceAt(other.Key(), address)
	if _, err := c.Do(get(t, "/health"), device); sdk.KindOf(err) != sdk.NeedsRepair {
		t.Errorf("the gateway's refusal is %v", err)
	}
	gatewaySays = false
	resp, err := c.Do(get(t, "/media"), device)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a plugin's 401 became %v", err)
	}
	resp.Body.Close()
}

func TestDeviceThatCannotBeCalledNeedsRepair(t *testing.T) {
	c := newClient(t, &fakeTokens{err: &sdk.Error{Kind: sdk.NeedsRepair}})
	for name, device := range map[string]mesh.Device{
		"no key":   {ID: "old", Name: "Old", Kind: mesh.KindGateway},
		"no token": deviceAt(mesh.KeyHash{1}, "127.0.0.1:1"),
	} {
		if _, err := c.Do(get(t, "/health"), device); sdk.KindOf(err) != sdk.NeedsRepair {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLargeBodyStreamsBothWays(t *testing.T) {
	other := newIdentity(t)
	address := gateway(t, other, func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		n, err := io.Copy(hash, r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		fmt.Fprintf(w, "%d %x", n, hash.Sum(nil))
	})
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	data := make([]byte, 9<<20)
	rand.Read(data)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/media/upload", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req, deviceAt(other.Key(), address))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("%d %x", len(data), sha256.Sum256(data)); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestHealthDoesNotBelieveEverything(t *testing.T) {
	many := strings.Repeat(`"a.b",`, maxCapabilities) + `"a.b"`
	tests := []struct {
		name, body string
		offline    bool
		want       mesh.Health
	}{
		{name: "fine", body: `{"ok":true,"node_id":"ME","name":"La\u0000p","capabilities":["media.storage"]}`, want: mesh.Health{Name: "Lap", Capabilities: []string{"media.storage"}}},
		{name: "in any order, twice", body: `{"node_id":"ME","capabilities":["b","a","b"]}`, want: mesh.Health{Capabilities: []string{"a", "b"}}},
		{name: "another device's id", body: `{"node_id":"x","capabilities":["media.storage"]}`, offline: true},
		{name: "no id", body: `{"capabilities":["media.storage"]}`, offline: true},
		{name: "a capability that does not show", body: `{"node_id":"ME","capabilities":["a.b","\u202ea.b",""," ","a  b"]}`, want: mesh.Health{Capabilities: []string{"a.b"}}},
		{name: "deep", body: strings.Repeat("[", 60<<10), offline: true},
		{name: "not JSON", body: `<html>`, offline: true},
		{name: "endless", body: strings.Repeat(" ", 8<<20), offline: true},
		{name: "too many capabilities", body: `{"node_id":"ME","capabilities":[` + many + `]}`, offline: true},
		{name: "an endless word", body: `{"node_id":"ME","name":"n","capabilities":["` + strings.Repeat("a", 1000) + `"]}`, want: mesh.Health{Name: "n"}},
	}
	other := newIdentity(t)
	var body string
	address := gateway(t, other, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body = strings.Replace(tt.body, "ME", string(other.ID()), 1)
			c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
			got, err := c.Health(t.Context(), deviceAt(other.Key(), address))
			if (sdk.KindOf(err) == sdk.Offline) != tt.offline || errors.Is(err, mesh.ErrImplausible) != tt.offline {
				t.Fatalf("error is %v", err)
			}
			if err == nil && (got.Name != tt.want.Name || fmt.Sprint(got.Capabilities) != fmt.Sprint(tt.want.Capabilities) || got.DeviceID != other.ID()) {
				t.Errorf("health is %+v", got)
			}
		})
	}
}

func TestCallTellsTheKeyAndTheError(t *testing.T) {
	other := newIdentity(t)
	address := gateway(t, other, func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		json.NewDecoder(r.Body).Decode(&in)
		if r.Header.Get("Authorization") != "" {
			t.Error("a call to a stranger carries a token")
		}
		if in["pin"] != "right" {
			sdk.WriteJSON(w, http.StatusForbidden, sdk.ErrorBody{Error: "no\u202e \x1b[1m", Code: sdk.Forbidden})
			return
		}
		sdk.WriteJSON(w, http.StatusOK, map[string]string{"hello": "you"})
	})
	c := newClient(t, &fakeTokens{})
	var out map[string]string
	key, err := c.Call(t.Context(), []string{address}, nil, "/x", map[string]string{"pin": "right"}, &out)
	if err != nil || key != other.Key() || out["hello"] != "you" {
		t.Errorf("key %v, out %v, error %v", key, out, err)
	}
	_, err = c.Call(t.Context(), []string{address}, &key, "/x", map[string]string{"pin": "wrong"}, &out)
	if e := sdk.AsError(err); e.Kind != sdk.Forbidden || e.Message != "no [1m" {
		t.Errorf("error is %#v", e)
	}
	wrong := mesh.KeyHash{9}
	if _, err := c.Call(t.Context(), []string{address}, &wrong, "/x", nil, &out); sdk.KindOf(err) != sdk.Offline {
		t.Errorf("another key than pinned: %v", err)
	}
}

func TestDialTriesEveryAddress(t *testing.T) {
	other := newIdentity(t)
	address := gateway(t, other, func(http.ResponseWriter, *http.Request) {})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	device := deviceAt(other.Key(), silent.Addr().String(), closed.Addr().String(), address)
	resp, err := c.Do(get(t, "/health"), device)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c.Address(device.ID) != address {
		t.Errorf("answered at %q, want %q", c.Address(device.ID), address)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := dialFirst(ctx, device.Addresses, nil); err == nil {
		t.Error("dialled with an ended context")
	}
}
