package core

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/httpapi"
	"github.com/salita-mesh/salita/sdk"
)

// site is an App that is open but does not run, and its config.hcl.
type site struct {
	*App
	t    *testing.T
	file string
	logs *safeBuffer
}

func newSite(t *testing.T, content string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, file: filepath.Join(dir, "config.hcl"), logs: &safeBuffer{}}
	s.write(content)
	app, err := New(t.Context(), LoadOptions{
		DataDir: filepath.Join(dir, "data"), WorkDir: dir, Address: "127.0.0.1:0",
		Env: func(key string) string { return map[string]string{"HOME": dir, "USERPROFILE": dir}[key] },
	}, s.logs)
	if err != nil {
		t.Fatal(err)
	}
	s.App = app
	t.Cleanup(func() { app.Close() })
	return s
}

func (s *site) write(content string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// edit changes the file and looks at it, as the watch does.
func (s *site) edit(content string) httpapi.ConfigStatus {
	s.t.Helper()
	s.write(content)
	s.reloads.mu.Lock()
	defer s.reloads.mu.Unlock()
	s.reload(s.reloads.source.Read(), false)
	return configAPI{s.App}.Status()
}

func TestReloadAppliesWhatCan(t *testing.T) {
	s := newSite(t, "device {\n  name = \"Study\"\n}\n")
	status := s.edit(`
device { name = "Attic" }
server {
  address = "127.0.0.1:7001"
  names   = ["nas.example.org"]
}
discovery {
  interval = "5s"
  timeout  = "1s"
}
tokens { lifetime = "2h" }
pairing {
  attempts = 2
  grant    = ["media:read"]
}
log {
  level  = "debug"
  format = "json"
}
`)
	// --address beats the file, so that edit of the address is none.
	if diff := cmp.Diff(httpapi.ConfigStatus{File: s.file, RestartNeeded: []string{"log.format"}}, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if s.Name() != "Attic" {
		t.Errorf("name is %q", s.Name())
	}
	if !s.log.Named("x").IsDebug() {
		t.Error("the level is still the old one")
	}
	found := false
	for _, name := range s.names() {
		found = found || name == "nas.example.org"
	}
	if !found {
		t.Errorf("names are %v", s.names())
	}
	if _, issued := s.tokens.Issue("a", s.identity.Key(), nil); issued.ExpiresAt.Sub(issued.IssuedAt) != 2*time.Hour {
		t.Errorf("a token lives %v", issued.ExpiresAt.Sub(issued.IssuedAt))
	}
	for _, want := range []string{"configuration applied", "pairing.grant", "these settings count from the next start on: settings=log.format"} {
		if !strings.Contains(s.logs.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, s.logs)
		}
	}
	// The way back needs no restart any more.
	if status := s.edit("device {\n  name = \"Attic\"\n}\n"); len(status.RestartNeeded) != 0 {
		t.Errorf("status %+v", status)
	}
}

func TestReloadKeepsTheOldOnAMistake(t *testing.T) {
	const good = "device {\n  name = \"Study\"\n}\nlog {\n  format = \"json\"\n}\n"
	s := newSite(t, "")
	s.edit(good)
	wrong := strings.Replace(good, "name", "nmae", 1)
	for range 3 { // the file is the same, so it is said once
		status := s.edit(wrong)
		if !strings.Contains(status.Error, s.file+":2:3: ") || !strings.Contains(status.Error, "^^^^") {
			t.Errorf("error is %q", status.Error)
		}
		if diff := cmp.Diff([]string{"log.format"}, status.RestartNeeded); diff != "" {
			t.Errorf("restart needed (-want +got):\n%s", diff)
		}
	}
	if s.Name() != "Study" {
		t.Errorf("name is %q", s.Name())
	}
	if n := strings.Count(s.logs.String(), "configuration not applied"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, s.logs)
	}
	s.Reload() // somebody asks
	if n := strings.Count(s.logs.String(), "configuration not applied"); n != 2 {
		t.Errorf("logged %d times:\n%s", n, s.logs)
	}
	if status := s.edit(good); status.Error != "" {
		t.Errorf("error is still %q", status.Error)
	}
	if !strings.HasSuffix(strings.TrimSpace(s.logs.String()), `changed=""`) {
		t.Errorf("mending it is not logged:\n%s", s.logs)
	}
}

// TestReloadTakesNothingFromAHalfUsableFile is about mistakes that only applying
// finds.
func TestReloadTakesNothingFromAHalfUsableFile(t *testing.T) {
	s := newSite(t, "device {\n  name = \"Study\"\n}\n")
	status := s.edit("device {\n  name = \"Attic\"\n}\ncertificate {\n  file = \"no.pem\"\n  key = \"no.key\"\n}\n")
	if !strings.Contains(status.Error, "no.pem") || s.Name() != "Study" || s.config().Device.Name != "Study" {
		t.Errorf("status %+v, name %q", status, s.Name())
	}
	if status := s.edit("device {\n  name = \"Attic\"\n}\n"); status.Error != "" || s.Name() != "Attic" {
		t.Errorf("status %+v, name %q", status, s.Name())
	}
}

func TestEnablePlugin(t *testing.T) {
	s := newSite(t, "# mine\n")
	if err := s.plugins.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.plugins.Close() })
	api := configAPI{s.App}
	if err := api.EnablePlugin("posts", true); sdk.KindOf(err) != sdk.NotFound || !strings.Contains(err.Error(), filepath.Join("data", "plugins")) {
		t.Errorf("without a program: %v", err)
	}
	if err := api.EnablePlugin("../../x", true); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("a path: %v", err)
	}
	s.dropIn("posts")
	if err := api.EnablePlugin("posts", true); err != nil {
		t.Fatal(err)
	}
	if c := s.config(); len(c.Plugins) != 1 || !c.Plugins[0].Enabled {
		t.Errorf("in force: %+v", c.Plugins)
	}
	if err := api.EnablePlugin("posts", false); err != nil {
		t.Fatal(err)
	}
	if got := s.read(); got != "# mine\n\nplugin \"posts\" {\n  enabled = false\n}\n" {
		t.Errorf("file is %q", got)
	}
	// A plugin whose program is gone can still be disabled.
	if err := os.RemoveAll(s.inDataDir("plugins")); err != nil {
		t.Fatal(err)
	}
	if err := api.EnablePlugin("posts", false); err != nil {
		t.Error(err)
	}
}

func TestEnablePluginLeavesAWrongFileAlone(t *testing.T) {
	s := newSite(t, "")
	const wrong = "device {"
	s.edit("plugin \"posts\" {}\n")
	s.write(wrong)
	err := configAPI{s.App}.EnablePlugin("posts", false)
	if sdk.KindOf(err) != sdk.Invalid || s.read() != wrong {
		t.Errorf("%v, file %q", err, s.read())
	}
	if status := (configAPI{s.App}).Status(); !strings.Contains(status.Error, "config.hcl:1:8") {
		t.Errorf("status %+v", status)
	}
}

// TestEnablePluginFromEverywhere has commands, edits and signals come at the same
// time. None may be lost, and what is in force in the end is what the file says.
func TestEnablePluginFromEverywhere(t *testing.T) {
	s := newSite(t, "plugin \"a\" {}\nplugin \"b\" {}\nplugin \"c\" {}\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watching, commands sync.WaitGroup
	watching.Go(func() { s.watchConfig(ctx) })
	for _, name := range []string{"a", "b", "c"} {
		commands.Go(func() {
			for i := range 21 {
				if err := (configAPI{s.App}).EnablePlugin(name, i%2 == 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	commands.Go(func() {
		for range 20 {
			s.Reload()
		}
	})
	commands.Wait()
	for _, p := range s.config().Plugins {
		if p.Enabled {
			t.Errorf("%s is enabled at the end", p.Name)
		}
	}
	if got, want := s.read(), "plugin \"a\" {\n  enabled = false\n}\nplugin \"b\" {\n  enabled = false\n}\nplugin \"c\" {\n  enabled = false\n}\n"; got != want {
		t.Errorf("file is\n%s", got)
	}
	cancel()
	watching.Wait()
}

func (s *site) dropIn(name string) {
	s.t.Helper()
	dir := s.inDataDir("plugins")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "salita-plugin-"+name), []byte("#!/bin/false\n"), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read() string {
	s.t.Helper()
	data, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func TestWatchConfigTellsWhoWatches(t *testing.T) {
	s := newSite(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	news := s.events.Watch("")
	var watching sync.WaitGroup
	watching.Go(func() { s.watchConfig(ctx) })
	s.write("server {\n  address = \":1\"\n}\nlog {\n  level = 7\n}\n")
	event, _, err := news.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var status httpapi.ConfigStatus
	if err := json.Unmarshal(event.Data, &status); err != nil || event.Name != "config.changed" || !strings.Contains(status.Error, "config.hcl:5:11") {
		t.Errorf("event %s %s, %v", event.Name, event.Data, err)
	}
	cancel()
	watching.Wait()
}

func TestNewRefusesAWrongConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte("device {"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(t.Context(), LoadOptions{DataDir: filepath.Join(dir, "data"), WorkDir: dir}, &safeBuffer{})
	if _, wrong := err.(*ConfigError); !wrong {
		t.Errorf("error is %T %v", err, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a data folder was made")
	}
}

// safeBuffer collects a log.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
