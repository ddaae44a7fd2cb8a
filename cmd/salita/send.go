package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

func (a *app) send() *cobra.Command {
	var to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "send FILE... --to DEVICE",
		Short: "Send files to a device",
		Long: "Send files to a device and check that they arrived as they left. A file that the device does not take is named, and the others follow.\n" +
			"Ends with 0 only if all were sent.",
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usageError{errors.New("say which files: salita send FILE... --to DEVICE")}
			}
			if to == "" {
				return usageError{errors.New("say which device: --to DEVICE")}
			}
			if err := readable(files); err != nil {
				return err
			}
			gateway, device, err := a.deviceNamed(cmd.Context(), to)
			if err != nil {
				return err
			}
			return a.sendEach(cmd.Context(), files, func(file string) error {
				item, err := a.sendFile(cmd.Context(), gateway, device, file)
				if err != nil {
					return errors.Join(err, a.reportRefused(file, device, err, asJSON))
				}
				return a.reportSent(file, device, item, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "name or id of the device, or the beginning of one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON line for each file that was tried")
	return cmd
}

// readable finds what cannot be sent before anything is.
func readable(files []string) error {
	for _, file := range files {
		info, err := os.Stat(file)
		name := printable(file)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return sdk.Errorf(sdk.NotFound, "There is no file %s.", name)
		case err != nil:
			return cannotRead(file, err)
		case info.IsDir():
			return sdk.Errorf(sdk.Invalid, "%s is a folder. Send the files in it.", name)
		case !info.Mode().IsRegular():
			return sdk.Errorf(sdk.Invalid, "%s is not a file.", name)
		}
	}
	return nil
}

// What can happen to one file.
var (
	errChanged    = errors.New("hash mismatch")       // the bytes which arrived are not those that left
	errUnreadable = errors.New("file cannot be read") // any more
)

// sendFile sends one file and checks what the receiver stored. A file that
// changed on the way is sent once more.
func (a *app) sendFile(ctx context.Context, gateway *client.Client, device client.Device, file string) (client.Item, error) {
	item, err := a.sendOnce(ctx, gateway, device, file)
	if errors.Is(err, errChanged) {
		fmt.Fprintln(a.err, "The file changed on the way. Sending again.")
		item, err = a.sendOnce(ctx, gateway, device, file)
	}
	return item, err
}

func cannotRead(file string, err error) error {
	return sdk.Errorf(sdk.Invalid, "%s can't be read.", printable(file)).Because(errors.Join(errUnreadable, err))
}

func (a *app) sendOnce(ctx context.Context, gateway *client.Client, device client.Device, file string) (client.Item, error) {
	f, err := os.Open(file)
	if err != nil {
		return client.Item{}, cannotRead(file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return client.Item{}, cannotRead(file, err)
	}
	hash := sha256.New()
	bar := a.progress(printable(filepath.Base(file)), info.Size())
	defer bar.Close()
	body := io.TeeReader(f, io.MultiWriter(hash, bar))
	upload, err := gateway.Send(ctx, device.ID, filepath.Base(file), body, info.Size())
	if err != nil {
		return client.Item{}, sendError(device, err)
	}
	if len(upload.Items) != 1 {
		return client.Item{}, fmt.Errorf("the receiver stored %d files instead of one", len(upload.Items))
	}
	item := upload.Items[0]
	if item.Size != info.Size() || item.SHA256 != hex.EncodeToString(hash.Sum(nil)) {
		return item, sdk.Errorf(sdk.Internal, "%s changed on the way.", printable(file)).Because(errChanged)
	}
	return item, nil
}

// sendError gives a cut connection to our own gateway its plain words.
func sendError(device client.Device, err error) error {
	var answer *client.Error
	if errors.As(err, &answer) || errors.Is(err, client.ErrNotRunning) || errors.Is(err, context.Canceled) {
		return err
	}
	return sdk.Errorf(sdk.Internal, "The file could not be sent to %s.", device.Name).Because(err)
}

// progress draws on a terminal and is silent elsewhere.
func (a *app) progress(name string, size int64) *progressbar.ProgressBar {
	if !interactive(a.err) {
		return progressbar.DefaultBytesSilent(size)
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(a.err),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(a.err) }),
	)
}

// reportRefused tells a program; a person reads the error.
func (a *app) reportRefused(file string, device client.Device, err error, asJSON bool) error {
	if !asJSON {
		return nil
	}
	e := sdk.AsError(err)
	return a.printJSON(struct {
		File   string   `json:"file"`
		Device string   `json:"device"`
		Error  string   `json:"error"`
		Code   sdk.Kind `json:"code"`
	}{file, device.ID, e.Friendly(), e.Kind})
}

func (a *app) reportSent(file string, device client.Device, item client.Item, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			File   string      `json:"file"`
			Device string      `json:"device"`
			Item   client.Item `json:"item"`
		}{file, device.ID, item})
	}
	_, err := fmt.Fprintf(a.out, "✓ %s is on %s\n", printable(item.Name), device.Name)
	return err
}
