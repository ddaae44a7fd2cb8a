package dataplane

import (
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// chunked is the length of a body whose end only its reader knows.
const chunked = -1

// outgoing is a checked request in the form it takes on the wire.
type outgoing struct {
	method  string
	target  string
	host    string
	upgrade string // protocols asked for; "" when none
	length  int64  // of the body, or chunked
	trailer http.Header
	body    io.ReadCloser // nil once it was closed or given to a sender
}

func (o *outgoing) closeBody() {
	if o.body != nil {
		_ = o.body.Close()
		o.body = nil
	}
}

// prepare checks everything about the request that a peer could read in two
// ways. Its errors wrap ErrBadRequest.
func prepare(req *http.Request) (outgoing, error) {
	out := outgoing{method: req.Method, length: bodyLength(req), body: req.Body}
	if out.method == "" {
		out.method = http.MethodGet
	}
	if req.URL == nil {
		return out, fmt.Errorf("%w: no URL", ErrBadRequest)
	}
	if out.host = req.Host; out.host == "" {
		out.host = req.URL.Host
	}
	out.target = req.URL.RequestURI()
	switch {
	case out.method == http.MethodConnect || !httpguts.ValidHeaderFieldName(out.method):
		return out, fmt.Errorf("%w: method %q", ErrBadRequest, out.method)
	case out.host == "" || !httpguts.ValidHostHeader(out.host):
		return out, fmt.Errorf("%w: host %q", ErrBadRequest, out.host)
	case out.target == "" || strings.ContainsFunc(out.target, notInTarget):
		return out, fmt.Errorf("%w: target %q", ErrBadRequest, out.target)
	case out.length > 0 && req.Body == nil:
		return out, fmt.Errorf("%w: length %d without a body", ErrBadRequest, out.length)
	}
	if err := checkFields(req.Header); err != nil {
		return out, err
	}
	if asksUpgrade(req.Header) {
		out.upgrade = strings.Join(req.Header["Upgrade"], ", ")
	}
	if out.length == chunked {
		out.trailer = req.Trailer
	}
	return out, checkTrailer(out.trailer)
}

// bodyLength tells the length that will be announced, by net/http's rule: 0
// with a body means that nobody knows.
func bodyLength(req *http.Request) int64 {
	switch {
	case req.Body == nil && req.ContentLength > 0:
		return req.ContentLength
	case req.Body == nil || req.Body == http.NoBody:
		return 0
	case req.ContentLength > 0:
		return req.ContentLength
	}
	return chunked
}

func notInTarget(r rune) bool { return r <= ' ' || r == 0x7f }

func asksUpgrade(h http.Header) bool {
	return len(h["Upgrade"]) > 0 && httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade")
}

func checkFields(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%w: header name %q", ErrBadRequest, name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("%w: value of header %s", ErrBadRequest, name)
			}
		}
	}
	return nil
}

// repeatable reports whether sending the request twice does no harm.
func (o *outgoing) repeatable() bool {
	switch o.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return o.length == 0
	}
	return false
}

func checkTrailer(h http.Header) error {
	for name := range h {
		if !httpguts.ValidTrailerHeader(name) {
			return fmt.Errorf("%w: trailer name %q", ErrBadRequest, name)
		}
	}
	return checkFields(h)
}

// appendHead writes request line and header. Framing is ours, whatever the
// request's header says about it, and hop-by-hop fields stay behind.
func (o *outgoing) appendHead(b []byte, req *http.Request) []byte {
	b = append(b, o.method...)
	b = append(b, ' ')
	b = append(b, o.target...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", o.host)
	named := nominated(req.Header["Connection"])
	for name, values := range req.Header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if rewritten(name) || hopByHop(name) || named[name] {
			continue
		}
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	if httpguts.HeaderValuesContainsToken(req.Header["Te"], "trailers") {
		b = appendField(b, "Te", "trailers")
	}
	return append(o.appendFraming(b, req), "\r\n"...)
}

func (o *outgoing) appendFraming(b []byte, req *http.Request) []byte {
	switch {
	case o.upgrade != "":
		b = appendField(b, "Connection", "Upgrade")
		b = appendField(b, "Upgrade", o.upgrade)
	case req.Close:
		b = appendField(b, "Connection", "close")
	}
	switch {
	case o.length == chunked:
		b = appendField(b, "Transfer-Encoding", "chunked")
	case o.length > 0 || mayHaveBody(o.method):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, o.length, 10)
		b = append(b, "\r\n"...)
	}
	for name := range o.trailer {
		b = appendField(b, "Trailer", name)
	}
	return b
}

// mayHaveBody reports whether a missing body has to be said (RFC 9110, 8.6).
func mayHaveBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendBody reads a small body of known length to the end of b. It asks for
// one byte more than there should be, to notice a body that is too long.
func (o *outgoing) appendBody(b []byte) ([]byte, error) {
	if o.length == 0 {
		return b, nil
	}
	start, want := len(b), int(o.length)
	b = append(b, make([]byte, want+1)...)
	got, err := io.ReadAtLeast(o.body, b[start:], want)
	switch {
	case got > want:
		return b, fmt.Errorf("%w: longer than its declared length", ErrRequestBody)
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return b, fmt.Errorf("%w: %d bytes missing: %w", ErrRequestBody, want-got, io.ErrUnexpectedEOF)
	case err != nil:
		return b, fmt.Errorf("%w: %w", ErrRequestBody, err)
	}
	return b[:start+want], nil
}
