package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// sample is the documented configuration, with every setting there is.
const sample = `device {
  name = "Study Desktop"          # default: host name
}
server {
  address = "0.0.0.0:6969"          # TLS and plain HTTP on one port; HTTP only explains and redirects
}
discovery {
  mdns     = true
  interval = "60s"
  timeout  = "2s"
}
tokens {
  lifetime     = "720h"             # 30 days
  renew_within = "168h"             # 7 days
}
pairing {
  window   = "5m"
  attempts = 5
  grant    = ["media:*", "posts:*", "devices:read"]
}
storage {
  path = "salita.db"                # relative to the data folder
}
log {
  level  = "info"
  format = "text"                   # or "json"
}
certificate {                       # default: the gateway's own
  file = "tls/fullchain.pem"        # relative to this file
  key  = "~/tls/key.pem"
}

plugin_dirs = ["~/my-plugins"]      # in addition to the two default folders

plugin "media" {
  enabled = true
  sha256  = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"
  env     = ["LANG"]                # environment variables passed through; none by default
  confine = true                    # its own files and those that its settings name, no others
  config {                          # decoded by the plugin's own schema; errors point into this file
    library = "~/Pictures/Salita"
  }
}
plugin "posts" {}
`

// world is a home folder, a working folder and an environment for one test.
type world struct {
	home, work string
	env        map[string]string
}

func newWorld(t *testing.T) *world {
	root := t.TempDir()
	w := &world{home: filepath.Join(root, "home"), work: filepath.Join(root, "work"), env: map[string]string{}}
	for _, dir := range []string{w.home, w.work, filepath.Join(w.home, ".salita")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.env["HOME"], w.env["USERPROFILE"] = w.home, w.home
	return w
}

func (w *world) write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) load(change ...func(*Options)) (Config, error) {
	opts := Options{Env: func(key string) string { return w.env[key] }, WorkDir: w.work}
	for _, f := range change {
		f(&opts)
	}
	return Load(opts)
}

// defaults are what Load gives in this world without any file.
func (w *world) defaults() Config {
	c := Default()
	c.DataDir = filepath.Join(w.home, ".salita")
	c.Storage.Path = filepath.Join(c.DataDir, "salita.db")
	return c
}

func TestNoFileIsFine(t *testing.T) {
	w := newWorld(t)
	got, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.defaults(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheSampleIsAllDefaults(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file, sample)
	got, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	want := w.defaults()
	want.File = file
	want.Device.Name = "Study Desktop"
	want.Certificate = Certificate{
		File: filepath.Join(w.work, "tls", "fullchain.pem"),
		Key:  filepath.Join(w.home, "tls", "key.pem"),
	}
	want.PluginDirs = []string{filepath.Join(w.home, "my-plugins")}
	source := "                          # decoded by the plugin's own schema; errors point into this file\n" +
		"    library = \"~/Pictures/Salita\"\n  "
	want.Plugins = []Plugin{{
		Name: "media", Enabled: true,
		SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Env:    []string{"LANG"},
		Block: Block{
			Filename: file, Source: []byte(source),
			Line: 40, Column: 11, Byte: strings.Index(sample, source),
		},
	}, {Name: "posts", Enabled: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEverySettingIsRead(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, "my.hcl")
	w.write(t, file, `
device { name = "  Attic\tNAS " }
server { address = "[::1]:0" }
discovery {
  mdns     = false
  interval = "1m30s"
  timeout  = "250ms"
}
tokens {
  lifetime     = "1h"
  renew_within = "59m"
}
pairing {
  window   = "1h"
  attempts = 20
  grant    = []
}
storage { path = "db/mesh.db" }
log {
  level  = "debug"
  format = "json"
}
certificate {
  file = "/etc/salita.pem"
  key  = "/etc/salita.pem"
}
plugin_dirs = ["plugins", "/opt/salita", "~"]
plugin "a-1" {
  enabled = false
  confine = false
  config {}
}
`)
	got, err := w.load(func(o *Options) { o.File = "my.hcl" })
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(w.home, ".salita")
	want := Config{
		File: file, DataDir: data,
		Device:      Device{Name: "Attic NAS"},
		Server:      Server{Address: "[::1]:0"},
		Discovery:   Discovery{Interval: 90 * time.Second, Timeout: 250 * time.Millisecond},
		Tokens:      Tokens{Lifetime: time.Hour, RenewWithin: 59 * time.Minute},
		Pairing:     Pairing{Window: time.Hour, Attempts: 20, Grant: mesh.Grant{}},
		Storage:     Storage{Path: filepath.Join(data, "db", "mesh.db")},
		Log:         Log{Level: "debug", Format: "json"},
		Certificate: Certificate{File: "/etc/salita.pem", Key: "/etc/salita.pem"},
		PluginDirs:  []string{filepath.Join(w.work, "plugins"), "/opt/salita", w.home},
	}
	// An empty block is not an absent one.
	if len(got.Plugins) != 1 || got.Plugins[0].Block.Source == nil || len(got.Plugins[0].Block.Source) != 0 {
		t.Errorf("plugins: %+v", got.Plugins)
	}
	if len(got.Plugins) == 1 && (!got.Plugins[0].Unconfined || got.Plugins[0].Enabled) {
		t.Errorf("plugins: %+v", got.Plugins)
	}
	got.Plugins = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCertificatePaths shows where the paths of a certificate block start from.
func TestCertificatePaths(t *testing.T) {
	w := newWorld(t)
	elsewhere := filepath.Join(w.home, "etc")
	for name, tt := range map[string]struct{ path, want string }{
		"relative to the file":   {"tls/c.pem", filepath.Join(elsewhere, "tls", "c.pem")},
		"not to the work folder": {"./c.pem", filepath.Join(elsewhere, "c.pem")},
		"upwards":                {"../c.pem", filepath.Join(w.home, "c.pem")},
		"absolute":               {"/tls/c.pem", "/tls/c.pem"},
		"home":                   {"~/c.pem", filepath.Join(w.home, "c.pem")},
		"not a home":             {"~c.pem", filepath.Join(elsewhere, "~c.pem")},
		"spaces":                 {"my files/c.pem", filepath.Join(elsewhere, "my files", "c.pem")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(elsewhere, 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(elsewhere, "my.hcl")
			w.write(t, file, "certificate {\n  file = \""+tt.path+"\"\n  key = \"/k.pem\"\n}\n")
			got, err := w.load(func(o *Options) { o.File = file })
			if want := (Certificate{File: tt.want, Key: "/k.pem"}); err != nil || got.Certificate != want {
				t.Errorf("%+v, %v, want %+v", got.Certificate, err, want)
			}
		})
	}
}

func TestAShortLifetimeBringsAShortRenewal(t *testing.T) {
	w := newWorld(t)
	w.write(t, filepath.Join(w.work, fileName), `tokens { lifetime = "40s" }`)
	got, err := w.load()
	if want := (Tokens{Lifetime: 40 * time.Second, RenewWithin: 10 * time.Second}); err != nil || got.Tokens != want {
		t.Errorf("%+v, %v, want %+v", got.Tokens, err, want)
	}
}

func TestWhereTheFileIsFound(t *testing.T) {
	// Each file says which it is; each case lists those that exist.
	tests := map[string]struct {
		flag, variable, work, data bool
		want                       string
	}{
		"nothing":            {want: ""},
		"data folder":        {data: true, want: "data"},
		"working folder":     {work: true, data: true, want: "work"},
		"variable":           {variable: true, work: true, data: true, want: "variable"},
		"flag":               {flag: true, variable: true, work: true, data: true, want: "flag"},
		"flag without rest":  {flag: true, want: "flag"},
		"variable, no other": {variable: true, want: "variable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			put := func(exists bool, path, name string) {
				if exists {
					w.write(t, path, `device { name = "`+name+`" }`)
				}
			}
			put(tt.work, filepath.Join(w.work, fileName), "work")
			put(tt.data, filepath.Join(w.home, ".salita", fileName), "data")
			put(tt.variable, filepath.Join(w.work, "v.hcl"), "variable")
			put(tt.flag, filepath.Join(w.home, "f.hcl"), "flag")
			if tt.variable {
				w.env[envFile] = "v.hcl"
			}
			got, err := w.load(func(o *Options) {
				if tt.flag {
					o.File = "~/f.hcl"
				}
			})
			if err != nil || got.Device.Name != tt.want {
				t.Errorf("%q from %q, %v, want %q", got.Device.Name, got.File, err, tt.want)
			}
			if (got.File == "") != (tt.want == "") || got.File != "" && !filepath.IsAbs(got.File) {
				t.Errorf("File = %q", got.File)
			}
		})
	}
}

func TestTheDataFolder(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct{ flag, variable, want string }{
		"default":        {"", "", filepath.Join(w.home, ".salita")},
		"variable":       {"", "/srv/salita", "/srv/salita"},
		"flag wins":      {"d", "/srv/salita", filepath.Join(w.work, "d")},
		"home":           {"~/d", "", filepath.Join(w.home, "d")},
		"not a home":     {"~d", "", filepath.Join(w.work, "~d")},
		"made canonical": {"/srv//x/../salita/", "", "/srv/salita"},
	} {
		t.Run(name, func(t *testing.T) {
			w.env[envDataDir] = tt.variable
			alone, err := DataDir(Options{DataDir: tt.flag, Env: func(key string) string { return w.env[key] }, WorkDir: w.work})
			if err != nil || alone != tt.want {
				t.Errorf("DataDir = %q, %v, want %q", alone, err, tt.want)
			}
			got, err := w.load(func(o *Options) { o.DataDir = tt.flag })
			if err != nil || got.DataDir != tt.want || got.Storage.Path != filepath.Join(tt.want, "salita.db") {
				t.Errorf("DataDir %q, database %q, %v, want %q", got.DataDir, got.Storage.Path, err, tt.want)
			}
		})
	}
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	w := newWorld(t)
	w.write(t, filepath.Join(w.work, fileName), `
device { name = "file" }
server { address = "127.0.0.1:1" }
log { level = "error" }
`)
	check := func(step, name, address, level string, change ...func(*Options)) {
		t.Helper()
		got, err := w.load(change...)
		if err != nil || got.Device.Name != name || got.Server.Address != address || got.Log.Level != level {
			t.Errorf("%s: %q %q %q, %v", step, got.Device.Name, got.Server.Address, got.Log.Level, err)
		}
	}
	check("file", "file", "127.0.0.1:1", "error")
	w.env[envName], w.env[envAddress], w.env[envLogLevel] = "variable", ":2", "debug"
	check("environment", "variable", ":2", "debug")
	check("flags", "flag", "localhost:3", "debug", func(o *Options) { o.Name, o.Address = "flag", "localhost:3" })
}

func TestAnErrorIsAFailureForPeople(t *testing.T) {
	w := newWorld(t)
	w.write(t, filepath.Join(w.work, fileName), "device {")
	_, err := w.load()
	e := sdk.AsError(err)
	if e.Kind != sdk.Invalid || e.Message == "" || !strings.Contains(e.Hint, fileName+":1:8") {
		t.Errorf("AsError = %+v", e)
	}
}
