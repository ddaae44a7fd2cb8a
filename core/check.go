package core

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// Report is what Check found out.
type Report struct {
	OK       bool          `json:"ok"`       // nothing is wrong; remarks may be there all the same
	File     string        `json:"file"`     // config.hcl; "" when there is none
	DataDir  string        `json:"data_dir"` // "" when the configuration cannot be read
	Problems []Problem     `json:"problems"` // in the order in which they were found
	Plugins  []PluginCheck `json:"plugins"`  // by name; empty when the configuration cannot be read
}

// Problem is one thing that is wrong, or that is worth knowing.
type Problem struct {
	Severity string `json:"severity"` // "error" or "warning"
	About    string `json:"about"`    // "configuration", "certificate", "data folder", "plugin_dirs" or a plugin's name
	Config   bool   `json:"config"`   // mending it means to edit the configuration
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`   // from 1
	Column   int    `json:"column,omitempty"` // from 1
	Snippet  string `json:"snippet,omitempty"`
	Summary  string `json:"summary,omitempty"`
	Message  string `json:"message"`

	text string
}

// Severities of a Problem.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// String is the problem as people read it: with the place in the file and carets
// under it, if it is about one.
func (p Problem) String() string { return p.text }

// PluginCheck is what was found out about one plugin.
type PluginCheck struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"` // the name, while nothing better is known
	Enabled   bool     `json:"enabled"`
	OK        bool     `json:"ok"` // it would start, as far as that can be told
	Path      string   `json:"path"`
	Version   string   `json:"version"`
	Abilities []string `json:"abilities"` // what it can do, in plain words
}

// WrongConfig reports whether something is wrong in the configuration itself.
func (r Report) WrongConfig() bool {
	for _, p := range r.Problems {
		if p.Config && p.Severity == SeverityError {
			return true
		}
	}
	return false
}

// Check looks whether a gateway would start with these options as its owner
// wants it: at the configuration, the data folder, the plugin folders, and at
// each enabled plugin, which is started for its manifest and its opinion of its
// own configuration, but never configured. It needs no running gateway, and does
// not disturb one. What is wrong is in the report; an error means that it could
// not be found out. Logs receives what plugins write, when log.level is debug.
func Check(ctx context.Context, options LoadOptions, logs io.Writer) (Report, error) {
	source, err := config.NewSource(options)
	if err != nil {
		return Report{}, err
	}
	c := &checking{reading: source.Read()}
	c.report = Report{File: c.reading.File, DataDir: c.reading.Config.DataDir, Problems: []Problem{}, Plugins: []PluginCheck{}}
	if c.reading.Err != nil {
		c.configuration()
		return c.done(), nil
	}
	c.certificate()
	c.dataFolder()
	c.pluginDirs()
	if err := c.plugins(ctx, logs); err != nil {
		return Report{}, err
	}
	return c.done(), nil
}

// checking collects a report.
type checking struct {
	reading config.Reading
	report  Report
}

func (c *checking) done() Report {
	c.report.OK = true
	for _, p := range c.report.Problems {
		c.report.OK = c.report.OK && p.Severity != SeverityError
	}
	return c.report
}

// add takes in a problem, which is of the configuration if it has a place in it.
func (c *checking) add(severity, about string, d config.Diagnostic) {
	c.report.Problems = append(c.report.Problems, Problem{
		Severity: severity, About: about, Config: d.File != "",
		File: d.File, Line: d.Line, Column: d.Column, Snippet: d.Snippet, Summary: d.Summary, Message: d.Message,
		text: d.String(),
	})
}

// addError takes in a problem without a place.
func (c *checking) addError(about string, err error) {
	c.add(SeverityError, about, config.Diagnostic{Message: sentence(err)})
}

// sentence is an error for people, with its hint.
func sentence(err error) string {
	e := sdk.AsError(err)
	if e.Hint == "" {
		return e.Friendly()
	}
	return e.Friendly() + " Try: " + e.Hint
}

func (c *checking) configuration() {
	var mistake *config.Error
	if !errors.As(c.reading.Err, &mistake) {
		c.addError("configuration", c.reading.Err)
		return
	}
	for _, d := range mistake.Diagnostics() {
		c.add(SeverityError, "configuration", d)
	}
	for i := range c.report.Problems {
		c.report.Problems[i].Config = true // flags and variables, too
	}
}

func (c *checking) certificate() {
	files := identity.CertificateFiles(c.reading.Config.Certificate)
	if err := files.Check(time.Now()); err != nil {
		c.add(SeverityError, "certificate", c.reading.PointAt("The certificate can't be used", sentence(err), "certificate", "file"))
	}
}

func (c *checking) dataFolder() {
	remarks, err := identity.Inspect(c.reading.Config.DataDir)
	for _, remark := range remarks {
		c.add(SeverityWarning, "data folder", config.Diagnostic{Message: remark})
	}
	if err != nil {
		c.addError("data folder", err)
	}
}

// pluginDirs looks at the folders that the configuration adds. One that is not
// there yet may come: it is watched.
func (c *checking) pluginDirs() {
	for _, dir := range c.reading.Config.PluginDirs {
		info, err := os.Stat(dir)
		message := ""
		switch {
		case errors.Is(err, os.ErrNotExist):
			message = "There is no folder " + dir + "."
		case err != nil:
			message = "The folder " + dir + " can't be read."
		case !info.IsDir():
			message = dir + " is not a folder."
		default:
			continue
		}
		c.add(SeverityWarning, "plugin_dirs", c.reading.PointAt("Not a folder with plugins", message, "plugin_dirs"))
	}
}

// plugins starts each enabled plugin for a moment.
func (c *checking) plugins(ctx context.Context, logs io.Writer) error {
	cfg := c.reading.Config
	found, err := plugins.Inspect(ctx, pluginOptions(cfg, checkLogger(cfg, logs)), pluginSpecs(cfg.Plugins))
	if err != nil {
		return err
	}
	for _, remark := range found.Remarks {
		c.add(SeverityWarning, "plugin_dirs", config.Diagnostic{Message: remark})
	}
	for _, p := range found.Plugins {
		check := PluginCheck{
			Name: p.Name, Title: cmp.Or(p.Manifest.Title, p.Name), Enabled: p.Enabled, OK: p.Problem == "",
			Path: p.Path, Version: p.Manifest.Version, Abilities: []string{},
		}
		for _, capability := range p.Manifest.Capabilities {
			check.Abilities = append(check.Abilities, capability.Title)
		}
		c.report.Plugins = append(c.report.Plugins, check)
		c.plugin(p)
	}
	return nil
}

// checkLogger shows what plugins write only to those who look for mistakes in a
// plugin: a report has all that others need.
func checkLogger(c Config, logs io.Writer) hclog.Logger {
	log := newLogger(c, logs)
	if !log.IsDebug() {
		log.SetLevel(hclog.Off)
	}
	return log.Named("plugins")
}

// plugin says what is wrong with one plugin, where it can be mended: in the
// plugin's block, or outside of the configuration.
func (c *checking) plugin(p plugins.Inspection) {
	refused := false
	for _, r := range p.Remarks {
		severity := SeverityError
		if r.Severity == control.Warning {
			severity = SeverityWarning
		}
		refused = refused || severity == SeverityError
		c.add(severity, p.Name, c.remark(p.Name, r))
	}
	severity := SeverityError
	if !p.Enabled {
		severity = SeverityWarning // nobody wants to run it
	}
	switch {
	case p.Problem == "" || refused:
	case p.Path == "":
		c.add(severity, p.Name, c.reading.PointAt("There is no such plugin", p.Problem, "plugin", p.Name))
	case p.Stage == plugins.AtPin:
		c.add(severity, p.Name, c.reading.PointAt("Not the program that is allowed", p.Problem, "plugin", p.Name, "sha256"))
	default:
		c.add(severity, p.Name, config.Diagnostic{Message: p.Problem})
	}
}

// remark is a plugin's remark on its own settings. One without a place is about
// the block as a whole.
func (c *checking) remark(name string, r control.Diagnostic) config.Diagnostic {
	message := cmp.Or(r.Detail, r.Summary)
	if r.Subject == nil {
		return c.reading.PointAt(r.Summary, message, "plugin", name, "config")
	}
	return c.reading.Point(config.Position(r.Subject.Start), config.Position(r.Subject.End), r.Summary, message)
}
