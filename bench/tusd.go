package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
)

// tusDialect is the tus protocol's, version 1.0.0: creation with upload,
// termination, and tusd's own GET.
type tusDialect struct{}

var _ dialect = tusDialect{}

const tusVersion = "Tus-Resumable: 1.0.0"

func (tusDialect) upload(n int64) request {
	return request{method: "POST", path: "/files/", length: n, header: []string{
		tusVersion, "Content-Type: application/offset+octet-stream", "Upload-Length: " + strconv.FormatInt(n, 10),
	}}
}

func (tusDialect) stored(a answer) (path, sha256 string, err error) {
	location, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return "", "", err
	}
	if a.status != http.StatusCreated || location.Path == "" || a.header.Get("Upload-Offset") == "" {
		return "", "", fmt.Errorf("upload answered %d, location %q", a.status, location)
	}
	return location.Path, "", nil
}

func (tusDialect) download(path string) request {
	return request{method: "GET", path: path, length: -1}
}

func (tusDialect) remove(path string) request {
	return request{method: "DELETE", path: path, header: []string{tusVersion}, length: -1}
}

func (tusDialect) small(path string) request {
	return request{method: "HEAD", path: path, header: []string{tusVersion}, length: -1}
}

// startTusd runs the tus project's own server, storing on disk.
func startTusd(ctx context.Context, s *site) (*target, error) {
	program, err := s.goBuild(ctx, "bench/peers", "tusd", "github.com/tus/tusd/v2/cmd/tusd")
	if err != nil {
		return nil, err
	}
	dir, err := s.folder("tusd")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-host", host, "-port", port, "-upload-dir", dir, "-behind-proxy=false", "-verbose=false",
		"-tls-certificate", s.cert.cert, "-tls-key", s.cert.key, "-tls-mode", "tls13")
	stop, err := s.launch("tusd", cmd)
	if err != nil {
		return nil, err
	}
	t := &target{
		about:   "tusd, the tus project's upload server, in one process: it neither hashes a file nor waits for the disk; its small call is HEAD",
		address: address, dialect: tusDialect{}, stop: stop,
		processes: map[string]*os.Process{"server": cmd.Process},
	}
	err = until(ctx, func() error {
		c, err := dial(ctx, t)
		if err == nil {
			c.close()
		}
		return err
	})
	if err != nil {
		stop()
	}
	return t, err
}
