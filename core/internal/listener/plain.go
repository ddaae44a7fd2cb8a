package listener

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// maxPlainHead bounds the head of a plain request, in bytes.
const maxPlainHead = 8 << 10

// answerPlain reads one plain HTTP request's head, whose first bytes were read
// already, and answers it under the deadline set on raw. The caller closes raw.
func answerPlain(raw net.Conn, first []byte, answer func(*http.Request) *http.Response) {
	head := &io.LimitedReader{R: raw, N: maxPlainHead}
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(first), head)))
	if err != nil && head.N > 0 && isNetError(err) {
		return // nobody left to answer
	}
	var resp *http.Response
	if err != nil {
		resp = refusal(http.StatusBadRequest, "This is not a request that Salita can read.")
	} else {
		resp = answer(req)
	}
	resp.ProtoMajor, resp.ProtoMinor, resp.Close, resp.Request = 1, 1, true, req
	if resp.Write(raw) == nil {
		linger(raw)
	}
}

// isNetError reports whether reading ended because of the connection and not of
// what came over it.
func isNetError(err error) bool {
	var e net.Error
	return errors.As(err, &e) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Redirect answers a plain request: one that only asks is sent to the same
// address with https, and anything else is told to go there. What came in the
// clear, such as a token, is not used.
func Redirect(req *http.Request) *http.Response {
	if !validHost(req.Host) {
		return refusal(http.StatusBadRequest, "This request doesn't say which address it is for.")
	}
	address := "https://" + req.Host
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		resp := refusal(http.StatusUpgradeRequired, "Salita only takes this over a private connection: "+address)
		resp.Header.Set("Upgrade", "TLS/1.3, HTTP/1.1") // RFC 9110 section 15.5.22
		resp.Header.Set("Connection", "Upgrade")
		return resp
	}
	resp := plainResponse(http.StatusPermanentRedirect, "text/plain; charset=utf-8",
		[]byte("Salita answers over a private connection only: "+address+"\n"))
	resp.Header.Set("Location", address+pathOf(req))
	return resp
}

// pathOf is the path and query to ask for again, beginning with one slash.
func pathOf(req *http.Request) string {
	uri := req.URL.EscapedPath()
	if !strings.HasPrefix(uri, "/") {
		uri = "/" // as in "GET * HTTP/1.1"
	}
	if req.URL.RawQuery != "" {
		uri += "?" + req.URL.RawQuery
	}
	return uri
}

func refusal(status int, sentence string) *http.Response {
	kind := sdk.Invalid
	switch status {
	case http.StatusUpgradeRequired:
		kind = sdk.Unsupported
	case http.StatusForbidden:
		kind = sdk.Forbidden
	}
	// A struct of strings always encodes.
	body, _ := json.Marshal(sdk.ErrorBody{Error: sentence, Code: kind})
	return plainResponse(status, "application/json; charset=utf-8", append(body, '\n'))
}

func plainResponse(status int, contentType string, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header: http.Header{
			"Content-Type":           {contentType},
			"Cache-Control":          {"no-store"}, // browsers keep a 308 for ever
			"X-Content-Type-Options": {"nosniff"},
		},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// validHost reports whether a Host header is a plain name or address with an
// optional port, safe to put into an address.
func validHost(host string) bool {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		address, port, ok := strings.Cut(rest, "]")
		ip, err := netip.ParseAddr(address)
		return ok && err == nil && ip.Is6() && ip.Zone() == "" && (port == "" || validPort(port))
	}
	name, port := host, ""
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	if name == "" || len(name) > 253 || (port != "" && !validPort(port)) {
		return false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return strings.Trim(name, allowed) == "" && name[0] != '.' && !strings.Contains(name, "..")
}

// validPort checks a colon and a port number.
func validPort(port string) bool {
	digits, ok := strings.CutPrefix(port, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	return ok && err == nil && n > 0 && digits[0] != '0'
}
