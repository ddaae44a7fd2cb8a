package sdk

import (
	"log/slog"
	"runtime/debug"

	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

func manifestToWire(m Manifest) *pluginv1.Manifest {
	out := &pluginv1.Manifest{Name: m.Name, Version: m.Version, Title: m.Title, SdkVersion: sdkVersion(), Paths: m.Paths, Features: wire.Features()}
	if m.Alone {
		out.Features = append(out.Features, wire.FeatureAlone)
	}
	for _, c := range m.Capabilities {
		out.Capabilities = append(out.Capabilities, &pluginv1.Capability{Id: c.ID, Title: c.Title, Route: c.Route})
	}
	for _, r := range m.Routes {
		out.Routes = append(out.Routes, &pluginv1.Route{Pattern: r.Pattern, Permission: r.Permission})
	}
	return out
}

// sdkVersion is the version of the module this SDK was built from, as the
// linker knows it.
func sdkVersion() string {
	const module = "github.com/salita-mesh/salita"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range append(info.Deps, &info.Main) {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}

func failureToWire(err error) *pluginv1.Failure {
	e := AsError(err)
	f := &pluginv1.Failure{Kind: string(e.Kind), Message: e.Message, Hint: e.Hint}
	if e.Cause != nil {
		f.Cause = e.Cause.Error()
	}
	return f
}

// setLevel applies the gateway's log level; an unknown word changes nothing.
func setLevel(level *slog.LevelVar, word string) {
	switch word {
	case "debug":
		level.Set(slog.LevelDebug)
	case "info":
		level.Set(slog.LevelInfo)
	case "warn":
		level.Set(slog.LevelWarn)
	case "error":
		level.Set(slog.LevelError)
	}
}
