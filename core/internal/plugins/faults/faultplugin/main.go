//go:build unix

// Command faultplugin is a plugin that does, on request, everything that a
// plugin should not do. Its mode is what the file "mode" in its data folder says,
// else its own name. In a mode it does not know it is a good plugin, and does
// only the harm that requests ask for.
//
// It leaves notes in its data folder: one line in "launched" at each start, and
// what its handlers saw.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

func main() {
	if os.Getenv(cookieKey) == "" {
		runChild()
	}
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(os.Args[0]), "salita-plugin-"), ".exe")
	mode := fromFile("mode", name)
	note("launched", "%d %s", time.Now().UnixNano(), mode)
	if fault, ok := beforeHandshake[mode]; ok {
		fault()
	}
	if r, ok := rawModes[mode]; ok {
		os.Exit(r.run(name))
	}
	sdk.Main(sdk.Plugin[config]{Manifest: manifest(name, mode), New: maker(mode)})
}

// cookieKey is in the environment of a process that is to be a plugin.
const cookieKey = "SALITA_PLUGIN"

// runChild is a child of a plugin, which outlives it and keeps its pipes.
func runChild() {
	time.Sleep(2 * time.Minute)
	os.Exit(0)
}

// fromFile is what the file in the working folder says, or the usual.
func fromFile(name, usual string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return usual
	}
	return strings.TrimSpace(string(text))
}

// note adds a line to a file in the working folder.
func note(file, format string, args ...any) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, format+"\n", args...)
}

// lastBreath notes the moment at which the process ends.
func lastBreath() { note("ended", "%d", time.Now().UnixNano()) }

// manifest is what the plugin says it is, true or not.
func manifest(name, mode string) sdk.Manifest {
	m := sdk.Manifest{
		Name:         name,
		Version:      fromFile("version", "1.0.0"),
		Title:        "Photos",
		Capabilities: []sdk.Capability{{ID: name + ".storage", Title: "Can store media"}},
		Routes: []sdk.Route{
			{Pattern: "GET /" + name + "/{what}", Permission: name + ":read"},
			{Pattern: "POST /" + name + "/{what}", Permission: name + ":upload"},
		},
	}
	if spoil, ok := spoiledManifests[mode]; ok {
		spoil(&m)
	}
	return m
}

var spoiledManifests = map[string]func(*sdk.Manifest){
	"misnamed": func(m *sdk.Manifest) { m.Name = "another" },
	"empty":    func(m *sdk.Manifest) { *m = sdk.Manifest{} },
	"huge":     func(m *sdk.Manifest) { m.Title = strings.Repeat("x", 10<<20) },
	"dots":     func(m *sdk.Manifest) { m.Routes[0].Pattern = "GET /" + m.Name + "/../api/devices" },
	"ofcore":   func(m *sdk.Manifest) { m.Routes[0].Pattern = "GET /api/devices" },
	"thief":    func(m *sdk.Manifest) { m.Routes[0].Pattern = "GET /bystander/hello" },
	"catchall": func(m *sdk.Manifest) { m.Routes[0].Pattern = "GET /{anything...}" },
	"twice":    func(m *sdk.Manifest) { m.Routes = append(m.Routes, m.Routes[0]) },
	"manycaps": func(m *sdk.Manifest) {
		for i := range 10_000 {
			m.Capabilities = append(m.Capabilities, sdk.Capability{ID: fmt.Sprintf("%s.c%d", m.Name, i), Title: "One of many"})
		}
	},
	"manyroutes": func(m *sdk.Manifest) {
		for i := range 10_000 {
			m.Routes = append(m.Routes, sdk.Route{Pattern: fmt.Sprintf("GET /%s/x/%d", m.Name, i), Permission: m.Name + ":read"})
		}
	},
	"forger":   func(m *sdk.Manifest) { m.Capabilities[0].ID = "bystander.storage" },
	"painted":  func(m *sdk.Manifest) { m.Title = "Photos\x1b[31m" },
	"borrower": func(m *sdk.Manifest) { m.Routes[0].Permission = "devices:admin" },
	"alone":    func(m *sdk.Manifest) { m.Alone = true },
}
