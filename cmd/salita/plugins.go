package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk/client"
)

func (a *app) plugins() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "List the plugins of this gateway",
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
	cmd.AddCommand(a.newPlugin(), a.verifyPlugin())
	return cmd
}

func (a *app) printPlugins(plugins []client.Plugin) error {
	if len(plugins) == 0 {
		_, err := fmt.Fprintln(a.out, "No plugins found.")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, p := range plugins {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.State, p.Version, p.LastError)
	}
	return w.Flush()
}
