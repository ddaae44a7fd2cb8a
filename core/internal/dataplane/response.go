package dataplane

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// framing is how the end of a response body is told.
type framing uint8

const (
	framedEmpty   framing = iota // there is no body
	framedLength                 // by Content-Length
	framedChunks                 // by chunked coding
	framedClose                  // by the end of the connection
	framedUpgrade                // never: the connection is the caller's from here on
)

// head is a response head while it is taken apart: what belongs to this
// connection is kept out of the header that the caller sees.
type head struct {
	connection []string
	coding     []string
	trailer    []string
	upgrade    []string
}

// parseHead fills the response from a head without its empty line. Its errors
// wrap ErrBadResponse. Values share memory with text.
func parseHead(resp *http.Response, text string) (head, error) {
	var h head
	line, fields, _ := strings.Cut(text, "\r\n")
	if err := parseStatus(resp, line); err != nil {
		return h, err
	}
	n := strings.Count(fields, "\n")
	resp.Header = make(http.Header, n)
	values := make([]string, 0, n) // one allocation for all one-value fields
	for fields != "" {
		name, value, rest, err := nextField(fields)
		if err != nil {
			return h, err
		}
		fields = rest
		if h.keep(name, value) {
			continue
		}
		if earlier, ok := resp.Header[name]; ok {
			resp.Header[name] = append(earlier, value)
			continue
		}
		values = append(values, value)
		resp.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	for name := range nominated(h.connection) {
		delete(resp.Header, name)
	}
	return h, nil
}

// keep reports whether the field is this connection's own business.
func (h *head) keep(name, value string) bool {
	switch name {
	case "Connection":
		h.connection = append(h.connection, value)
	case "Transfer-Encoding":
		h.coding = append(h.coding, value)
	case "Trailer":
		h.trailer = append(h.trailer, value)
	case "Upgrade":
		h.upgrade = append(h.upgrade, value)
	default:
		return hopByHop(name)
	}
	return true
}

// parseStatus reads the status line. Only final and interim statuses that mean
// something are let through: 100 to 599.
func parseStatus(resp *http.Response, line string) error {
	const version = len("HTTP/1.1 ")
	if len(line) < version+3 || !strings.HasPrefix(line, "HTTP/1.") || line[version-1] != ' ' ||
		(line[version-2] != '0' && line[version-2] != '1') {
		return fmt.Errorf("%w: status line %.40q", ErrBadResponse, line)
	}
	code, reason := line[version:version+3], line[version+3:]
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || n < 100 || n > 599 || reason != "" && reason[0] != ' ' || !httpguts.ValidHeaderFieldValue(reason) {
		return fmt.Errorf("%w: status line %.40q", ErrBadResponse, line)
	}
	resp.Status = line[version:]
	resp.StatusCode = int(n)
	resp.Proto = line[:version-1]
	resp.ProtoMajor, resp.ProtoMinor = 1, int(line[version-2]-'0')
	return nil
}

// nextField takes one field off lines that end in CRLF each. Folded lines,
// space before the colon and control characters are refused.
func nextField(lines string) (name, value, rest string, err error) {
	line, rest, ok := strings.Cut(lines, "\r\n")
	name, value, colon := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !colon || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", "", fmt.Errorf("%w: header line %.40q", ErrBadResponse, line)
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, rest, nil
}

// frame decides how the body ends (RFC 9112, 6.3) and sets what net/http sets
// from it. A message that says two things about its length is refused.
func (h *head) frame(resp *http.Response, out *outgoing) (framing, error) {
	lengths := resp.Header["Content-Length"]
	length, err := contentLength(lengths)
	if err != nil {
		return 0, err
	}
	if len(lengths) > 1 {
		resp.Header["Content-Length"] = lengths[:1]
	}
	coded, err := h.isChunked(resp, length)
	if err != nil {
		return 0, err
	}
	resp.Close = resp.ProtoMinor == 0 || httpguts.HeaderValuesContainsToken(h.connection, "close")
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return framedUpgrade, h.switchTo(resp, out)
	case out.method == http.MethodHead:
		resp.ContentLength = length
		return framedEmpty, nil
	case resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified:
		return framedEmpty, nil
	case coded:
		resp.TransferEncoding = []string{"chunked"}
		resp.ContentLength = -1
		resp.Trailer, err = h.announced()
		return framedChunks, err
	case length >= 0:
		resp.ContentLength = length
		return framedLength, nil
	}
	resp.ContentLength, resp.Close = -1, true
	return framedClose, nil
}

// contentLength reads the declared length: -1 when there is none. Repeating it
// is harmless, contradicting it is not.
func contentLength(values []string) (int64, error) {
	if len(values) == 0 {
		return -1, nil
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return 0, fmt.Errorf("%w: two lengths, %.20q and %.20q", ErrBadResponse, values[0], v)
		}
	}
	// One bit less than a uint64: ParseUint takes no sign, and it must fit.
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: length %.20q", ErrBadResponse, values[0])
	}
	return int64(n), nil
}

func (h *head) isChunked(resp *http.Response, length int64) (bool, error) {
	switch {
	case len(h.coding) == 0:
		return false, nil
	case len(h.coding) > 1 || !strings.EqualFold(h.coding[0], "chunked"):
		return false, fmt.Errorf("%w: transfer coding %.40q", ErrBadResponse, h.coding)
	case length >= 0:
		return false, fmt.Errorf("%w: both a length and chunks", ErrBadResponse)
	case resp.ProtoMinor == 0:
		return false, fmt.Errorf("%w: chunks in HTTP/1.0", ErrBadResponse)
	}
	return true, nil
}

// announced lists the trailers to come, with no values yet, as net/http does.
func (h *head) announced() (http.Header, error) {
	var t http.Header
	for _, line := range h.trailer {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue
			}
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidTrailerHeader(name) {
				return nil, fmt.Errorf("%w: trailer name %.40q", ErrBadResponse, name)
			}
			if t == nil {
				t = http.Header{}
			}
			t[textproto.CanonicalMIMEHeaderKey(name)] = nil
		}
	}
	return t, nil
}

// switchTo accepts a change of protocol only to one that was asked for.
func (h *head) switchTo(resp *http.Response, out *outgoing) error {
	if out.upgrade == "" || len(h.upgrade) != 1 || !httpguts.HeaderValuesContainsToken(h.connection, "upgrade") ||
		!httpguts.HeaderValuesContainsToken([]string{out.upgrade}, h.upgrade[0]) {
		return fmt.Errorf("%w: switch to %.40q, asked for %.40q", ErrBadResponse, h.upgrade, out.upgrade)
	}
	resp.Header["Connection"] = []string{"Upgrade"}
	resp.Header["Upgrade"] = h.upgrade
	return nil
}

// parseTrailer merges the lines after the last chunk into the response.
func parseTrailer(resp *http.Response, lines string) error {
	for lines != "" {
		name, value, rest, err := nextField(lines)
		if err != nil {
			return err
		}
		lines = rest
		if !httpguts.ValidTrailerHeader(name) {
			return fmt.Errorf("%w: trailer name %.40q", ErrBadResponse, name)
		}
		if resp.Trailer == nil {
			resp.Trailer = http.Header{}
		}
		resp.Trailer[name] = append(resp.Trailer[name], value)
	}
	return nil
}
