package main

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk/client"
)

func (a *app) plugins() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "List the plugins of this gateway",
		Long:  "List the plugins of this gateway: how each is doing, what it can do, and what is wrong with it.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			gateway, err := a.client()
			if err != nil {
				return err
			}
			plugins, err := gateway.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(plugins)
			}
			return a.printPlugins(plugins)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(a.enablePlugin(), a.disablePlugin(), a.restartPlugin(), a.newPlugin(), a.verifyPlugin())
	return cmd
}

// stateWords are the words and shapes that people see for a plugin's state.
var stateWords = map[string]string{
	"found":       "○ Found, not enabled",
	"starting":    "◌ Starting",
	"running":     "● Running",
	"degraded":    "▲ Running, but not working",
	"backoff":     "▲ Starting again in a moment",
	"failed":      "✕ Can't run",
	"quarantined": "✕ Stopped after too many crashes",
	"stopping":    "◌ Stopping",
	"stopped":     "○ Stopped",
}

// inWords is the state for people; one that a newer gateway tells is shown as it is.
func inWords(state string) string {
	if words, ok := stateWords[state]; ok {
		return words
	}
	return state
}

// printPlugins prints a line for each plugin, and what is wrong with it below.
func (a *app) printPlugins(plugins []client.Plugin) error {
	if len(plugins) == 0 {
		_, err := fmt.Fprintln(a.out, "No plugins yet. Programs named salita-plugin-NAME belong into the folder plugins in the data folder.")
		return err
	}
	rows := make([][]string, len(plugins))
	for i, p := range plugins {
		rows[i] = []string{p.Name, inWords(p.State), p.Version, strings.Join(p.Abilities, ", ")}
	}
	for i, line := range aligned(rows) {
		if _, err := fmt.Fprintln(a.out, line); err != nil {
			return err
		}
		p := plugins[i]
		if p.LastError != "" {
			fmt.Fprintf(a.out, "  %s\n", p.LastError)
		}
		switch {
		case p.State == "quarantined":
			fmt.Fprintf(a.out, "  To try again: salita plugins restart %s\n", p.Name)
		case p.State == "found" && p.LastError == "":
			fmt.Fprintf(a.out, "  To use it: salita plugins enable %s\n", p.Name)
		}
	}
	return nil
}

// aligned puts the columns of rows of equal length under each other.
func aligned(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// pluginNames completes the name of a plugin in shells.
func (a *app) pluginNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	gateway, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	plugins, _ := gateway.Plugins(ctx) // without a gateway there is nothing to offer
	names := make([]string, len(plugins))
	for i, p := range plugins {
		names[i] = p.Name + "\t" + inWords(p.State)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
