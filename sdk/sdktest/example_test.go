package sdktest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// helloConfig is the configuration of the author's plugin.
type helloConfig struct {
	Greeting string `hcl:"greeting"`
}

// hello is the author's plugin, as its main hands it to sdk.Main.
func hello() sdk.Plugin[helloConfig] {
	return sdk.Plugin[helloConfig]{
		Manifest: sdk.Manifest{
			Name: "hello", Version: "1.0.0", Title: "Hello",
			Routes: []sdk.Route{{Pattern: "GET /hello", Permission: "hello:read"}},
		},
		New: func(_ context.Context, _ sdk.Env, config helloConfig) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s, %s!", config.Greeting, sdk.Caller(r).Name)
			}), nil
		},
	}
}

// A plugin's own test: it runs inside the test, over the sockets that a gateway
// would use.
func ExampleStart() {
	inTest(func(t testing.TB) {
		plugin := sdktest.Start(t, hello(), sdktest.Options{Config: `greeting = "Good morning"`})
		phone := plugin.As(sdk.CallerInfo{DeviceID: "p1", Name: "Phone"})
		resp, err := phone.Get("http://plugin/hello")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		fmt.Printf("%s\n", body)

		// A mistake in the configuration is refused with its place in the file.
		fmt.Println(plugin.Configure(`greting = "Good evening"`))
	})
	// Output:
	// Good morning, Phone!
	// config.hcl:1,1: Missing required argument: The argument "greeting" is required, but no definition was found. (and 1 more)
}

// pluginProgram is a built plugin; Build makes one from source.
func pluginProgram() (path string, remove func()) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, "salita-plugin-notes")
	if err := os.Symlink(self, path); err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(dir) }
}

// As a process a plugin can also be killed.
func ExampleStartProgram() {
	program, remove := pluginProgram()
	defer remove()
	inTest(func(t testing.TB) {
		plugin := sdktest.StartProgram(t, program, sdktest.Options{})
		plugin.Kill()
		plugin.Restart() // on the same data folder
		fmt.Println(plugin.Health())
	})
	// Output: <nil>
}

// Check is for programs; a test calls Conformance.
func ExampleCheck() {
	program, remove := pluginProgram()
	defer remove()
	report, err := sdktest.Check(context.Background(), program, sdktest.CheckOptions{Rules: []string{"manifest-flag"}})
	fmt.Println(report.OK(), report.Passed, err)
	// Output: true [starts manifest-flag] <nil>
}

// The whole test of a plugin in any language; for one in Go, Build makes the
// program.
func ExampleConformance() {
	testConformance := func(t *testing.T) {
		program := sdktest.Build(t, "hello", ".")
		sdktest.Conformance(t, program, sdktest.CheckOptions{Config: `greeting = "Good morning"`})
	}
	_ = testConformance
}

// Build makes the program that Conformance and StartProgram want.
func ExampleBuild() {
	testProgram := func(t *testing.T) {
		plugin := sdktest.StartProgram(t, sdktest.Build(t, "hello", "."), sdktest.Options{Config: `greeting = "Hello"`})
		fmt.Println(plugin.Manifest().Version)
	}
	_ = testProgram
}
