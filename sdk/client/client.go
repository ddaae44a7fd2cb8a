// Package client is a typed client of a gateway's HTTP API. Commands and tests
// use it over the owner's private socket.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"

	"github.com/salita-mesh/salita/sdk"
)

// SocketName is the file in a gateway's data folder through which its owner's
// programs reach it.
const SocketName = "admin.sock"

// maxAnswer bounds the answers that are read whole, in bytes.
const maxAnswer = 4 << 20

// ErrNotRunning means that no gateway answers on the socket.
var ErrNotRunning = errors.New("gateway is not running")

// Client calls one gateway as its owner. It is safe for concurrent use.
type Client struct {
	http *http.Client
}

// New returns a Client of the gateway whose data folder this is.
func New(dataDir string) *Client {
	socket := filepath.Join(dataDir, SocketName)
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "unix", socket)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
				err = errors.Join(ErrNotRunning, err)
			}
			return conn, err
		},
		WriteBufferSize: 256 << 10,
	}}}
}

// do sends a JSON request and decodes the JSON answer into out, if it is not
// nil. An error answer is returned as *Error.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://salita"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.send(req, out)
}

func (c *Client) send(req *http.Request, out any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return errorOf(resp.StatusCode, answer)
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// Error is an error answer of the gateway.
type Error struct {
	sdk.ErrorBody
	Status int // HTTP status
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (%s, status %d, reference %s)", e.ErrorBody.Error, e.Code, e.Status, e.Reference)
}

// Unwrap gives the same failure as an *sdk.Error.
func (e *Error) Unwrap() error {
	return &sdk.Error{Kind: e.Code, Message: e.ErrorBody.Error, Hint: e.Hint}
}

func errorOf(status int, answer []byte) error {
	e := &Error{Status: status}
	if err := json.Unmarshal(answer, &e.ErrorBody); err != nil || e.Code == "" {
		return fmt.Errorf("unexpected answer with status %d", status)
	}
	return e
}
