package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

const (
	// settleWithin bounds the wait for a plugin that was told to start or stop: a
	// start may take 10 s, and so may a stop.
	settleWithin = 20 * time.Second
	// settleEvery is how often it is looked at.
	settleEvery = 50 * time.Millisecond
	// staleFor is how long a plugin may look as it did before it was told.
	staleFor = 500 * time.Millisecond
)

func (a *app) enablePlugin() *cobra.Command {
	return a.setCommand("enable NAME", true, "Enable a plugin in config.hcl and start it",
		"Write into config.hcl that the plugin is enabled, leaving all else in the file as it is. A running gateway starts the plugin at once.")
}

func (a *app) disablePlugin() *cobra.Command {
	return a.setCommand("disable NAME", false, "Disable a plugin in config.hcl and stop it",
		"Write into config.hcl that the plugin is not enabled, leaving all else in the file as it is. A running gateway stops the plugin at once; what it stored stays.")
}

func (a *app) setCommand(use string, enabled bool, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: a.pluginNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.setPlugin(cmd.Context(), args[0], enabled)
		},
	}
}

func (a *app) restartPlugin() *cobra.Command {
	return &cobra.Command{
		Use:               "restart NAME",
		Short:             "Start a plugin anew",
		Long:              "Start a plugin anew. A new process takes over as soon as it works, so that no request is lost. Earlier crashes are forgiven.",
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: a.pluginNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, err := a.client()
			if err != nil {
				return err
			}
			if err := gateway.RestartPlugin(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.report(settled(cmd.Context(), gateway, args[0], restarted()))
		},
	}
}

// setPlugin has the gateway edit the file, or does it when none runs.
func (a *app) setPlugin(ctx context.Context, name string, enabled bool) error {
	gateway, err := a.client()
	if err != nil {
		return err
	}
	act, end := gateway.DisablePlugin, stopped
	if enabled {
		act, end = gateway.EnablePlugin, started
	}
	err = act(ctx, name)
	if errors.Is(err, client.ErrNotRunning) {
		return a.setForNextStart(name, enabled)
	}
	if err != nil {
		return configMistake(ctx, gateway, err)
	}
	return a.report(settled(ctx, gateway, name, end()))
}

func (a *app) setForNextStart(name string, enabled bool) error {
	file, err := core.EnablePlugin(core.LoadOptions{DataDir: a.dataDir, Env: a.getenv}, name, enabled)
	if err != nil {
		return err
	}
	word := "disabled"
	if enabled {
		word = "enabled"
	}
	if file == "" { // nothing had to be written
		_, err = fmt.Fprintf(a.out, "%s is %s.\n", name, word)
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s is %s in %s. It counts when the gateway starts: salita serve\n", name, word, file)
	return err
}

// wrongConfig is a mistake in the file of a running gateway.
type wrongConfig struct{ text string }

func (e wrongConfig) Error() string { return e.text }

// configMistake finds out whether it was the file's fault, and where.
func configMistake(ctx context.Context, gateway *client.Client, err error) error {
	if sdk.KindOf(err) != sdk.Invalid {
		return err
	}
	status, asking := gateway.Config(ctx)
	if asking != nil || status.Error == "" {
		return err
	}
	return wrongConfig{status.Error + "\n\nNothing was changed."}
}

// outcome says how a plugin fared, or that this is not known yet. since is the
// time since it was told what to do.
type outcome func(p client.Plugin, since time.Duration) (said string, done bool, err error)

// started is the outcome of enabling.
func started() outcome {
	return func(p client.Plugin, since time.Duration) (string, bool, error) {
		switch p.State {
		case "running":
			return strings.TrimSuffix(p.Title+" is running.\n"+p.LastError, "\n"), true, nil
		case "degraded", "backoff", "failed", "quarantined":
			if since < staleFor {
				return "", false, nil
			}
			return "", true, pluginError(p)
		}
		return "", false, nil
	}
}

// restarted is the outcome of a restart. The plugin may run all the time: what
// takes over is another process, and if it cannot, the one before goes on.
func restarted() outcome {
	begun, running := false, started()
	return func(p client.Plugin, since time.Duration) (string, bool, error) {
		late := since >= staleFor
		begun = begun || p.State != "running" || late
		switch {
		case !begun:
			return "", false, nil
		case p.State == "running" && p.LastError != "" && late:
			return "", true, pluginError(p)
		}
		return running(p, since)
	}
}

// pluginError is what is wrong with a plugin.
func pluginError(p client.Plugin) error {
	return &sdk.Error{Kind: sdk.PluginUnavailable, Message: p.LastError, Hint: "salita plugins"}
}

// stopped is the outcome of disabling.
func stopped() outcome {
	return func(p client.Plugin, since time.Duration) (string, bool, error) {
		switch p.State {
		case "", "found", "stopped":
			return p.Title + " is disabled.", true, nil
		}
		return "", false, nil
	}
}

// settled follows a plugin until its outcome is known.
func settled(ctx context.Context, gateway *client.Client, name string, end outcome) (string, error) {
	begin := time.Now()
	for {
		plugins, err := gateway.Plugins(ctx)
		if err != nil {
			return "", err
		}
		since := time.Since(begin)
		p := named(plugins, name)
		if said, done, err := end(p, since); done {
			return said, err
		}
		if since > settleWithin {
			return "", &sdk.Error{
				Kind: sdk.PluginUnavailable, Message: fmt.Sprintf("%s takes longer than usual: %s.", p.Title, inWords(p.State)),
				Hint: "salita plugins",
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(settleEvery):
		}
	}
}

// named is the plugin of that name, with the state "" if there is none.
func named(plugins []client.Plugin, name string) client.Plugin {
	for _, p := range plugins {
		if p.Name == name {
			return p
		}
	}
	return client.Plugin{Name: name, Title: name}
}

// report prints what was said.
func (a *app) report(said string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, said)
	return err
}
