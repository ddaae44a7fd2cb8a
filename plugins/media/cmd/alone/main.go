// Command alone serves the media plugin's handler without a gateway, over TLS or
// on a unix socket: what the benchmarks compare the gateway with. It knows no
// callers and no permissions, so it is of no use for anything else.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/plugins/media/internal/media"
	"github.com/salita-mesh/salita/sdk"
)

type options struct {
	dir       string
	address   string
	socket    string
	cert, key string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, logs io.Writer) error {
	var o options
	flags := flag.NewFlagSet("alone", flag.ContinueOnError)
	flags.SetOutput(logs)
	flags.StringVar(&o.dir, "dir", "", "folder for everything")
	flags.StringVar(&o.address, "address", "", "HOST:PORT to serve TLS on")
	flags.StringVar(&o.cert, "cert", "", "certificate file, with -address")
	flags.StringVar(&o.key, "key", "", "key file, with -address")
	flags.StringVar(&o.socket, "socket", "", "unix socket to serve plain HTTP on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler, err := media.New(ctx, sdk.Env{Logger: log, DataDir: o.dir, DeviceName: "alone"}, media.Config{})
	if err != nil {
		return err
	}
	listener, err := o.listen()
	if err != nil {
		return err
	}
	return serve(ctx, listener, handler)
}

func (o options) listen() (net.Listener, error) {
	if o.socket != "" {
		return net.Listen("unix", o.socket)
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", o.address, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
}

func serve(ctx context.Context, l net.Listener, h *media.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(closing), h.Shutdown(closing))
}
