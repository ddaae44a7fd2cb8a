package sdktest

import (
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/internal/socket"
)

// Device is another device of the owner's, as the plugin under test finds it
// through Env.Host.
type Device struct {
	sdk.Device
	// Handler answers what is sent to the device: it sees the path that follows
	// http://device. A device that is not Available is never asked.
	Handler http.Handler
}

// ThisDevice is who the other devices see as the caller.
const ThisDevice = "this-device"

// host is the gateway's socket for the plugin.
type host struct {
	devices []Device
	log     *slog.Logger
	path    string
	server  *http.Server
	served  chan struct{}
}

// serveHost listens in the folder.
func serveHost(dir string, devices []Device) (*host, error) {
	h := &host{devices: devices, log: slog.New(slog.DiscardHandler), path: filepath.Join(dir, "host.sock"), served: make(chan struct{})}
	listener, err := socket.Listen(h.path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /devices", h.list)
	mux.HandleFunc("/devices/{id}/", h.forward)
	h.server = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn)}
	go func() {
		defer close(h.served)
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("host socket ended", "error", err)
		}
	}()
	return h, nil
}

func (h *host) close() {
	_ = h.server.Close()
	<-h.served
}

func (h *host) list(w http.ResponseWriter, r *http.Request) {
	wanted := r.URL.Query().Get("capability")
	found := []sdk.Device{}
	for _, d := range h.devices {
		if wanted == "" || slices.Contains(d.Capabilities, wanted) {
			found = append(found, d.Device)
		}
	}
	slices.SortStableFunc(found, func(a, b sdk.Device) int {
		switch {
		case a.Available == b.Available:
			return 0
		case a.Available:
			return -1
		}
		return 1
	})
	sdk.WriteJSON(w, http.StatusOK, map[string]any{"devices": found})
}

func (h *host) forward(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	i := slices.IndexFunc(h.devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		h.refuse(w, r, sdk.Errorf(sdk.NotFound, "Device not recognized"))
		return
	}
	d := h.devices[i]
	if !d.Available || d.Handler == nil {
		h.refuse(w, r, sdk.Errorf(sdk.Offline, "%s is offline. Make sure it's on and on the same network.", d.Name))
		return
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // as devices can
	introduce(r.Header, sdk.CallerInfo{DeviceID: ThisDevice, Name: deviceName})
	http.StripPrefix("/devices/"+id, d.Handler).ServeHTTP(own{w}, r)
}

// refuse is an answer of the gateway's own.
func (h *host) refuse(w http.ResponseWriter, r *http.Request, e *sdk.Error) {
	w.Header().Set(sdk.HeaderError, string(e.Kind))
	sdk.WriteError(w, r, h.log, e)
}

// own keeps a device from speaking for the gateway.
type own struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w own) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the answer without the headers that are the gateway's.
func (w own) WriteHeader(status int) {
	for name := range w.Header() {
		if strings.HasPrefix(name, "Salita-") {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer if that has not been done.
func (w own) Write(p []byte) (int, error) {
	w.Header().Del(sdk.HeaderError)
	return w.ResponseWriter.Write(p)
}
