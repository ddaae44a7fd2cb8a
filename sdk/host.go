package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// HeaderError marks an answer of the gateway itself on its socket for plugins,
// as opposed to one that it passes on from a device. It repeats the error's code.
const HeaderError = "Salita-Error"

// maxHostAnswer bounds the answers of the gateway that are read whole, in bytes.
const maxHostAnswer = 4 << 20

// Device is one of the owner's other devices, as a plugin sees it.
type Device struct {
	ID           string   `json:"id"`           // for Host.Client
	Name         string   `json:"name"`         // as the owner calls it
	Kind         string   `json:"kind"`         // "gateway", "browser" or "script"
	Capabilities []string `json:"capabilities"` // ids, such as "media.storage"
	Available    bool     `json:"available"`    // it answers right now
}

// Host is the way to the owner's other devices, through the gateway. No token or
// key is needed, and none is to be had: the gateway speaks for this device. The
// zero Host, as in a test's own Env, answers every call with an error of kind
// Unsupported. It is safe for concurrent use.
type Host struct{ transport *http.Transport }

// newHost returns the Host behind the gateway's socket; the zero one for "".
func newHost(socket string) Host {
	if socket == "" {
		return Host{}
	}
	return Host{transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		// What the device answers is for the plugin as it is.
		DisableCompression:     true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ExpectContinueTimeout:  5 * time.Second,
	}}
}

// Devices lists the devices that have the capability, such as "media.storage",
// those that answer right now first; "" lists all. This device is not among them.
// Errors are of type *Error.
func (h Host) Devices(ctx context.Context, capability string) ([]Device, error) {
	u := url.URL{Scheme: "http", Host: gatewayHost, Path: "/devices"}
	if capability != "" {
		u.RawQuery = url.Values{"capability": {capability}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := h.roundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Devices []Device `json:"devices"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHostAnswer)).Decode(&answer); err != nil {
		return nil, &Error{Kind: Internal, Cause: fmt.Errorf("list of devices: %w", err)}
	}
	return answer.Devices, nil
}

// Client returns a client for one device. Its requests go to http://device/...
// and reach the routes of that device's plugins, "http://device/media/upload", or
// its capabilities by their id, "http://device/capabilities/media.storage". The
// device decides whether this one may; it knows this device as the caller.
//
// Bodies stream in both directions, Range and cancellation work, and there is no
// time limit but the request's context. When the device cannot be asked, the
// client's error holds an *Error: KindOf says Offline, NeedsRepair or NotFound.
// Whatever the device answers is a response, which ReadError can turn into an
// error.
func (h Host) Client(deviceID string) *http.Client {
	return &http.Client{Transport: deviceTransport{host: h, id: deviceID}}
}

// The only hosts that requests may name.
const (
	gatewayHost = "gateway"
	deviceHost  = "device"
)

// deviceTransport sends a client's requests to the device's part of the socket.
type deviceTransport struct {
	host Host
	id   string
}

var _ http.RoundTripper = deviceTransport{}

// RoundTrip sends the request to the device through the gateway.
func (t deviceTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.check(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Host = ""
	out.URL.Scheme, out.URL.Host, out.URL.User = "http", gatewayHost, nil
	out.URL.RawPath = "/devices/" + url.PathEscape(t.id) + req.URL.EscapedPath()
	out.URL.Path = "/devices/" + t.id + req.URL.Path
	resp, err := t.host.roundTrip(out)
	if err != nil {
		return nil, err
	}
	resp.Request = req // cookies, redirects and errors speak of the device
	return resp, nil
}

func (t deviceTransport) check(u *url.URL) error {
	if u.Scheme != "http" || u.Host != deviceHost || u.Path == "" || u.Path[0] != '/' {
		return &Error{Kind: Invalid, Cause: fmt.Errorf("the address of a request to a device begins with http://%s/, not with %s://%s", deviceHost, u.Scheme, u.Host)}
	}
	if t.id == "" {
		return &Error{Kind: Invalid, Cause: errors.New("no device was named")}
	}
	return nil
}

// roundTrip sends the request over the socket. What the gateway itself refuses is
// an *Error.
func (h Host) roundTrip(req *http.Request) (*http.Response, error) {
	if h.transport == nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, Errorf(Unsupported, "This Salita doesn't let plugins reach other devices.")
	}
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		if cause := context.Cause(req.Context()); cause != nil {
			return nil, cause
		}
		return nil, &Error{Kind: Internal, Cause: fmt.Errorf("ask the gateway: %w", err)}
	}
	if resp.Header.Get(HeaderError) != "" || (resp.StatusCode/100 != 2 && req.URL.Path == "/devices") {
		return nil, ReadError(resp)
	}
	return resp, nil
}

// ReadError reads an error answer of a gateway or a plugin and closes it. An
// answer that is no such thing is an Internal error, which names the status.
func ReadError(resp *http.Response) *Error {
	defer resp.Body.Close()
	cause := fmt.Errorf("answer with status %d", resp.StatusCode)
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var body ErrorBody
	if err != nil || json.Unmarshal(raw, &body) != nil || !body.Code.known() {
		return &Error{Kind: Internal, Cause: cause}
	}
	if body.Reference != "" {
		cause = fmt.Errorf("answer with status %d, its reference %.40q", resp.StatusCode, body.Reference)
	}
	e := &Error{Kind: body.Code, Message: body.Error, Hint: body.Hint, Cause: cause}
	if resp.StatusCode != body.Code.HTTPStatus() && resp.StatusCode >= http.StatusBadRequest {
		e.Status = resp.StatusCode
	}
	return e
}

// maxErrorBody bounds an error answer, in bytes.
const maxErrorBody = 64 << 10
