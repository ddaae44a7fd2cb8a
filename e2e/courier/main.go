// Command courier is a plugin that the end-to-end tests put into a gateway: it
// looks for a device that can store media, hands the body of a request on to it,
// and tells of it in an event.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/salita-mesh/salita/sdk"
)

func main() {
	sdk.Main(sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{
			Name: "courier", Version: "1.0.0", Title: "Courier",
			Capabilities: []sdk.Capability{{ID: "courier.delivery", Title: "Can deliver", Route: "POST /courier/deliveries"}},
			Routes:       []sdk.Route{{Pattern: "POST /courier/deliveries", Permission: "courier:send"}},
		},
		New: func(_ context.Context, env sdk.Env, _ struct{}) (http.Handler, error) {
			mux := http.NewServeMux()
			mux.HandleFunc("POST /courier/deliveries", func(w http.ResponseWriter, r *http.Request) {
				if err := deliver(env, w, r); err != nil {
					sdk.WriteError(w, r, env.Logger, err)
				}
			})
			return mux, nil
		},
	})
}

func deliver(env sdk.Env, w http.ResponseWriter, r *http.Request) error {
	devices, err := env.Host.Devices(r.Context(), "media.storage")
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.Available {
			return handOver(env, d, w, r)
		}
	}
	return sdk.Errorf(sdk.Offline, "No device can take that right now.")
}

func handOver(env sdk.Env, to sdk.Device, w http.ResponseWriter, r *http.Request) error {
	url := "http://device/capabilities/media.storage?filename=" + r.URL.Query().Get("filename")
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, url, r.Body)
	if err != nil {
		return err
	}
	req.ContentLength = r.ContentLength
	resp, err := env.Host.Client(to.ID).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s answered %s", to.Name, resp.Status)
	}
	env.Events.Publish("courier.delivered", map[string]string{"to": to.Name})
	w.WriteHeader(resp.StatusCode)
	_, err = io.Copy(w, resp.Body)
	return err
}
