package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/salita-mesh/salita/sdk/internal/logline"
	"github.com/salita-mesh/salita/sdk/internal/stdio"
	"github.com/salita-mesh/salita/sdk/internal/wire"
)

// How long a plugin takes for its ends.
const (
	// orphanGrace is for closing files after the gateway died.
	orphanGrace = time.Second
	// signalGrace is for a polite SIGTERM from outside, as when the whole
	// machine stops and the gateway is still finishing its own requests.
	signalGrace = 10 * time.Second
	// exitDelay is how long the answer to Shutdown may need to arrive.
	exitDelay = 500 * time.Millisecond
)

// serve runs the plugin under the gateway and returns the exit code.
func serve(d definition) int {
	streams, err := stdio.Take()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	level := new(slog.LevelVar)
	log := slog.New(logline.NewHandler(streams.Log(), level))
	slog.SetDefault(log)
	// An interrupt is for the gateway, which then says stop. A write to a pipe
	// that the dead gateway held must fail, not kill: there may be files to close.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGPIPE)

	s := newService(d, log, level)
	s.launched = true
	served := make(chan struct{})
	go func() {
		defer close(served)
		goplugin.Serve(serveConfig(s, streams, log))
	}()
	return s.run(streams.Lifeline(), terminations(), served)
}

// run waits for the first reason to end, and ends.
func (s *service) run(lifeline <-chan struct{}, term <-chan os.Signal, served <-chan struct{}) int {
	select {
	case <-s.stopped:
		select {
		case <-lifeline: // the gateway has the answer
		case <-time.After(exitDelay):
		}
	case <-term:
		s.stopWithin(signalGrace, term)
	case <-lifeline:
		s.stopWithin(orphanGrace, nil)
	case <-served:
		if s.gate.current.Load() == nil {
			return 1 // it could not even be served; the reason is in the log
		}
		s.stopWithin(orphanGrace, nil)
	}
	return 0
}

// stopWithin stops, but never takes longer than the grace, and not longer than
// the next signal.
func (s *service) stopWithin(grace time.Duration, term <-chan os.Signal) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.stop(grace)
	}()
	select {
	case <-done:
	case <-term:
	case <-time.After(grace):
	}
}

func terminations() <-chan os.Signal {
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGTERM)
	return c
}

func serveConfig(s *service, streams *stdio.Streams, log *slog.Logger) *goplugin.ServeConfig {
	return &goplugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Versions(s),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts,
				grpc.MaxRecvMsgSize(wire.MaxMessageBytes),
				grpc.UnaryInterceptor(endHandshake(streams)))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{
			Level:       hclog.Warn,
			DisableTime: true,
			Output:      lineWriter{log},
		}),
	}
}

// endHandshake frees standard output at the gateway's first call.
func endHandshake(streams *stdio.Streams) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		streams.HandshakeDone()
		return next(ctx, req)
	}
}

// lineWriter puts go-plugin's own complaints into the log.
type lineWriter struct{ log *slog.Logger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.Warn("plugin protocol", "text", strings.TrimSpace(string(p)))
	return len(p), nil
}
