package main

import (
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/core"
)

func (a *app) open() *cobra.Command {
	var printOnly bool
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Open My Devices in a browser on this machine",
		Long:  "Make a link that signs one browser in, and open it. The link works once, for a few minutes.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			gateway, err := a.client()
			if err != nil {
				return err
			}
			link, err := gateway.SignInLink(cmd.Context())
			if err != nil {
				return err
			}
			if !printOnly && a.browse(link) {
				fmt.Fprintln(a.out, "My Devices opens in your browser.")
				return nil
			}
			_, err = fmt.Fprintln(a.out, link)
			return err
		},
	}
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the link instead of opening it")
	return cmd
}

// browse opens the link in a browser where there is one, and reports whether it
// could. Other users of this machine can read the arguments of every program, so
// the browser is given a page in the data folder that leads to the link.
func (a *app) browse(link string) bool {
	command := browserCommand(runtime.GOOS, a.getenv)
	if command == "" {
		return false
	}
	page, err := a.leadTo(link)
	if err != nil {
		return false
	}
	words := append(strings.Fields(command), page)
	opener := exec.Command(words[0], words[1:]...)
	if opener.Start() != nil {
		return false
	}
	go opener.Wait() // reaps it whenever it ends
	return true
}

// leadTo writes a page, readable for the owner alone, that goes to the link.
func (a *app) leadTo(link string) (string, error) {
	dir, err := core.DataDir(core.LoadOptions{DataDir: a.dataDir, Env: a.getenv})
	if err != nil {
		return "", err
	}
	page := filepath.Join(dir, "open.html")
	text := fmt.Sprintf("<!doctype html><meta charset=utf-8><title>Salita</title><meta http-equiv=refresh content=%q>", "0;url="+html.EscapeString(link))
	if err := os.Remove(page); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return page, os.WriteFile(page, []byte(text), 0o600)
}

// browserCommand is what opens a link on this system; "" without a desktop.
func browserCommand(system string, getenv func(string) string) string {
	switch system {
	case "darwin":
		return "open"
	case "windows":
		return "rundll32 url.dll,FileProtocolHandler"
	}
	if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" {
		return ""
	}
	return "xdg-open"
}
