package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/salita-mesh/salita/sdk/internal/wire"
)

// Main runs the plugin and does not return: a plugin's main calls it and
// nothing else. It serves the gateway that started the process until that says
// stop or dies, then exits.
//
//	salita-plugin-photos --manifest    prints the manifest as JSON and exits
//	salita-plugin-photos --attach      waits for a gateway to attach, for debuggers
//
// Started by hand in any other way it says, in a sentence, how plugins are
// started, and exits with code 1. Standard output, standard error and standard
// input belong to Main; what an author prints ends in the gateway's log, where
// Env.Logger, or log/slog, is better.
func Main[Config any](p Plugin[Config]) {
	d := define(p)
	if os.Getenv(wire.CookieKey) == wire.CookieValue {
		os.Exit(serve(d))
	}
	os.Exit(byHand(d, os.Args[1:], os.Stdout, os.Stderr))
}

// byHand answers a person who started the plugin in a terminal.
func byHand(d definition, args []string, stdout, stderr io.Writer) int {
	m := d.manifest
	if len(args) == 1 {
		switch args[0] {
		case "--manifest", "-manifest":
			return printManifest(m, stdout, stderr)
		case "--attach", "-attach":
			return attachByHand(d, stderr)
		}
	}
	fmt.Fprintf(stderr, "This is the plugin %q (%s) for Salita. It is started by the gateway: put it into a plugin folder and add\n\n\tplugin %q {}\n\nto config.hcl. To see what it can do, run it with --manifest; to run it in a debugger, with --attach.\n", m.Name, m.Title, m.Name)
	return 1
}

func printManifest(m Manifest, stdout, stderr io.Writer) int {
	if err := m.Validate(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if _, err := fmt.Fprintf(stdout, "%s\n", body); err != nil {
		return 1
	}
	return 0
}
