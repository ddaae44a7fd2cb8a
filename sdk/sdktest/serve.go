package sdktest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
	"github.com/salita-mesh/salita/sdk/internal/logline"
)

// serve runs the plugin inside this process and attaches to it.
func serve[Config any](p sdk.Plugin[Config], dir string) (*running, error) {
	output := newCapture()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	var end error
	go func() {
		defer close(served)
		end = sdk.Serve(ctx, p, dir, slog.New(logline.NewHandler(output, slog.LevelDebug)))
	}()
	attached, err := attach(dir, served)
	if err != nil {
		cancel()
		<-served
		return nil, errors.Join(err, end)
	}
	return &running{
		control: attached.Client,
		output:  output.String,
		stop: func(ctx context.Context) error {
			err := attached.Shutdown(ctx, stopGrace)
			select {
			case <-served:
				return errors.Join(err, end)
			case <-ctx.Done():
				return fmt.Errorf("it does not end: %w", ctx.Err())
			}
		},
		close: func() {
			_ = attached.Close()
			cancel()
			<-served
		},
	}, nil
}

// attach waits until the plugin listens.
func attach(dir string, served <-chan struct{}) (*control.Attached, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		attached, err := control.Attach(ctx, dir)
		if err == nil {
			return attached, nil
		}
		select {
		case <-served:
			return nil, errors.New("the plugin could not be served")
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}
