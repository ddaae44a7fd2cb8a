package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/cmd/salita/internal/scaffold"
	"github.com/salita-mesh/salita/core"
	"github.com/salita-mesh/salita/sdk"
)

func (a *app) newPlugin() *cobra.Command {
	var dir, source string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a new plugin",
		Long:  "Writes a small plugin in Go that builds and runs as it is: a place to start from. Nothing is overwritten.",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := checkPluginName(name); err != nil {
				return usageError{err}
			}
			if dir == "" {
				dir = "salita-plugin-" + name
			}
			kit, err := findSDK(cmd.Context(), source)
			if err != nil {
				return err
			}
			names, err := scaffold.Plugin{Name: name, SDK: kit}.Write(dir)
			if errors.Is(err, fs.ErrExist) {
				return &sdk.Error{Kind: sdk.Conflict, Message: fmt.Sprintf("There is something in %s already, and nothing is overwritten.", dir), Hint: "--dir FOLDER with another folder", Cause: err}
			}
			if err != nil {
				return sdk.Errorf(sdk.Internal, "The plugin could not be written to %s.", dir).Because(err)
			}
			return a.printNextSteps(name, dir, names)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "new or empty folder to write to (default ./salita-plugin-NAME)")
	cmd.Flags().StringVar(&source, "sdk", "", "folder with Salita's source (default: looked for above this folder and the program)")
	return cmd
}

// checkPluginName says what is wrong with a name for a plugin.
func checkPluginName(name string) error {
	switch {
	case !sdk.ValidName(name):
		return fmt.Errorf("a plugin's name has at most %d lower-case letters, digits and single dashes, a letter first: not %q", sdk.MaxNameLength, name)
	case slices.Contains(sdk.ReservedNames(), name):
		return fmt.Errorf("%q is a name of the gateway's own: a plugin needs another", name)
	}
	return nil
}

// findSDK reads the checkout that the user names, or the one that this command
// was started in or built from.
func findSDK(ctx context.Context, source string) (scaffold.SDK, error) {
	if source == "" {
		program, err := os.Executable()
		if err == nil {
			program, err = filepath.EvalSymlinks(program)
		}
		if err != nil {
			program = ""
		}
		if source = scaffold.FindSDK(".", program); source == "" {
			return scaffold.SDK{}, &sdk.Error{Kind: sdk.NotFound, Message: "A plugin is built from Salita's source, and that was not found from here.", Hint: "--sdk FOLDER with a checkout of Salita"}
		}
	}
	kit, err := scaffold.ReadSDK(ctx, source)
	switch {
	case errors.Is(err, scaffold.ErrNoSDK):
		return kit, sdk.Errorf(sdk.NotFound, "%s is not a checkout of Salita's source.", source).Because(err)
	case errors.Is(err, scaffold.ErrNoGo):
		return kit, sdk.Errorf(sdk.NotFound, "Plugins are built with Go, and that isn't installed here.").Because(err)
	case err != nil:
		return kit, sdk.Errorf(sdk.Internal, "Salita's source in %s can't be used.", source).Because(err)
	}
	return kit, nil
}

func (a *app) printNextSteps(name, dir string, files []string) error {
	data, err := core.DataDir(core.LoadOptions{DataDir: a.dataDir, Env: a.getenv})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, `%s now holds a plugin: %s.

Try it:
  cd %s
  go test ./...

Run it:
  (umask 022; go build -o %s/ .)
  salita plugins enable %s
`, dir, strings.Join(files, ", "), shellWord(dir), shellWord(filepath.Join(data, "plugins")), name)
	return err
}

// shellWord makes a path safe to paste into a shell.
func shellWord(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$&|;<>()*?[]{}!#~`") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
