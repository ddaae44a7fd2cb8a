package dataplane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded is a connection whose peer has said everything already, and hands
// it out in pieces of at most step bytes.
type recorded struct {
	net.Conn // nil: nothing else may be called
	said     *bytes.Reader
	step     int
}

func (r *recorded) Read(p []byte) (int, error)       { return r.said.Read(p[:min(len(p), r.step)]) }
func (r *recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (r *recorded) Close() error                     { return nil }
func (r *recorded) SetDeadline(time.Time) error      { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse feeds arbitrary bytes as an answer. Whatever is accepted, net/http
// must read in the same way, and in pieces of any size it must be the same.
func FuzzResponse(f *testing.F) {
	for _, e := range said {
		f.Add([]byte(e.raw), uint16(1000), false)
	}
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), uint16(3), true)
	f.Add([]byte(chunk+"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), uint16(1), false)
	f.Fuzz(func(t *testing.T, answer []byte, step uint16, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		resp, body, err := replay(t, answer, int(step)+1, method)
		whole, wholeBody, wholeErr := replay(t, answer, len(answer)+1, method)
		if (err == nil) != (wholeErr == nil) || !bytes.Equal(body, wholeBody) {
			t.Fatalf("in pieces: %q, %v; whole: %q, %v", body, err, wholeBody, wholeErr)
		}
		if err != nil {
			return
		}
		want, wantBody := stdRead(t, answer, method)
		if resp.StatusCode != want.StatusCode || resp.ContentLength != want.ContentLength || !bytes.Equal(body, wantBody) {
			t.Errorf("got %s %d %q, net/http reads %s %d %q", resp.Status, resp.ContentLength, body, want.Status, want.ContentLength, wantBody)
		}
		if diff := cmp.Diff(whole.Header, resp.Header); diff != "" {
			t.Errorf("in pieces (+) and whole (-):\n%s", diff)
		}
	})
}

func replay(t *testing.T, answer []byte, step int, method string) (*http.Response, []byte, error) {
	tr := New(func(context.Context) (net.Conn, error) {
		return &recorded{said: bytes.NewReader(answer), step: step}, nil
	}, Options{})
	defer tr.Close()
	resp, err := tr.RoundTrip(newRequest(t, method, "/", nil))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// stdRead reads an answer that must be readable with net/http.
func stdRead(t *testing.T, answer []byte, method string) (*http.Response, []byte) {
	for r := bufio.NewReader(bytes.NewReader(answer)); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http cannot read it: %v", err)
		}
		if resp.StatusCode < 200 && resp.StatusCode != 101 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("net/http cannot read the body: %v", err)
		}
		return resp, body
	}
}

// FuzzDechunk decodes arbitrary bytes in place and in pieces: the result must be
// the same, must never be longer than the input, and must never end early.
func FuzzDechunk(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte("5;ext=\"a b\"\r\nhello\r\nA  \r\n0123456789\r\n00\r\nX: y\r\n\r\n"), uint8(7))
	f.Add([]byte("fffffffffffffff\r\nx"), uint8(2))
	f.Fuzz(func(t *testing.T, coded []byte, step uint8) {
		var inPlace dechunker
		whole := bytes.Clone(coded)
		n, used, err := inPlace.decode(whole, whole)
		if n > used || used > len(coded) || err == nil && used < len(coded) && !inPlace.done() {
			t.Fatalf("%d bytes from %d of %d, %v", n, used, len(coded), err)
		}
		var inPieces dechunker
		var got []byte
		var pieceErr error
		read := 0
		for out := make([]byte, int(step)+1); read < len(coded) && pieceErr == nil && !inPieces.done(); {
			var m, u int
			m, u, pieceErr = inPieces.decode(out, coded[read:min(len(coded), read+int(step)+1)])
			got, read = append(got, out[:m]...), read+u
		}
		if !bytes.Equal(got, whole[:n]) || read != used || inPieces != inPlace || !errors.Is(pieceErr, ErrBadResponse) != !errors.Is(err, ErrBadResponse) {
			t.Errorf("in pieces %q (%d read, %v), in place %q (%d read, %v)", got, read, pieceErr, whole[:n], used, err)
		}
	})
}
