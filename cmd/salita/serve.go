package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
)

func (a *app) serve() *cobra.Command {
	var options core.LoadOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long:  "Run the gateway until it is stopped. A stop waits for transfers in flight.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.DataDir, options.Env = a.dataDir, a.getenv
			config, err := core.Load(options)
			if err != nil {
				return err
			}
			app, err := core.New(cmd.Context(), config, a.err)
			if err != nil {
				return err
			}
			return app.Run(cmd.Context(), func() {
				fmt.Fprintf(a.out, "%s is ready. Add a device with: salita pair\n", app.Name())
			})
		},
	}
	cmd.Flags().StringVar(&options.File, "config", "", "configuration file (default ./config.hcl, then config.hcl in the data folder)")
	cmd.Flags().StringVar(&options.Address, "address", "", "HOST:PORT to listen on")
	cmd.Flags().StringVar(&options.Name, "name", "", "name of this device")
	cmd.Flags().Bool("no-browser", false, "never open a browser (the gateway has no page to show yet)")
	return cmd
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, "salita", core.Version)
			return err
		},
	}
}
