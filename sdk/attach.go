package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/salita-mesh/salita/sdk/internal/private"
	"github.com/salita-mesh/salita/sdk/internal/socket"
	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// Serve runs the plugin inside this process, without a gateway as its parent: it
// waits in the folder for one that attaches, and returns nil when that said stop
// or ctx ended. sdktest uses it, and --attach does, so that a plugin can run in a
// debugger. The folder is made if it is missing; only its owner may enter it, and
// it protects the sockets in it, as there is no handshake. Its path must be short
// enough for a socket below it, so about 80 bytes.
//
// Log lines go to log; nil means slog.Default. Unlike Main it leaves the standard
// streams and the working folder alone.
func Serve[Config any](ctx context.Context, p Plugin[Config], dir string, log *slog.Logger) error {
	if log == nil {
		log = slog.Default()
	}
	return newService(define(p), log, new(slog.LevelVar)).serveAttached(ctx, dir)
}

// serveAttached serves whoever enters the folder until it is told to stop, and
// then ends as under a gateway that stops.
func (s *service) serveAttached(ctx context.Context, dir string) error {
	listener, err := listenAttached(dir)
	if err != nil {
		return fmt.Errorf("wait for a gateway: %w", err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(wire.MaxMessageBytes))
	pluginv1.RegisterPluginServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
		s.stopWithin(orphanGrace, nil)
		return fmt.Errorf("wait for a gateway: %w", err)
	case <-ctx.Done():
		s.stopWithin(signalGrace, nil)
	case <-s.stopped:
	}
	// The answer to Shutdown, and the last events, are still on their way.
	gone := time.AfterFunc(exitDelay, server.Stop)
	defer gone.Stop()
	server.GracefulStop()
	<-served
	return nil
}

// listenAttached opens the control socket in the folder. A file that a killed
// plugin left is replaced, a living one is not.
func listenAttached(dir string) (net.Listener, error) {
	if err := private.Make(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, wire.AttachSocket)
	listener, err := socket.Listen(path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return listener, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("another one waits in %s already", dir)
	}
	// Whatever of HTTP the dead one left is in the way as well.
	for _, name := range []string{wire.AttachSocket, socketName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return socket.Listen(path)
}

// attachByHand serves a person's debugger until an interrupt and returns the
// exit code.
func attachByHand(d definition, stderr io.Writer) int {
	if err := d.manifest.Validate(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	dir := attachFolder(d.manifest.Name)
	level := new(slog.LevelVar)
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt does not wait
	fmt.Fprintf(stderr, "The plugin %q waits for a gateway. Start one with\n\n\t%s=%s=%s salita serve\n\n", d.manifest.Name, wire.AttachVariable, d.manifest.Name, dir)
	s := newService(d, log, level)
	s.ownProcess = true
	if err := s.serveAttached(ctx, dir); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// attachFolder is the same each time, so that a gateway finds a plugin again
// that was rebuilt. In a folder that all users share, the user's number keeps
// them apart.
func attachFolder(name string) string {
	if base := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) {
		return filepath.Join(base, "salita-attach-"+name)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("salita-attach-%d-%s", os.Getuid(), name))
}
