package outbound

import (
	"context"
	"net/http"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/sdk"
)

// Devices is the live list of the owner's other devices.
type Devices interface {
	List() []devices.Device
	Get(id mesh.DeviceID) (devices.Device, error)
	// Outcome takes in how a call to the device ended.
	Outcome(ctx context.Context, id mesh.DeviceID, err error)
}

// Caller sends a request to a device. It closes the request's body after its last
// use, as http.RoundTripper does.
type Caller interface {
	Do(req *http.Request, device mesh.Device) (*http.Response, error)
}

var (
	_ Devices = (*devices.Service)(nil)
	_ Caller  = (*peer.Client)(nil)
)

// Options are what New needs. Devices, Caller and Log are required.
type Options struct {
	Devices Devices
	Caller  Caller
	Log     hclog.Logger
	// MaxRequests is how many requests one plugin may have under way at once;
	// 0: 64.
	MaxRequests int
}

const defaultMaxRequests = 64

// New returns what makes the handler for a plugin's socket. Each handler has its
// own count of requests.
//
//	GET /devices?capability=ID    lists devices; without the query, all of them
//	ANY /devices/ID/PLUGIN/...    goes to a route of that device's plugin
//	ANY /devices/ID/capabilities/ID    goes to the route behind the capability
//
// Errors are Salita's JSON with the header sdk.HeaderError, which no answer of a
// device has.
func New(o Options) func(plugin string) http.Handler {
	if o.MaxRequests <= 0 {
		o.MaxRequests = defaultMaxRequests
	}
	return func(plugin string) http.Handler {
		return &handler{
			devices: o.Devices,
			caller:  o.Caller,
			log:     o.Log.With("plugin", plugin),
			free:    make(chan struct{}, o.MaxRequests),
		}
	}
}

// handler serves one plugin.
type handler struct {
	devices Devices
	caller  Caller
	log     hclog.Logger
	free    chan struct{} // holds a token for each request under way
}

// ServeHTTP serves one request of the plugin.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.free <- struct{}{}:
		defer func() { <-h.free }()
	default:
		w.Header().Set("Retry-After", "1")
		h.refuse(w, r, sdk.Errorf(sdk.RateLimited, "Too many requests to other devices at once."))
		return
	}
	if r.URL.Path == "/devices" {
		h.list(w, r)
		return
	}
	if err := h.forward(w, r); err != nil {
		h.refuse(w, r, err)
	}
}

// list answers which devices there are, those that answer right now first.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.refuse(w, r, &sdk.Error{Kind: sdk.NotFound})
		return
	}
	wanted := r.URL.Query().Get("capability")
	found := []sdk.Device{}
	for _, d := range h.devices.List() {
		if wanted == "" || d.Can(wanted) {
			found = append(found, sdk.Device{
				ID: string(d.ID), Name: d.Name, Kind: string(d.Kind),
				Capabilities: append([]string{}, d.Capabilities...),
				Available:    d.Status == mesh.StatusAvailable,
			})
		}
	}
	slices.SortStableFunc(found, func(a, b sdk.Device) int { return rank(a) - rank(b) })
	w.Header().Set("Cache-Control", "no-store")
	sdk.WriteJSON(w, http.StatusOK, map[string]any{"devices": found})
}

func rank(d sdk.Device) int {
	if d.Available {
		return 0
	}
	return 1
}
