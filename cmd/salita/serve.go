package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
)

func (a *app) serve() *cobra.Command {
	var options core.LoadOptions
	var noBrowser bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long:  "Run the gateway until it is stopped. A stop waits for transfers in flight. Edits of the configuration count at once; SIGHUP has it read again.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.DataDir, options.Env = a.dataDir, a.getenv
			app, err := core.New(cmd.Context(), options, a.err)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			wait := a.onHangup(ctx, app.Reload, stop)
			defer func() { stop(); wait() }()
			return app.Run(ctx, func() { a.welcome(app, !noBrowser) })
		},
	}
	cmd.Flags().StringVar(&options.File, "config", "", "configuration file (default ./config.hcl, then config.hcl in the data folder)")
	cmd.Flags().StringVar(&options.Address, "address", "", "HOST:PORT to listen on")
	cmd.Flags().StringVar(&options.Name, "name", "", "name of this device")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "do not open My Devices in a browser")
	return cmd
}

// welcome says where My Devices is, once the gateway answers.
func (a *app) welcome(gateway *core.App, browser bool) {
	if gateway.ForgotDevices() {
		fmt.Fprintln(a.out, "The list of your devices is gone. Pair them again, or stop Salita and bring a copy back: salita restore")
		fmt.Fprintln(a.out)
	}
	link := gateway.SignInLink()
	fmt.Fprintf(a.out, "%s is ready. My Devices, for one browser, within five minutes:\n\n  %s\n\nA new link: salita open. Add a device: salita pair.\n", gateway.Name(), link)
	if browser {
		a.browse(link)
	}
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
