package outbound

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// writeStall is how long the plugin may take nothing of an answer. The other
// direction, and the device, have the limits of dataplane.
const writeStall = time.Minute

// forward carries a request to the device and the answer back. Nothing is
// buffered. An error means that no answer has begun.
func (h *handler) forward(w http.ResponseWriter, r *http.Request) error {
	id, target, err := parse(r.URL)
	if err != nil {
		return err
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return &sdk.Error{Kind: sdk.Unsupported}
	}
	device, err := h.devices.Get(id)
	if err != nil {
		return err
	}
	if !device.Reachable() {
		return unreachable(device.Device)
	}
	connection := http.NewResponseController(w)
	_ = connection.EnableFullDuplex()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out, body := outgoing(ctx, r)
	out.URL = target
	resp, err := h.caller.Do(out, device.Device)
	if r.Context().Err() == nil && !ours(err) {
		h.devices.Outcome(context.WithoutCancel(ctx), id, err)
	}
	// Whoever sends the body may still be reading it. That must end before this
	// returns, and a read that waits for the plugin ends at its deadline only.
	defer body.release(connection)
	if err != nil {
		body.spoil(w)
		return meaning(err)
	}
	relay(w, connection, resp, body)
	return nil
}

// unreachable is a device that nobody can call.
func unreachable(d mesh.Device) error {
	if d.Kind == mesh.KindGateway {
		return &sdk.Error{Kind: sdk.NeedsRepair, Message: d.Name + " needs re-pairing", Hint: "Pair the two devices again."}
	}
	return sdk.Errorf(sdk.Unsupported, "%s can't do that", d.Name)
}

// ours reports an error that says nothing about the device.
func ours(err error) bool {
	return errors.Is(err, dataplane.ErrRequestBody) || errors.Is(err, dataplane.ErrBadRequest) ||
		errors.Is(err, dataplane.ErrBusy) || errors.Is(err, context.Canceled)
}

func meaning(err error) error {
	switch {
	case errors.Is(err, dataplane.ErrRequestBody), errors.Is(err, dataplane.ErrBadRequest):
		return (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	case errors.Is(err, dataplane.ErrBusy):
		return sdk.Errorf(sdk.RateLimited, "Too many requests to other devices at once.").Because(err)
	}
	return err
}

// outgoing is the plugin's request for the device: without what is between the
// plugin and this gateway alone, and without any claim to be somebody.
func outgoing(ctx context.Context, r *http.Request) (*http.Request, *requestBody) {
	out := &http.Request{
		Method: r.Method, Host: "salita",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        r.Header.Clone(),
		ContentLength: r.ContentLength,
		Body:          http.NoBody,
	}
	strip(out.Header)
	for _, name := range []string{"Authorization", "Cookie", "Expect", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		out.Header.Del(name)
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return out.WithContext(ctx), nil
	}
	body := &requestBody{ReadCloser: r.Body, left: r.ContentLength, closed: make(chan struct{})}
	out.Body = body
	return out.WithContext(ctx), body
}

// strip removes the fields that are about one connection only (RFC 9110, 7.6.1)
// and those in which gateways speak for themselves.
func strip(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
	for name := range h {
		if strings.HasPrefix(name, "Salita-") {
			delete(h, name)
		}
	}
}

// relay passes the device's answer on as it comes. One that breaks off is cut, so
// that half a body never looks like a whole one.
func relay(w http.ResponseWriter, connection *http.ResponseController, resp *http.Response, body *requestBody) {
	defer func() {
		body.interrupt(connection) // closing waits for whoever sends the rest of it
		_ = resp.Body.Close()
	}()
	strip(resp.Header)
	for _, name := range []string{"Set-Cookie", "Clear-Site-Data"} {
		resp.Header.Del(name)
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	body.spoil(w)
	w.WriteHeader(resp.StatusCode)
	flush := connection.Flush
	if resp.ContentLength >= 0 {
		flush = func() error { return nil } // a file: as much at once as possible
	} else if connection.Flush() != nil {
		return
	}
	if err := pump(w, connection, resp.Body, flush); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// pump copies and gives each piece of the answer its own time.
func pump(w io.Writer, connection *http.ResponseController, from io.Reader, flush func() error) error {
	buf := make([]byte, 64<<10)
	defer connection.SetWriteDeadline(time.Time{}) // the next answer has its own time
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_ = connection.SetWriteDeadline(time.Now().Add(writeStall))
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// refuse answers in the gateway's own name.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := sdk.AsError(err)
	reference := rand.Text()[:5]
	level := hclog.Debug
	if e.Kind == sdk.Internal {
		level = hclog.Error
	}
	h.log.Log(level, "request of a plugin to a device failed", "reference", reference, "method", r.Method, "path", r.URL.Path, "error", e.Error())
	w.Header().Set(sdk.HeaderError, string(e.Kind))
	sdk.WriteJSON(w, e.HTTPStatus(), sdk.ErrorBody{Error: e.Friendly(), Code: e.Kind, Hint: e.Hint, Reference: reference})
}
