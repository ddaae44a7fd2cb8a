package sdk

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
)

// Headers that the gateway sets on every request it forwards to a plugin. What
// a caller sends under these names never arrives.
const (
	HeaderCallerID   = "Salita-Caller-Id"   // device id; empty for the owner at this machine
	HeaderCallerName = "Salita-Caller-Name" // percent-encoded UTF-8
	HeaderCallerKind = "Salita-Caller-Kind" // "owner" or "device"
	HeaderReference  = "Salita-Reference"   // finds the log lines of this request
)

// CallerInfo is who makes a request.
type CallerInfo struct {
	DeviceID string // "" for the owner at this machine
	Name     string // as the owner calls the device
	Owner    bool   // the owner, at this machine or signed in
}

// Caller says who makes a request that the gateway forwarded.
func Caller(r *http.Request) CallerInfo {
	name, err := url.PathUnescape(r.Header.Get(HeaderCallerName))
	if err != nil {
		name = ""
	}
	return CallerInfo{
		DeviceID: r.Header.Get(HeaderCallerID),
		Name:     name,
		Owner:    r.Header.Get(HeaderCallerKind) == "owner",
	}
}

// ErrorBody is the JSON of every error answer.
type ErrorBody struct {
	Error     string `json:"error"`               // a plain sentence
	Code      Kind   `json:"code"`                // one of the kinds
	Hint      string `json:"hint,omitempty"`      // what to do next
	Reference string `json:"reference,omitempty"` // finds the cause in the log
}

// WriteError answers with the error's plain sentence, code and reference, and
// logs its cause under the same reference.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	e := AsError(err)
	reference := r.Header.Get(HeaderReference)
	level := slog.LevelInfo
	if e.Kind == Internal {
		level = slog.LevelError
	}
	log.Log(r.Context(), level, "request failed", "reference", reference, "method", r.Method, "path", r.URL.Path, "error", e.Error())
	WriteJSON(w, e.HTTPStatus(), ErrorBody{Error: e.Friendly(), Code: e.Kind, Hint: e.Hint, Reference: reference})
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(errors.Join(errors.New("sdk.WriteJSON: value cannot be JSON"), err))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
