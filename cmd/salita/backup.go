package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

const backupHelp = `Copy what this device knows about your other devices: which they are, and who may do what. The copy goes into the
folder "backups" of the data folder, or to FILE. The gateway may be running.

Not in the copy:
- device.key and node_identity.json, which make this device the one it is. They stay where they are; keep a copy of them
  somewhere safe if you want to move this device to another disk.
- what the plugins keep, such as photos and posts: copy the folder "data" while the gateway is stopped.
`

const restoreHelp = `Put a copy that "salita backup" made, or an update of Salita kept, in the place of what this device knows about your
other devices. The gateway must be stopped. What was there before is kept in the folder "backups".

FILE is a path, or just the name of a copy in the folder "backups". It must be a copy of this very device: device.key and
node_identity.json are not part of it and stay as they are.

Everything is then as it was when the copy was made: a device that you removed since may come in again, and one that you
paired since needs pairing again. Look at "salita devices" afterwards.
`

func (a *app) backup() *cobra.Command {
	var options core.LoadOptions
	var to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup [--to FILE]",
		Short: "Copy what this device knows about your devices",
		Long:  backupHelp,
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.DataDir, options.Env = a.dataDir, a.getenv
			target, err := backupTarget(to)
			if err != nil {
				return err
			}
			file, err := a.backUp(cmd.Context(), options)
			if err != nil {
				return err
			}
			if target != "" {
				if file, err = moveBackup(file, target); err != nil {
					return err
				}
			}
			return a.reportBackup(file, asJSON)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where the copy goes: a file that is not there yet, or a folder")
	cmd.Flags().StringVar(&options.File, "config", "", "configuration file, when the gateway is not running")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// backUp has the gateway make the copy, or makes it when none runs. It returns
// the copy's path.
func (a *app) backUp(ctx context.Context, options core.LoadOptions) (string, error) {
	dir, err := core.DataDir(options)
	if err != nil {
		return "", err
	}
	made, err := client.New(dir).Backup(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		return core.BackUp(ctx, options)
	}
	return filepath.Join(dir, core.BackupFolder, filepath.Base(made.File)), err
}

// backupTarget is the absolute path that --to means, "" without it. What is there
// already is never written over.
func backupTarget(to string) (string, error) {
	if to == "" {
		return "", nil
	}
	target, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	switch {
	case err == nil && !info.IsDir():
		return "", &sdk.Error{Kind: sdk.Invalid, Message: fmt.Sprintf("%s is there already.", printable(to)), Hint: "another name. Nothing was changed."}
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", cannotWrite(to).Because(err)
	case err == nil:
		return target, nil
	}
	if folder, err := os.Stat(filepath.Dir(target)); err != nil || !folder.IsDir() {
		return "", &sdk.Error{Kind: sdk.Invalid, Message: fmt.Sprintf("There is no folder %s.", printable(filepath.Dir(target))), Hint: "making the folder first."}
	}
	return target, nil
}

func cannotWrite(path string) *sdk.Error {
	return &sdk.Error{Kind: sdk.Invalid, Message: fmt.Sprintf("%s can't be written.", printable(path)), Hint: "another folder, with --to."}
}

// moveBackup moves the copy to the target, which may be on another disk, and
// returns where it is now.
func moveBackup(file, target string) (string, error) {
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		target = filepath.Join(target, filepath.Base(file))
	}
	if err := copyToDisk(file, target); err != nil {
		e := cannotWrite(target).Because(err)
		e.Hint = "another folder, with --to. The copy is here: " + file
		return "", e
	}
	return target, os.Remove(file)
}

// copyToDisk copies a file; the copy appears when it is whole and on disk, and
// only where nothing was.
func copyToDisk(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	copied, err := os.CreateTemp(filepath.Dir(to), ".salita-backup-*") // for the owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(copied.Name()))
		}
	}()
	_, err = io.Copy(copied, source)
	if err = errors.Join(err, copied.Sync(), copied.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return os.ErrExist
	}
	if err := os.Rename(copied.Name(), to); err != nil {
		return err
	}
	if folder, err := os.Open(filepath.Dir(to)); err == nil {
		_ = folder.Sync() // not every system can
		_ = folder.Close()
	}
	return nil
}

func (a *app) reportBackup(file string, asJSON bool) error {
	if asJSON {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return a.printJSON(struct {
			File string `json:"file"`
			Size int64  `json:"size"`
		}{file, info.Size()})
	}
	_, err := fmt.Fprintf(a.out, "Backed up to %s\n", printable(file))
	return err
}

func (a *app) restore() *cobra.Command {
	var options core.LoadOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring back a copy while the gateway is stopped",
		Long:  restoreHelp,
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			options.DataDir, options.Env = a.dataDir, a.getenv
			dir, err := core.DataDir(options)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return whichBackup(dir)
			}
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			file = inBackups(dir, args[0], file)
			kept, err := core.Restore(cmd.Context(), options, file)
			if err != nil {
				return err
			}
			return a.reportRestore(file, kept, asJSON)
		},
	}
	cmd.Flags().StringVar(&options.File, "config", "", "configuration file (default ./config.hcl, then config.hcl in the data folder)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// whichBackup asks for a copy and names the newest one.
func whichBackup(dir string) error {
	newest := "FILE"
	copies, _ := filepath.Glob(filepath.Join(dir, core.BackupFolder, "salita-[0-9]*.db"))
	if len(copies) > 0 {
		newest = slices.MaxFunc(copies, cmp.Compare[string])
	}
	return usageError{fmt.Errorf("say which copy: salita restore %s", newest)}
}

// inBackups finds a bare name in the folder for copies when there is no such file
// here.
func inBackups(dir, name, file string) string {
	if _, err := os.Stat(file); err == nil || name != filepath.Base(name) {
		return file
	}
	inside := filepath.Join(dir, core.BackupFolder, name)
	if _, err := os.Stat(inside); err != nil {
		return file
	}
	return inside
}

func (a *app) reportRestore(file, kept string, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			Restored string `json:"restored"`
			Kept     string `json:"kept"` // "" when there was nothing before
		}{file, kept})
	}
	fmt.Fprintf(a.out, "Restored from %s\n", printable(file))
	if kept != "" {
		fmt.Fprintf(a.out, "What was there before is kept: %s\n", printable(kept))
	}
	_, err := fmt.Fprintln(a.out, "Your devices are as they were when the copy was made. Start with: salita serve. Then look at: salita devices.")
	return err
}
