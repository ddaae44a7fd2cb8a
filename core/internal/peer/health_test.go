package peer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestHealthComesOnce(t *testing.T) {
	other := newIdentity(t)
	var whole, same atomic.Int32
	var tag atomic.Value
	tag.Store(`"1"`)
	address := gateway(t, other, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag.Load().(string))
		if r.Header.Get("If-None-Match") == tag.Load() {
			same.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		whole.Add(1)
		fmt.Fprintf(w, `{"node_id":%q,"capabilities":[%q]}`, other.ID(), tag.Load())
	})
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	device := deviceAt(other.Key(), address)
	ask := func(want string) {
		t.Helper()
		got, err := c.Health(t.Context(), device)
		if err != nil || fmt.Sprint(got.Capabilities) != want {
			t.Fatalf("health is %+v, %v", got, err)
		}
	}
	for range 3 {
		ask(`["1"]`)
	}
	tag.Store(`"2"`)
	ask(`["2"]`)
	ask(`["2"]`)
	if whole.Load() != 2 || same.Load() != 3 {
		t.Errorf("%d whole answers, %d short ones", whole.Load(), same.Load())
	}
	c.Forget(device.ID) // a new pairing begins with a whole answer
	ask(`["2"]`)
	if whole.Load() != 3 {
		t.Errorf("%d whole answers after a new pairing", whole.Load())
	}
}

// TestLiarsAreBounded lets the pinned device itself send what no honest one does.
func TestLiarsAreBounded(t *testing.T) {
	piece := []byte(strings.Repeat("x", 64<<10))
	liars := map[string]http.HandlerFunc{
		"100 MB": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"name":"`)
			for range 1600 {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		},
		"a billion capabilities": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"capabilities":["a"`)
			for range 1_000_000_000 {
				if _, err := io.WriteString(w, `,"a"`); err != nil {
					return
				}
			}
		},
		"never-ending": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		},
		"nothing is new, to who knows nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"an endless head": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 5000 {
				w.Header().Set(fmt.Sprint("X-", i), "0123456789012345678901234567890123456789")
			}
		},
		"an error that is none": func(w http.ResponseWriter, _ *http.Request) {
			sdk.WriteJSON(w, http.StatusUnauthorized, sdk.ErrorBody{Code: sdk.NeedsRepair, Error: "no"})
		},
	}
	for name, liar := range liars {
		t.Run(name, func(t *testing.T) {
			other := newIdentity(t)
			address := gateway(t, other, liar)
			c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := c.Health(ctx, deviceAt(other.Key(), address))
			if sdk.KindOf(err) != sdk.Offline {
				t.Errorf("error is %v", err)
			}
			if text := err.Error(); len(text) > 1000 {
				t.Errorf("the error has %d bytes", len(text))
			}
		})
	}
}

func TestOddExpiriesAreIgnored(t *testing.T) {
	other := newIdentity(t)
	var expires string
	address := gateway(t, other, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(HeaderTokenExpires, expires) })
	tokens := &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}}
	c := newClient(t, tokens)
	for _, expires = range []string{"9999-12-31T23:59:59Z", "2001-01-01T00:00:00Z", "tomorrow", "0000-00-00T00:00:00Z"} {
		resp, err := c.Do(get(t, "/"), deviceAt(other.Key(), address))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !tokens.expires.IsZero() {
			t.Errorf("%s was kept as %v", expires, tokens.expires)
		}
	}
}

func TestLeaving(t *testing.T) {
	other := newIdentity(t)
	answer := http.StatusNoContent
	address := gateway(t, other, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != PathLeaving || r.ContentLength != 0 || r.Header.Get("Authorization") == "" {
			t.Errorf("%s %s of %d bytes", r.Method, r.URL, r.ContentLength)
		}
		w.WriteHeader(answer)
	})
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	if err := c.Leaving(t.Context(), deviceAt(other.Key(), address)); err != nil {
		t.Error(err)
	}
	answer = http.StatusNotFound // one that does not know the message
	if err := c.Leaving(t.Context(), deviceAt(other.Key(), address)); err == nil {
		t.Error("a 404 passed for an answer")
	}
}

// TestRefreshFindsTheNewAddress of a device whose connection leads nowhere.
func TestRefreshFindsTheNewAddress(t *testing.T) {
	other := newIdentity(t)
	answer := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"node_id":%q}`, other.ID()) }
	before, after := gateway(t, other, answer), gateway(t, other, answer)
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	if _, err := c.Health(t.Context(), deviceAt(other.Key(), before)); err != nil || c.Address(other.ID()) != before {
		t.Fatalf("at %s, %v", c.Address(other.ID()), err)
	}
	if _, err := c.Health(t.Context(), deviceAt(other.Key(), after)); err != nil || c.Address(other.ID()) != before {
		t.Errorf("over the kept connection: at %s, %v", c.Address(other.ID()), err)
	}
	c.links[other.ID()].dialer.good = "127.0.0.1:1" // nobody is there any more
	c.Refresh(other.ID())
	if _, err := c.Health(t.Context(), deviceAt(other.Key(), after)); err != nil || c.Address(other.ID()) != after {
		t.Errorf("anew: at %s, %v", c.Address(other.ID()), err)
	}
}

// TestFewAttemptsAtOnce counts the sockets that a silent device with many
// addresses costs.
func TestFewAttemptsAtOnce(t *testing.T) {
	var open, most atomic.Int32
	var addresses []string
	for range maxAddresses + 4 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		addresses = append(addresses, ln.Addr().String())
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				n := open.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				io.Copy(io.Discard, conn) // and says nothing
				open.Add(-1)
				conn.Close()
			}
		}()
	}
	c := newClient(t, &fakeTokens{token: mesh.PeerToken{Token: "salita_secret"}})
	ctx, cancel := context.WithTimeout(t.Context(), 6*headStart)
	defer cancel()
	if _, err := c.Health(ctx, deviceAt(mesh.KeyHash{1}, addresses...)); sdk.KindOf(err) != sdk.Offline {
		t.Errorf("error is %v", err)
	}
	if got := most.Load(); got < 1 || got > maxAttempts {
		t.Errorf("%d attempts at once", got)
	}
	d := &dialer{good: "a:1", addresses: addresses}
	if got := d.order(); len(got) != maxAddresses || got[0] != "a:1" {
		t.Errorf("tries %d addresses", len(got))
	}
}
