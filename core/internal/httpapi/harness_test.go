package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/events"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/pairing"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/core/internal/router"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/store"
	"github.com/salita-mesh/salita/core/internal/tokens"
)

// world is a gateway's HTTP interface over real TLS and a real store, with a
// paired gateway and a paired script as its callers.
type world struct {
	t       testing.TB
	server  *Server
	store   *store.Store
	logs    *lockedBuffer
	address string
	socket  string

	gateway       *identity.Identity // another gateway, paired
	gatewayToken  string
	stranger      *identity.Identity // another gateway, not paired
	scriptToken   string             // devices:read and media:read
	powerlessOnes string             // a token that is granted nothing
}

func newIdentity(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.Open(t.TempDir(), identity.Options{Name: "test", Hosts: func() []string { return []string{"127.0.0.1"} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { id.Close() })
	return id
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, logs: &lockedBuffer{}, gateway: newIdentity(t), stranger: newIdentity(t)}
	self, ctx := newIdentity(t), t.Context()
	log := hclog.New(&hclog.LoggerOptions{Output: w.logs, Level: hclog.Debug})
	db, err := store.Open(ctx, store.Options{
		Path: filepath.Join(t.TempDir(), "salita.db"), BackupDir: t.TempDir(), Sealer: self, Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.store = db
	verifier, err := tokens.New(ctx, db, mesh.TokenPolicy{Lifetime: time.Hour, RenewWithin: time.Minute}, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	signedIn, err := sessions.New(ctx, db, mesh.TokenPolicy{Lifetime: time.Hour, RenewWithin: time.Minute}, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	peers := peer.New(self, db, log)
	t.Cleanup(func() { peers.Close() })
	list, err := devices.New(ctx, devices.Options{
		Store: db, Caller: peers, Access: []devices.Access{verifier, devices.AccessFunc(signedIn.RemoveDevice)},
		LastUses: func() map[mesh.DeviceID]time.Time { return nil }, Interval: time.Hour, Timeout: time.Second, Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	host := plugins.New(plugins.Options{DataDir: t.TempDir(), Log: log})
	pairings := pairing.New(pairing.Config{
		Self: func() pairing.Self {
			return pairing.Self{ID: self.ID(), Name: self.Name(), Key: self.Key(), Addresses: []string{"127.0.0.1:6969"}}
		},
		Store: db, Tokens: verifier, Sessions: signedIn, Caller: peers, Log: log,
	})

	pair := func(d mesh.Device, grant mesh.Grant) string {
		secret, issued := verifier.Issue(d.ID, d.Key, grant)
		stored, err := db.CompletePairing(ctx, mesh.Pairing{Device: d, Issued: issued}, nil)
		if err != nil {
			t.Fatal(err)
		}
		verifier.Publish(issued)
		list.Paired(stored)
		return secret
	}
	w.gatewayToken = pair(mesh.Device{ID: w.gateway.ID(), Name: "Laptop", Kind: mesh.KindGateway, Key: w.gateway.Key(), PairedAt: time.Now()}, mesh.Grant{"media:*", "devices:read"})
	w.scriptToken = pair(mesh.Device{ID: "script", Name: "Script", Kind: mesh.KindScript, PairedAt: time.Now()}, mesh.Grant{"media:read", "devices:read"})
	w.powerlessOnes = pair(mesh.Device{ID: "powerless", Name: "Powerless", Kind: mesh.KindScript, PairedAt: time.Now()}, nil)

	w.server = New(Services{
		Identity: self, Auth: auth.New(verifier, signedIn, list), Tokens: verifier, Sessions: signedIn, Devices: list, Pairing: pairings,
		Plugins: host, Config: &fakeConfig{}, Events: events.New(64, time.Now), Imported: db, Activity: db, Backups: db, Router: router.New(host), Peers: peers, Names: identity.LocalHosts, Address: func() string { return w.address }, Version: "test", Log: log,
	})
	w.serve(self)
	return w
}

func (w *world) serve(self *identity.Identity) {
	t := w.t
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	public := listener.New(tcp, listener.Options{TLS: self.ServerTLS()})
	w.address = tcp.Addr().String()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.socket = filepath.Join(dir, "admin.sock")
	private, err := listener.ListenOwner(w.socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	for _, ln := range []net.Listener{public, private} {
		serving.Go(func() { w.server.Serve(ln) })
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.server.Shutdown(ctx)
		public.Close()
		private.Close()
		serving.Wait()
	})
}

// caller is one kind of client.
type caller struct {
	name   string
	client *http.Client
	base   string
	token  string
}

func (w *world) callers() map[string]caller {
	unix := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", w.socket)
	}}
	browser := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	asGateway := func(id *identity.Identity) *http.Transport {
		key := w.server.Identity.Key()
		return &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := tls.Dialer{Config: id.ClientTLS(&key)}
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return struct{ net.Conn }{c}, nil // net/http would close a protocol it does not know
		}}
	}
	tlsBase := "https://" + w.address
	fake, _ := mesh.NewToken()
	out := map[string]caller{}
	for _, c := range []caller{
		{"owner", &http.Client{Transport: unix}, "http://salita", ""},
		{"nobody", &http.Client{Transport: browser}, tlsBase, ""},
		{"paired gateway", &http.Client{Transport: asGateway(w.gateway)}, tlsBase, w.gatewayToken},
		{"paired gateway without its token", &http.Client{Transport: asGateway(w.gateway)}, tlsBase, ""},
		{"gateway's token without its key", &http.Client{Transport: browser}, tlsBase, w.gatewayToken},
		{"gateway's token with another key", &http.Client{Transport: asGateway(w.stranger)}, tlsBase, w.gatewayToken},
		{"script", &http.Client{Transport: browser}, tlsBase, w.scriptToken},
		{"powerless", &http.Client{Transport: browser}, tlsBase, w.powerlessOnes},
		{"made-up token", &http.Client{Transport: browser}, tlsBase, fake},
		{"garbage token", &http.Client{Transport: browser}, tlsBase, "x"},
	} {
		out[c.name] = c
	}
	return out
}

// allCallers are the callers and the browsers that are signed in, or were.
func (w *world) allCallers() map[string]caller {
	out := w.callers()
	nobody := out["nobody"]
	ended, _ := mesh.NewSessionSecret()
	for name, secret := range map[string]string{
		"owner's browser":    w.ownerSession(),
		"phone":              w.phoneSession(),
		"signed-out browser": ended,
	} {
		out[name] = caller{name, &http.Client{Transport: withCookie{nobody.client.Transport, secret}}, nobody.base, ""}
	}
	return out
}

// withCookie is a browser that holds a session.
type withCookie struct {
	http.RoundTripper
	secret string
}

func (b withCookie) RoundTrip(req *http.Request) (*http.Response, error) {
	req.AddCookie(&http.Cookie{Name: sessionCookie, Value: b.secret})
	return b.RoundTripper.RoundTrip(req)
}

func (w *world) ownerSession() string {
	w.t.Helper()
	link, _ := w.server.Sessions.MintLink()
	secret, _, err := w.server.Sessions.Redeem(w.t.Context(), link, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// phoneSession pairs a phone, anew each time, and returns its session.
func (w *world) phoneSession() string {
	w.t.Helper()
	ctx, d := w.t.Context(), mesh.Device{ID: mesh.NewDeviceID(), Name: "iPhone", Kind: mesh.KindBrowser, PairedAt: time.Now()}
	grant := mesh.Grant{"media:*", "devices:read"}
	_, issued := w.server.Tokens.Issue(d.ID, mesh.KeyHash{}, grant)
	secret, session := w.server.Sessions.Issue(d.ID, grant, "test")
	stored, err := w.store.CompletePairing(ctx, mesh.Pairing{Device: d, Issued: issued, Session: &session}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.Tokens.Publish(issued)
	w.server.Sessions.Publish(session)
	w.server.Devices.Paired(stored)
	return secret
}

// answer is a response that was read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) do(c caller, method, path string, body []byte) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return w.send(c, req)
}

func (w *world) send(c caller, req *http.Request) answer {
	w.t.Helper()
	resp, err := c.client.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s as %s: %v", req.Method, req.URL, c.name, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
