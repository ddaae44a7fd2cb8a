// Command salita runs a gateway of My Devices and talks to the one that runs.
// Every command but serve is a client of the running gateway.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/salita-mesh/salita/core"
)

func main() {
	core.EnterSandbox()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, stdio{os.Stdin, os.Stdout, os.Stderr}))
}
