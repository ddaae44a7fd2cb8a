package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/salita-mesh/salita/core"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

// Exit codes, beside those that sdk.Kind gives.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// interactive reports whether the stream is a person's terminal.
func interactive(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// app is what all commands share.
type app struct {
	stdio
	getenv  func(string) string
	dataDir string
}

// client talks to the gateway of the chosen data folder.
func (a *app) client() (*client.Client, error) {
	dir, err := core.DataDir(core.LoadOptions{DataDir: a.dataDir, Env: a.getenv})
	if err != nil {
		return nil, err
	}
	return client.New(dir), nil
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, io stdio) int {
	a := &app{stdio: io, getenv: getenv}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	a.explain(err)
	return exitCode(err)
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "salita",
		Short:         "Your own devices, as one",
		Long:          "Salita turns the machines you own into My Devices: pair two once, and sending from one to the other just works.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&a.dataDir, "data-dir", "", "folder that holds everything of this gateway (default ~/.salita)")
	root.AddCommand(a.serve(), a.open(), a.pair(), a.devices(), a.send(), a.plugins(), a.check(), a.backup(), a.restore(), a.version())
	return root
}

// usage marks what an argument check finds as wrong usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// explain says what happened, what to try, and the reference.
func (a *app) explain(err error) {
	var config *core.ConfigError
	var use usageError
	var wrong wrongConfig
	var found errFound
	var left unsent
	var answer *client.Error
	switch {
	case errors.As(err, &left):
		a.explainUnsent(left)
	case errors.As(err, &config):
		fmt.Fprintln(a.err, config.Error())
	case errors.As(err, &wrong):
		fmt.Fprintln(a.err, wrong.text)
	case errors.As(err, &found): // everything is said
	case errors.As(err, &use):
		fmt.Fprintf(a.err, "%v\nTry: salita --help\n", use.error)
	case errors.Is(err, client.ErrNotRunning):
		fmt.Fprintln(a.err, "Salita isn't running on this machine.\nTry: salita serve")
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "Stopped.")
	default:
		e := sdk.AsError(anothersGateway(err))
		fmt.Fprintln(a.err, e.Friendly())
		if e.Hint != "" {
			fmt.Fprintf(a.err, "Try: %s\n", e.Hint)
		}
		if errors.As(err, &answer) && answer.Reference != "" {
			fmt.Fprintf(a.err, "Reference: %s\n", answer.Reference)
		} else if e.Cause != nil {
			fmt.Fprintf(a.err, "Details: %v\n", printableLines(e.Cause.Error()))
		}
	}
}

func exitCode(err error) int {
	var config *core.ConfigError
	var use usageError
	var wrong wrongConfig
	var found errFound
	switch {
	case errors.As(err, &found):
		return found.code
	case errors.As(err, &config), errors.As(err, &use), errors.As(err, &wrong):
		return exitUsage
	case errors.Is(err, client.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, context.Canceled):
		return exitFailed
	}
	return sdk.KindOf(anothersGateway(err)).ExitCode()
}

// anothersGateway gives the plain words to a socket that only another user of
// this computer may use.
func anothersGateway(err error) error {
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" || dial.Net != "unix" || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return (&sdk.Error{
		Kind: sdk.Forbidden, Message: "That gateway belongs to another user of this computer.",
		Hint: "that user's account, or another folder with --data-dir.",
	}).Because(err)
}
