package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
)

func (a *app) check() *cobra.Command {
	var options core.LoadOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, data folder and plugins",
		Long: "Check whether a gateway would start as you want it: config.hcl, the data folder, the plugin folders, and each enabled plugin, " +
			"which is started for a moment and asked about its own settings. No gateway needs to run, and one that runs is not disturbed.\n\n" +
			"Ends with 2 when something in the configuration is wrong, with 1 when something else is, and with 0 otherwise.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.DataDir, options.Env = a.dataDir, a.getenv
			report, err := core.Check(cmd.Context(), options, a.err)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(report)
			} else {
				err = a.printCheck(report)
			}
			return errors.Join(err, checkVerdict(report))
		},
	}
	cmd.Flags().StringVar(&options.File, "config", "", "configuration file (default ./config.hcl, then config.hcl in the data folder)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// errFound ends the command after everything was said.
type errFound struct{ code int }

func (errFound) Error() string { return "something is wrong" }

func checkVerdict(r core.Report) error {
	switch {
	case r.WrongConfig():
		return errFound{exitUsage}
	case !r.OK:
		return errFound{exitFailed}
	}
	return nil
}

// printCheck prints a short list, and what is wrong apart from it, where errors
// go.
func (a *app) printCheck(r core.Report) error {
	about := map[string]string{} // the worst that is known about each
	for _, p := range r.Problems {
		if about[p.About] != core.SeverityError {
			about[p.About] = p.Severity
		}
		if p.Severity == core.SeverityWarning {
			fmt.Fprintf(a.err, "Remark: %s\n\n", p)
		} else {
			fmt.Fprintf(a.err, "%s\n\n", p)
		}
	}
	mark := func(subjects ...string) string {
		for _, s := range subjects {
			if about[s] == core.SeverityError {
				return "✕"
			}
		}
		return "✓"
	}
	rows := [][]string{{mark("configuration", "certificate", "plugin_dirs"), "Configuration", cmp.Or(r.File, "no file, everything has its default")}}
	if r.DataDir != "" {
		rows = append(rows, []string{mark("data folder"), "Data folder", r.DataDir})
	}
	for _, p := range r.Plugins {
		rows = append(rows, pluginRow(p))
	}
	for _, line := range aligned(rows) {
		fmt.Fprintln(a.out, line)
	}
	if !r.OK {
		return nil
	}
	_, err := fmt.Fprintln(a.out, "Everything is fine.")
	return err
}

// pluginRow is the line about one plugin.
func pluginRow(p core.PluginCheck) []string {
	name := "Plugin " + p.Name
	switch {
	case !p.Enabled && p.Path == "":
		return []string{"○", name, "not enabled, and not there"}
	case !p.Enabled && !p.OK:
		return []string{"○", name, "not enabled, and can't run as it is"}
	case !p.Enabled:
		return []string{"○", name, "found, not enabled"}
	case !p.OK:
		return []string{"✕", name, "can't run as it is"}
	}
	return []string{"✓", name, strings.TrimSpace(p.Version + "  " + strings.Join(p.Abilities, ", "))}
}
