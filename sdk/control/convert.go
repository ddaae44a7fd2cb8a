package control

import (
	"errors"

	"github.com/salita-mesh/salita/sdk"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

func configToWire(c Config) *pluginv1.Config {
	return &pluginv1.Config{
		Filename: c.Filename,
		Source:   c.Source,
		Start:    &pluginv1.Position{Line: int64(c.Start.Line), Column: int64(c.Start.Column), Byte: int64(c.Start.Byte)},
		Revision: c.Revision,
		Json:     settingsJSON(c),
	}
}

func environmentToWire(e Environment) *pluginv1.Environment {
	return &pluginv1.Environment{
		DataDir:        e.DataDir,
		DeviceName:     e.DeviceName,
		HomeDir:        e.HomeDir,
		SocketDir:      e.SocketDir,
		GatewayVersion: e.GatewayVersion,
		LogLevel:       e.LogLevel,
		HostSocket:     e.HostSocket,
		Features:       e.Features,
	}
}

// accepted sorts remarks on the configuration from a refusal.
func accepted(c Config, wire []*pluginv1.Diagnostic) ([]Diagnostic, error) {
	remarks := make([]Diagnostic, len(wire))
	refused := false
	for i, d := range wire {
		remarks[i] = Diagnostic{
			Summary: d.GetSummary(),
			Detail:  d.GetDetail(),
			Subject: rangeFromWire(d.GetSubject()),
		}
		if remarks[i].Subject == nil && d.GetAttribute() != "" {
			remarks[i].Subject = placeOf(c, d.GetAttribute())
		}
		if d.GetSeverity() == pluginv1.Severity_SEVERITY_WARNING {
			remarks[i].Severity = Warning
		} else {
			refused = true
		}
	}
	if refused {
		return nil, &ConfigError{Diagnostics: remarks}
	}
	return remarks, nil
}

func rangeFromWire(r *pluginv1.Range) *Range {
	if r == nil {
		return nil
	}
	return &Range{Filename: r.GetFilename(), Start: positionFromWire(r.GetStart()), End: positionFromWire(r.GetEnd())}
}

func positionFromWire(p *pluginv1.Position) Position {
	return Position{Line: int(p.GetLine()), Column: int(p.GetColumn()), Byte: int(p.GetByte())}
}

// failureFromWire keeps a plugin to the kinds that exist. An absent failure is
// an unforeseen one.
func failureFromWire(f *pluginv1.Failure) *sdk.Error {
	e := &sdk.Error{Kind: sdk.Internal, Message: f.GetMessage(), Hint: f.GetHint()}
	for _, k := range sdk.Kinds() {
		if string(k) == f.GetKind() {
			e.Kind = k
		}
	}
	if f.GetCause() != "" {
		e.Cause = errors.New(f.GetCause())
	}
	return e
}
