package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// anySecret is the form of every token and of every session's secret, also of
// those that only gateways see.
var anySecret = regexp.MustCompile(`salita_(session_)?[A-Za-z0-9_-]{43}[0-9a-f]{8}`)

// TestSecretsAreNowhere pairs, sends, signs in and fails in many ways, then looks
// for every secret that was issued in the logs, in every file of both data
// folders, in the plugins' environment, in all command lines, and in the bodies
// of all errors.
func TestSecretsAreNowhere(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	photo, _ := randomFile(t, "photo.jpg", 1<<20)
	laptop.must("send", photo, "--to", "Desktop")

	secrets := map[string]string{}
	var errors bytes.Buffer
	fail := func(g *gateway, path string, in any) {
		_, answer, err := g.post(path, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		errors.Write(answer)
	}

	script := desktop.pairScript(t, "script")
	secrets["access token"], secrets["session token"] = script.PeerNode.AccessToken, script.SessionToken
	link, err := url.Parse(strings.TrimSpace(desktop.must("open", "--print")))
	if err != nil {
		t.Fatal(err)
	}
	secrets["sign-in secret"] = link.Fragment
	resp, answer, err := desktop.post("/auth/session", map[string]string{"secret": link.Fragment}, nil)
	if err != nil || resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		t.Fatalf("sign in: %v %s", err, answer)
	}
	secrets["session cookie"] = resp.Cookies()[0].Value
	fail(desktop, "/auth/session", map[string]string{"secret": link.Fragment}) // a second time

	w := desktop.startPairing(t)
	secrets["linking code"] = w.LinkingCode
	desktop.post("/auth/pair/claim", claimBody(w, "phone", "browser"), nil)
	pin := desktop.number(t, w.Code)
	for range 5 {
		fail(desktop, "/auth/pair/verify", verifyBody(w, wrongPIN(pin), "phone", "browser"))
	}
	fail(desktop, "/auth/pair/verify", verifyBody(w, pin, "phone", "browser"))

	for _, token := range []string{script.PeerNode.AccessToken, script.PeerNode.AccessToken + "x", script.PeerNode.AccessToken[:40]} {
		for _, path := range []string{"/health", "/api/tokens", "/media/../x", "/media/nothing", "/nothing"} {
			_, body, err := desktop.with(token, "GET", path, nil)
			if err != nil {
				t.Fatal(err)
			}
			errors.Write(body)
		}
	}
	for _, pid := range family(t, desktop)[1:] {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(t, "the plugin is back", func() error { return desktop.get("/media", &struct{}{}) })
	desktop.must("devices", "remove", "Laptop")
	laptop.cli("", "send", photo, "--to", "Desktop")

	look := func(where string, text []byte) {
		if m := anySecret.Find(text); m != nil {
			t.Errorf("%s holds a secret: %.20s...", where, m)
		}
		for name, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds the %s", where, name)
			}
		}
	}
	for _, g := range []*gateway{desktop, laptop} {
		log := g.log.String()
		look(g.name+"'s log", []byte(log))
		if regexp.MustCompile(`\b` + pin + `\b`).MatchString(log) {
			t.Errorf("%s's log holds the number", g.name)
		}
		for _, pid := range family(t, g)[1:] {
			env, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "environ"))
			if err != nil {
				t.Fatal(err)
			}
			look(g.name+"'s plugin's environment", env)
		}
		lookInFiles(t, g.dir, look)
	}
	look("an error answer", errors.Bytes())
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range commands {
		if line, err := os.ReadFile(file); err == nil {
			look("the command line "+file, line)
		}
	}
	desktop.stop() // what is written at the end
	lookInFiles(t, desktop.dir, look)
	look("Desktop's log after the stop", []byte(desktop.log.String()))
}

func lookInFiles(t *testing.T, dir string, look func(string, []byte)) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		look(path, data)
		return nil
	})
	if err != nil || seen < 5 {
		t.Fatalf("looked at %d files in %s: %v", seen, dir, err)
	}
}
