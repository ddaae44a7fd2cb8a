package core

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

func TestChanges(t *testing.T) {
	media := config.Plugin{Name: "media", Enabled: true, Block: config.Block{Source: []byte("a = 1\n"), Line: 3, Byte: 40}}
	base := config.Default()
	base.Plugins = []config.Plugin{media}
	plugin := func(change func(*config.Plugin)) func(*Config) {
		return func(c *Config) {
			p := media
			change(&p)
			c.Plugins = []config.Plugin{p}
		}
	}
	tests := map[string]struct {
		change        func(*Config)
		live, restart []string
	}{
		"nothing":            {func(*Config) {}, nil, nil},
		"another file":       {func(c *Config) { c.File = "/other.hcl" }, nil, nil},
		"equal, not same":    {func(c *Config) { c.Pairing.Grant = slices.Clone(c.Pairing.Grant) }, nil, nil},
		"name":               {func(c *Config) { c.Device.Name = "Attic" }, []string{"device.name"}, nil},
		"level":              {func(c *Config) { c.Log.Level = "debug" }, []string{"log.level"}, nil},
		"grant":              {func(c *Config) { c.Pairing.Grant = mesh.Grant{"*"} }, []string{"pairing.grant"}, nil},
		"address":            {func(c *Config) { c.Server.Address = ":7000" }, nil, []string{"server.address"}},
		"path":               {func(c *Config) { c.Storage.Path = "/x.db" }, nil, []string{"storage.path"}},
		"format":             {func(c *Config) { c.Log.Format = "json" }, nil, []string{"log.format"}},
		"certificate":        {func(c *Config) { c.Certificate = config.Certificate{File: "c", Key: "k"} }, []string{"certificate"}, nil},
		"plugin added":       {func(c *Config) { c.Plugins = append(c.Plugins, config.Plugin{Name: "posts"}) }, []string{`plugin "posts"`}, nil},
		"plugin removed":     {func(c *Config) { c.Plugins = nil }, []string{`plugin "media"`}, nil},
		"plugin disabled":    {plugin(func(p *config.Plugin) { p.Enabled = false }), []string{`plugin "media"`}, nil},
		"plugin pinned":      {plugin(func(p *config.Plugin) { p.SHA256 = "ab" }), []string{`plugin "media"`}, nil},
		"plugin configured":  {plugin(func(p *config.Plugin) { p.Block.Source = []byte("a = 2\n") }), []string{`plugin "media"`}, nil},
		"plugin block empty": {plugin(func(p *config.Plugin) { p.Block.Source = nil }), []string{`plugin "media"`}, nil},
		"plugin moved":       {plugin(func(p *config.Plugin) { p.Block.Line, p.Block.Byte = 9, 99 }), nil, nil},
		"several": {
			func(c *Config) {
				c.Server.Address, c.Log.Format = ":1", "json"
				c.Discovery.Interval, c.PluginDirs = time.Hour, []string{"/p"}
			}, []string{"discovery.interval", "plugin_dirs"}, []string{"server.address", "log.format"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next := base
			tt.change(&next)
			live, restart := changes(base, next)
			if diff := cmp.Diff(tt.live, names(live, base, next)); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.restart, names(restart, base, next)); diff != "" {
				t.Errorf("from the next start on (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEverySettingIsKnown changes each field of Config in turn: none may be
// missing in the list, and none may be in it twice.
func TestEverySettingIsKnown(t *testing.T) {
	// Where the configuration comes from is given by flags and environment.
	given := []string{"File", "DataDir"}
	base := config.Default()
	root := reflect.TypeOf(base)
	for i := range root.NumField() {
		if slices.Contains(given, root.Field(i).Name) {
			continue
		}
		fields := [][]int{{i}}
		if inner := root.Field(i).Type; inner.Kind() == reflect.Struct {
			fields = nil
			for j := range inner.NumField() {
				fields = append(fields, []int{i, j})
			}
		}
		for _, at := range fields {
			next := config.Default()
			alter(t, reflect.ValueOf(&next).Elem().FieldByIndex(at))
			live, restart := changes(base, next)
			if len(live)+len(restart) != 1 {
				t.Errorf("a change of %s is %d settings, want 1", root.FieldByIndex(at[:1]).Name, len(live)+len(restart))
			}
		}
	}
}

// TestTheDocumentKnowsEverySetting compares docs/CONFIG.md with the list.
func TestTheDocumentKnowsEverySetting(t *testing.T) {
	text, err := os.ReadFile("../docs/CONFIG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "From the next start on only: ")
	waiting, _, _ := strings.Cut(rest, ".\n")
	waiting, _, _ = strings.Cut(waiting, ". ")
	var want []string
	for _, s := range settings() {
		block, name, inBlock := strings.Cut(s.name, ".")
		if !inBlock {
			name = block
		}
		if !strings.Contains(string(text), "`"+block+"`") && !strings.Contains(string(text), "`"+block+" ") || !strings.Contains(string(text), "`"+name) {
			t.Errorf("%s is not in the document", s.name)
		}
		if s.apply == nil {
			want = append(want, "`"+s.name+"`")
		}
	}
	if waiting != strings.Join(want, ", ") {
		t.Errorf("the document has from the next start on %s, want %s", waiting, strings.Join(want, ", "))
	}
}

// alter gives a value another value.
func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	default:
		t.Fatalf("do not know how to change a %v", v.Type())
	}
}
