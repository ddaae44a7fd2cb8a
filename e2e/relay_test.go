package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// relay stands between two gateways, ends TLS with a key of its own on both
// sides, and passes everything on.
func relay(t *testing.T, target string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:         []string{"salita-peer/1"},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true,
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := tls.Dial("tcp", target, config)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { io.Copy(out, in); out.CloseWrite() }()
				io.Copy(in, out)
			}()
		}
	}()
	return ln.Addr().String()
}

// TestRelayInTheMiddle lets Laptop reach Desktop only through a relay, by
// address and by a link that the relay has rewritten. Even with the right number
// both sides abort, and nothing is stored.
func TestRelayInTheMiddle(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	middle := relay(t, desktop.address)
	for name, target := range map[string]func(link string) string{
		"by address": func(string) string { return middle },
		"by a link with the relay's address": func(link string) string {
			return strings.ReplaceAll(link, desktop.address, middle)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, opened, err := desktop.openWindow()
			if err != nil {
				t.Fatal(err)
			}
			defer w.cancel()
			r := laptop.join(target(opened.Link), func() string {
				if name != "by address" {
					return "000000" // it will not come to a number
				}
				e, err := w.next("claimed")
				if err != nil {
					t.Error(err)
				}
				return e.PIN
			})
			if r.code == 0 {
				t.Errorf("joined through a relay: %s", r.out)
			}
			if len(desktop.deviceList())+len(laptop.deviceList()) != 0 {
				t.Error("something was stored")
			}
		})
	}
	// The relay itself works: without the pairing's own check it would pass.
	conn, err := net.DialTimeout("tcp", middle, patience)
	if err != nil {
		t.Fatalf("the relay does not listen: %v", err)
	}
	conn.Close()
}
