package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/sdktest"
)

func (a *app) verifyPlugin() *cobra.Command {
	var asJSON bool
	var configFile string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a plugin against the rules for all plugins",
		Long:  "Starts the program several times in folders made for it, without a gateway, and checks what every plugin must do. Check only what you would also run.",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := verifyOptions(args[0], configFile)
			if err != nil {
				return usageError{err}
			}
			report, err := sdktest.Check(cmd.Context(), args[0], options)
			if err != nil {
				return sdk.Errorf(sdk.Internal, "%s could not be checked.", args[0]).Because(err)
			}
			if asJSON {
				err = a.printJSON(report)
			} else {
				err = printReport(a.out, report, sdktest.Rules())
			}
			return errors.Join(err, verdict(args[0], report))
		},
	}
	cmd.Flags().StringVar(&configFile, "config-file", "", "file with the settings to check it with: what stands between the braces of its config block")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verifyOptions reads the settings and looks whether there is a file at all.
func verifyOptions(file, configFile string) (sdktest.CheckOptions, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sdktest.CheckOptions{}, fmt.Errorf("there is no file %s", file)
	case err != nil:
		return sdktest.CheckOptions{}, err
	case !info.Mode().IsRegular():
		return sdktest.CheckOptions{}, fmt.Errorf("%s is not a file", file)
	}
	if configFile == "" {
		return sdktest.CheckOptions{}, nil
	}
	config, err := os.ReadFile(configFile)
	return sdktest.CheckOptions{Config: string(config)}, err
}

// printReport shows the rules in their order, each with a tick, a cross and what
// was seen, or a dash and why it says nothing.
func printReport(out io.Writer, report sdktest.Report, rules []sdktest.Rule) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if m := report.Manifest; m.Name != "" {
		fmt.Fprintf(w, "%s %s (%s)\n", plain(m.Title), plain(m.Version), plain(m.Name))
	}
	passed := make(map[string]bool, len(report.Passed))
	for _, name := range report.Passed {
		passed[name] = true
	}
	for _, rule := range rules {
		if passed[rule.Name] {
			fmt.Fprintf(w, "✓ %s\t%s\n", rule.Name, rule.About)
		}
		printFindings(w, "✗", rule.Name, report.Findings)
		printFindings(w, "-", rule.Name, report.Skipped)
	}
	return w.Flush()
}

func printFindings(w io.Writer, mark, rule string, findings []sdktest.Finding) {
	for _, f := range findings {
		if f.Rule == rule {
			fmt.Fprintf(w, "%s %s\t%s\n", mark, rule, plain(f.Problem))
		}
	}
}

// verdict is nil for a plugin that breaks no rule.
func verdict(file string, report sdktest.Report) error {
	if report.OK() {
		return nil
	}
	return sdk.Errorf(sdk.Invalid, "%s is not ready to be used: %s.", file, count(len(report.Findings), "finding"))
}

// plain makes a foreign text harmless for a terminal: it may hold what a plugin
// wrote.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
