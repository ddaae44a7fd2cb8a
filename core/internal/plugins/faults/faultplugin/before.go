//go:build unix

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// beforeHandshake are the faults in place of a handshake, or before it. Those
// that return let the plugin go on as a good one.
var beforeHandshake = map[string]func(){
	// Row 1.
	"exit0":  func() { end(0) },
	"exit1":  func() { end(1) },
	"killed": func() { lastWords(); lastBreath(); _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) },
	// Row 2.
	"hangs": func() { fmt.Fprintln(os.Stderr, "still thinking"); forever() },
	// Row 3.
	"chatty": func() { fmt.Println("Welcome to \x1b[31mchatty\x1b[0m!") },
	// Row 4.
	"endless": func() { pour(os.Stdout, []byte(strings.Repeat("x", 64<<10)), 1<<62); forever() },
	"garbage": func() { pour(os.Stdout, noise(64<<10), 1<<62); forever() },
	"noisy":   func() { pour(os.Stderr, noise(64<<10), volume()) },
	"oneline": func() { pour(os.Stderr, []byte(strings.Repeat("x", 64<<10)), volume()); fmt.Fprintln(os.Stderr) },
	// Row 5.
	"short":   func() { say("1|1|unix") },
	"oldcore": func() { say("9|1|unix|/x|grpc|%s", junkCertificate) },
	"newer":   func() { say("1|7|unix|/x|grpc|%s", junkCertificate) },
	"older":   func() { say("1|0|unix|/x|grpc|%s", junkCertificate) },
	"netrpc":  func() { say("1|1|unix|/x|netrpc|%s", junkCertificate) },
	"closes":  func() { _ = os.Stdout.Close(); _ = syscall.Close(1); forever() },
	// Row 6.
	"foreign":  func() { say("1|1|%s|grpc|%s", fromFile("foreign", ""), junkCertificate) },
	"climbing": func() { say("1|1|unix|%s/../x|grpc|%s", socketDir(), junkCertificate) },
	"linked": func() {
		_, address, _ := strings.Cut(fromFile("foreign", ""), "|")
		_ = os.Symlink(address, filepath.Join(socketDir(), "p"))
		say("1|1|unix|%s|grpc|%s", filepath.Join(socketDir(), "p"), certificate())
	},
	// Row 7.
	"dead": func() {
		l := listen()
		l.SetUnlinkOnClose(false)
		_ = l.Close()
		say("1|1|unix|%s|grpc|%s", filepath.Join(socketDir(), "p"), certificate())
	},
	"silent": func() { listen(); say("1|1|unix|%s|grpc|%s", filepath.Join(socketDir(), "p"), certificate()) },
	"nocert": func() { listen(); say("1|1|unix|%s|grpc|", filepath.Join(socketDir(), "p")) },
	"badcert": func() {
		listen()
		say("1|1|unix|%s|grpc|%s", filepath.Join(socketDir(), "p"), junkCertificate)
	},
	// Row 8.
	"badlog": func() {
		for _, line := range []string{`{"@message": 1}`, `{"@level": [], "@timestamp": {}}`, `{"salita_log":1,"level":7}`, `{"@level":"error","@message":{"a":[1]}}`, `[1,2`, `null`} {
			fmt.Fprintln(os.Stderr, line)
		}
	},
}

// junkCertificate is long enough to pass for a certificate.
var junkCertificate = strings.Repeat("QUJD", 40)

// certificate parses, so that whoever reads it goes on to connect.
func certificate() string {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return base64.RawStdEncoding.EncodeToString(der)
}

func socketDir() string { return os.Getenv("PLUGIN_UNIX_SOCKET_DIR") }

func listen() *net.UnixListener {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(socketDir(), "p"), Net: "unix"})
	if err != nil {
		panic(err)
	}
	return l
}

// say prints a handshake and does nothing more.
func say(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	forever()
}

// forever is a select without cases, for a process in which nothing else goes on.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

func lastWords() { fmt.Fprintln(os.Stderr, "no disk in the drive") }

func end(code int) {
	lastWords()
	lastBreath()
	os.Exit(code)
}

// volume is how much a noisy plugin writes, in bytes.
func volume() int {
	n, err := strconv.Atoi(fromFile("volume", "33554432"))
	if err != nil {
		panic(err)
	}
	return n
}

// pour writes the piece again and again.
func pour(out *os.File, piece []byte, total int) {
	for total > 0 {
		n, err := out.Write(piece)
		if err != nil {
			return
		}
		total -= n
	}
}

// noise is binary, with line ends in it.
func noise(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(mrand.Uint32())
	}
	return p
}
