package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

func (a *app) devices() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List your devices",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			gateway, err := a.client()
			if err != nil {
				return err
			}
			devices, err := gateway.Devices(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(devices)
			}
			return a.printDevices(devices)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(a.renameDevice(), a.removeDevice(), a.repairDevice())
	return cmd
}

func (a *app) printDevices(devices []client.Device) error {
	if len(devices) == 0 {
		_, err := fmt.Fprintln(a.out, "Pair your first device to get started: salita pair")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, d := range devices {
		fmt.Fprintf(w, "%s\t%s\tlast seen %s\t%s\n", d.Name, statusWords[d.Status], ago(d.LastSeen, time.Now()), d.ID)
	}
	return w.Flush()
}

func (a *app) renameDevice() *cobra.Command {
	return &cobra.Command{
		Use:   "rename DEVICE NAME",
		Short: "Give a device another name",
		Args:  usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, device, err := a.deviceNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			renamed, err := gateway.RenameDevice(cmd.Context(), device.ID, args[1])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s is now called %s.\n", device.Name, renamed.Name)
			return err
		},
	}
}

func (a *app) removeDevice() *cobra.Command {
	return &cobra.Command{
		Use:   "remove DEVICE",
		Short: "End a device's access and forget it",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, device, err := a.deviceNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := gateway.RemoveDevice(cmd.Context(), device.ID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s: Device access removed\n", device.Name)
			return err
		},
	}
}

// deviceNamed finds the device that a person means by a name, an id, or the
// beginning of either.
func (a *app) deviceNamed(ctx context.Context, word string) (*client.Client, client.Device, error) {
	gateway, err := a.client()
	if err != nil {
		return nil, client.Device{}, err
	}
	devices, err := gateway.Devices(ctx)
	if err != nil {
		return nil, client.Device{}, err
	}
	device, err := pick(devices, word)
	return gateway, device, err
}

// pick chooses by exact id or name first, then by an unambiguous beginning.
// Letter case does not matter.
func pick(devices []client.Device, word string) (client.Device, error) {
	word = strings.ToLower(strings.TrimSpace(word))
	var exact, prefix []client.Device
	for _, d := range devices {
		id, name := strings.ToLower(d.ID), strings.ToLower(d.Name)
		switch {
		case id == word:
			return d, nil
		case name == word:
			exact = append(exact, d)
		case word != "" && (strings.HasPrefix(id, word) || strings.HasPrefix(name, word)):
			prefix = append(prefix, d)
		}
	}
	found := exact
	if len(found) == 0 {
		found = prefix
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return client.Device{}, &sdk.Error{Kind: sdk.NotFound, Message: fmt.Sprintf("There is no device called %q.", word), Hint: "salita devices"}
	}
	names := make([]string, len(found))
	for i, d := range found {
		names[i] = fmt.Sprintf("%s (%s)", d.Name, d.ID)
	}
	return client.Device{}, &sdk.Error{
		Kind: sdk.Invalid, Message: fmt.Sprintf("%q could be any of these: %s.", word, strings.Join(names, ", ")),
		Hint: "more of the name, or the id",
	}
}
