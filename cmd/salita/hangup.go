package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onHangup reloads whenever the system sends SIGHUP, until ctx ends; the
// returned function waits for that. A terminal that is closed sends the same
// signal to what runs in it: then it is stop that is called.
func (a *app) onHangup(ctx context.Context, reload, stop func()) (wait func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	terminals := a.terminals()
	go func() {
		defer close(ended)
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			if a.terminals() < terminals {
				stop()
				return
			}
			reload()
		}
	}()
	return func() { <-ended }
}

// terminals counts the streams that are a terminal right now. One that was
// closed is none any more.
func (a *app) terminals() int {
	count := 0
	for _, stream := range []any{a.in, a.out, a.err} {
		if interactive(stream) {
			count++
		}
	}
	return count
}
