package sdk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/sdktest"
)

// exampleTB is a test around an example, which has none of its own.
type exampleTB struct {
	testing.TB
	cleanUp []func()
}

func (t *exampleTB) Helper() {}

func (t *exampleTB) Cleanup(f func()) { t.cleanUp = append(t.cleanUp, f) }

func (t *exampleTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (t *exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleTB) Error(args ...any) { panic(fmt.Sprint(args...)) }

func (t *exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// inTest stands for func TestSomething(t *testing.T).
func inTest(test func(t testing.TB)) {
	t := &exampleTB{}
	defer func() {
		for _, f := range slices.Backward(t.cleanUp) {
			f()
		}
	}()
	test(t)
}

// visitor is a plugin that fetches what another device has to say.
func visitor() sdk.Plugin[struct{}] {
	return sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{
			Name: "visitor", Version: "1.0.0", Title: "Visitor",
			Routes: []sdk.Route{{Pattern: "GET /visitor", Permission: "visitor:read"}},
		},
		New: func(_ context.Context, env sdk.Env, _ struct{}) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := visit(env.Host, w, r); err != nil {
					sdk.WriteError(w, r, env.Logger, err)
				}
			}), nil
		},
	}
}

// visit asks the first device that can greet.
func visit(host sdk.Host, w http.ResponseWriter, r *http.Request) error {
	devices, err := host.Devices(r.Context(), "hello.greet")
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		return sdk.Errorf(sdk.NotFound, "None of your devices can greet.")
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://device/capabilities/hello.greet", nil)
	if err != nil {
		return err
	}
	resp, err := host.Client(devices[0].ID).Do(ask)
	if err != nil {
		return err // knows by itself what to tell: "Laptop is offline."
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return sdk.ReadError(resp)
	}
	fmt.Fprintf(w, "%s says: ", devices[0].Name)
	_, err = io.Copy(w, resp.Body)
	return err
}

// A plugin finds devices by what they can do and calls them with an ordinary
// HTTP client. In a test, sdktest plays the other devices.
func ExampleHost() {
	inTest(func(t testing.TB) {
		laptop := sdktest.Device{
			Device:  sdk.Device{ID: "l1", Name: "Laptop", Capabilities: []string{"hello.greet"}, Available: true},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Good morning!") }),
		}
		plugin := sdktest.Start(t, visitor(), sdktest.Options{Devices: []sdktest.Device{laptop}})
		resp, err := plugin.Client().Get("http://plugin/visitor")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		fmt.Printf("%s\n", body)
	})
	// Output: Laptop says: Good morning!
}

// Whoever watches this device learns of it at once; the plugin does not wait for
// anybody.
func ExampleEvents_Publish() {
	inTest(func(t testing.TB) {
		plugin := sdktest.Start(t, sdk.Plugin[struct{}]{
			Manifest: sdk.Manifest{
				Name: "door", Version: "1.0.0", Title: "Door",
				Routes: []sdk.Route{{Pattern: "POST /door/bell", Permission: "door:ring"}},
			},
			New: func(_ context.Context, env sdk.Env, _ struct{}) (http.Handler, error) {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					env.Events.Publish("door.rang", map[string]string{"by": sdk.Caller(r).Name})
				}), nil
			},
		}, sdktest.Options{})
		resp, err := plugin.As(sdk.CallerInfo{DeviceID: "p1", Name: "Phone"}).Post("http://plugin/door/bell", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		event := plugin.Event().Published
		fmt.Printf("%s %s\n", event.Name, event.Data)
	})
	// Output: door.rang {"by":"Phone"}
}

// A plugin that notices by itself that it cannot work any more, or can again,
// says so; the gateway asks CheckHealth at once and tells the other devices.
func ExampleEvents_HealthChanged() {
	var env sdk.Env // as New gets it; in a test of one's own it does nothing
	driveUnplugged := func() { env.Events.HealthChanged() }
	driveUnplugged()
}

func ExamplePlugin() {
	plugin := sdk.Plugin[Config]{
		Manifest: sdk.Manifest{
			Name: "hello", Version: "1.0.0", Title: "Hello",
			Capabilities: []sdk.Capability{{ID: "hello.greet", Title: "Can greet", Route: "GET /hello"}},
			Routes:       []sdk.Route{{Pattern: "GET /hello", Permission: "hello:read"}},
		},
		New: func(_ context.Context, _ sdk.Env, config Config) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(w, config.Greeting)
			}), nil
		},
	}
	handler, err := plugin.New(context.Background(), sdk.Env{}, Config{Greeting: "Good morning"})
	fmt.Println(handler != nil, err, plugin.Manifest.Validate())
	// Output: true <nil> <nil>
}

func ExampleReadError() {
	answer := func() *http.Response { // of another device's plugin
		return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(`{"error":"This device can't do that.","code":"forbidden","reference":"7K3QF"}`))}
	}
	err := sdk.ReadError(answer())
	fmt.Println(err.Kind, "-", err.Friendly())
	// Output: forbidden - This device can't do that.
}

func ExampleValidEventName() {
	fmt.Println(sdk.ValidEventName("posts", "posts.created"), sdk.ValidEventName("posts", "media.stored"))
	// Output: true false
}

// Serve runs a plugin in this process until its context ends, for whoever
// attaches to the folder.
func ExampleServe() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir, err := os.MkdirTemp("", "visitor") // mode 0700, and short
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fmt.Println(sdk.Serve(ctx, visitor(), dir, nil))
	// Output: <nil>
}
