package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// blockSize is how much the load generator writes and reads at once, in bytes.
const blockSize = 1 << 20

// payload is a file that exists only while it is sent: one random block, over
// and over, with its number and the payload's own at the beginning of each, so
// that no two blocks are the same.
type payload struct {
	size   int64
	number uint64
	block  []byte
}

func newPayload(size int64, number uint64) payload {
	p := payload{size: size, number: number, block: make([]byte, blockSize)}
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], number)
	_, _ = rand.NewChaCha8(seed).Read(p.block)
	return p
}

// WriteTo sends the payload in blocks.
func (p payload) WriteTo(w io.Writer) (int64, error) {
	for at := int64(0); at < p.size; at += blockSize {
		binary.BigEndian.PutUint64(p.block, uint64(at))
		binary.BigEndian.PutUint64(p.block[8:], p.number)
		n, err := w.Write(p.block[:min(p.size-at, blockSize)])
		if err != nil {
			return at + int64(n), err
		}
	}
	return p.size, nil
}

// sum is the payload's SHA-256 in hexadecimal digits.
func (p payload) sum() string {
	h := sha256.New()
	_, _ = p.WriteTo(h)
	return hex.EncodeToString(h.Sum(nil))
}

// request is a request line and its header, without a body.
type request struct {
	method, path string
	header       []string
	length       int64 // of the body; -1: there is none
}

// answer is a response whose body was read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client is one kept connection to a target: TLS, and as little else as can be,
// so that the servers are what is measured.
type client struct {
	t    *target
	conn *tls.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	buf  []byte
}

func dial(ctx context.Context, t *target) (*client, error) {
	// The planes' certificates are made for the run: there is nothing to check
	// them against.
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}}
	c, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*tls.Conn)
	if !ok {
		return nil, errors.New("not a TLS connection")
	}
	return &client{t: t, conn: conn, r: bufio.NewReaderSize(conn, 64<<10), w: bufio.NewWriter(conn), buf: make([]byte, blockSize)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// begin sends a request and returns the response with its body unread.
func (c *client) begin(r request, body io.WriterTo) (*http.Response, error) {
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.w, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.path, c.t.address)
	for _, lines := range [][]string{c.t.header, r.header} {
		for _, line := range lines {
			_, _ = c.w.WriteString(line + "\r\n")
		}
	}
	if r.length >= 0 {
		fmt.Fprintf(c.w, "Content-Length: %d\r\n", r.length)
	}
	_, _ = c.w.WriteString("\r\n")
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	if body != nil {
		if _, err := body.WriteTo(c.conn); err != nil {
			return nil, fmt.Errorf("send body: %w", err)
		}
	}
	return http.ReadResponse(c.r, &http.Request{Method: r.method})
}

// do is begin with a small answer.
func (c *client) do(r request, body io.WriterTo) (answer, error) {
	resp, err := c.begin(r, body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	a := answer{resp.StatusCode, resp.Header, text}
	if a.status >= 300 {
		return a, fmt.Errorf("%s %s: status %d: %.200s", r.method, r.path, a.status, text)
	}
	return a, nil
}

// fetch downloads a file and checks its size and the beginning of each block.
func (c *client) fetch(r request, want payload) error {
	resp, err := c.begin(r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != want.size {
		return fmt.Errorf("%s %s: status %d, %d bytes", r.method, r.path, resp.StatusCode, resp.ContentLength)
	}
	for at := int64(0); at < want.size; at += blockSize {
		block := c.buf[:min(want.size-at, blockSize)]
		if _, err := io.ReadFull(resp.Body, block); err != nil {
			return fmt.Errorf("%s %s: at %d: %w", r.method, r.path, at, err)
		}
		if len(block) >= 16 && (binary.BigEndian.Uint64(block) != uint64(at) || binary.BigEndian.Uint64(block[8:]) != want.number) {
			return fmt.Errorf("%s %s: the block at %d is another", r.method, r.path, at)
		}
	}
	return nil
}
