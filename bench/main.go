// Command bench measures Salita beside its peers and writes docs/BENCHMARKS.md:
// what checking a token costs, what a small call costs, and how fast and at what
// price large files go up and down over TLS.
//
// All planes run at once and take turns, in an order that is reversed every
// second time, so that a busy machine hurts them alike; what is compared is the
// ratio within one turn. It is a program of its own and uses nothing but what
// the built binaries offer to everybody.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	root   string // the repository
	bin    string // where make build put the programs
	dir    string // temporary files: "" for the system's folder
	out    string // the report; "" for standard output alone
	size   int64  // of a file, in bytes
	reps   int
	calls  int // small calls per turn
	planes []string
	tokens bool
	host   bool
}

func parse(args []string, errs io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.root, "root", ".", "the repository")
	flags.StringVar(&o.bin, "bin", "bin", "folder with salita and plugins/, relative to the repository")
	flags.StringVar(&o.dir, "dir", "", "folder for the transferred files (default: the system's temporary folder)")
	flags.StringVar(&o.out, "out", "docs/BENCHMARKS.md", "report to write, relative to the repository; empty: print only")
	size := flags.String("size", "1GiB", "size of a file, such as 64MiB")
	flags.IntVar(&o.reps, "reps", 5, "how often each measurement is made, at least 1")
	flags.IntVar(&o.calls, "calls", 4000, "small calls per turn")
	flags.BoolVar(&o.tokens, "tokens", true, "measure token verification too")
	flags.BoolVar(&o.host, "platform", true, "measure the plugin platform too")
	planes := flags.String("planes", strings.Join(planeNames(), ","), "which planes to compare; the first is what the others are compared with")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.size, err = parseSize(*size); err != nil {
		return o, err
	}
	o.planes = strings.Split(*planes, ",")
	for _, name := range o.planes {
		if !slices.Contains(planeNames(), name) {
			return o, fmt.Errorf("no plane %q; there are %s", name, strings.Join(planeNames(), ", "))
		}
	}
	if o.reps < 1 || o.calls < 1 || o.size < 1 {
		return o, errors.New("-reps, -calls and -size must be positive")
	}
	if o.root, err = filepath.Abs(o.root); err != nil {
		return o, err
	}
	if !filepath.IsAbs(o.bin) {
		o.bin = filepath.Join(o.root, o.bin)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "salita-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := report{machine: thisMachine(), options: o, at: time.Now()}
	progress := func(format string, args ...any) { fmt.Fprintf(errs, format+"\n", args...) }
	if o.tokens {
		progress("token verification")
		if r.tokens, err = benchTokens(ctx, o.root); err != nil {
			return err
		}
	}
	site := &site{options: o, dir: dir, progress: progress}
	if o.host {
		if r.plugins, err = measurePlatform(ctx, site); err != nil {
			return err
		}
	}
	if r.planes, err = compare(ctx, site); err != nil {
		return err
	}
	text := r.markdown()
	fmt.Fprint(out, text)
	if o.out == "" {
		return nil
	}
	if !filepath.IsAbs(o.out) {
		o.out = filepath.Join(o.root, o.out)
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}
