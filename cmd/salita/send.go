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
		Args:  usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
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
			for _, file := range files {
				item, err := a.sendFile(cmd.Context(), gateway, device, file)
				if err != nil {
					return err
				}
				if err := a.reportSent(file, device, item, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "name or id of the device, or the beginning of one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON line for each file")
	return cmd
}

// readable finds what cannot be sent before anything is.
func readable(files []string) error {
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return sdk.Errorf(sdk.NotFound, "There is no file %s.", file)
		case err != nil:
			return sdk.Errorf(sdk.Invalid, "%s can't be read.", file).Because(err)
		case info.IsDir():
			return sdk.Errorf(sdk.Invalid, "%s is a folder. Send the files in it.", file)
		case !info.Mode().IsRegular():
			return sdk.Errorf(sdk.Invalid, "%s is not a file.", file)
		}
	}
	return nil
}

// errChanged means that the bytes which arrived are not the bytes that left.
var errChanged = errors.New("hash mismatch")

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

func (a *app) sendOnce(ctx context.Context, gateway *client.Client, device client.Device, file string) (client.Item, error) {
	f, err := os.Open(file)
	if err != nil {
		return client.Item{}, sdk.Errorf(sdk.Invalid, "%s can't be read.", file).Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return client.Item{}, sdk.Errorf(sdk.Invalid, "%s can't be read.", file).Because(err)
	}
	hash := sha256.New()
	bar := a.progress(filepath.Base(file), info.Size())
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
		return item, sdk.Errorf(sdk.Internal, "%s changed on the way.", file).Because(errChanged)
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

func (a *app) reportSent(file string, device client.Device, item client.Item, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			File   string      `json:"file"`
			Device string      `json:"device"`
			Item   client.Item `json:"item"`
		}{file, device.ID, item})
	}
	_, err := fmt.Fprintf(a.out, "✓ %s is on %s\n", item.Name, device.Name)
	return err
}
