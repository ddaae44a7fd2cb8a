package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// stopGrace is what a plugin is given to finish its requests.
	stopGrace = 10 * time.Second
	// moment is long enough to see whether something happens by itself.
	moment = 200 * time.Millisecond
)

// stop stops the plugin as the gateway does and checks how it ends.
func (l *link) stop(ctx context.Context) error {
	if err := l.control.Shutdown(ctx, stopGrace); err != nil && l.running() {
		return err
	}
	_ = l.stdin.Close()
	if err := l.ended(ctx, exitLimit); err != nil {
		return fmt.Errorf("told to stop: %w", err)
	}
	return nil
}

// shutdownDrains stops a plugin that is reading a request's body.
func shutdownDrains(t *trial) error {
	for _, r := range t.bodyRoutes() {
		l, err := t.ready()
		if err != nil {
			return err
		}
		conn, err := t.raw(l)
		if err != nil {
			return err
		}
		method, path := examplePath(r.Pattern)
		if err := conn.begin(method, path, 10); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "salit"); err != nil {
			return err
		}
		if early, err := conn.early(moment); early || err != nil {
			l.close()
			continue // it does not wait for its body
		}
		return t.drains(l, conn, r.Pattern)
	}
	l, err := t.ready()
	if err != nil {
		return err
	}
	if err := l.stop(t.ctx); err != nil {
		return err
	}
	return skipError("it stops, but no route waits for its body: requests in flight were not tried")
}

// drains tells the plugin to stop, and then sends the rest of a request.
func (t *trial) drains(l *link, conn rawRequest, pattern string) error {
	stopped := make(chan error, 1)
	go func() { stopped <- l.control.Shutdown(t.ctx, stopGrace) }()
	select {
	case err := <-stopped:
		if _, late := conn.answer(); late == nil {
			_ = l.stdin.Close()
			return l.ended(t.ctx, exitLimit) // slow, but answered before its body was there
		}
		return fmt.Errorf("%s was in flight, and it had stopped already (%v)", pattern, err)
	case <-l.exited:
		return fmt.Errorf("%s was in flight, and it ended: %s", pattern, l.ending())
	case <-time.After(moment):
	}
	if _, err := io.WriteString(conn, "a now"); err != nil {
		return fmt.Errorf("%s was in flight and was cut: %w", pattern, err)
	}
	if _, err := conn.answer(); err != nil {
		return fmt.Errorf("%s was in flight and got no whole answer: %w", pattern, err)
	}
	_ = conn.Close()
	if err := <-stopped; err != nil && l.running() {
		return err
	}
	_ = l.stdin.Close()
	return l.ended(t.ctx, exitLimit)
}

func endsWithLifeline(t *trial) error {
	idle, err := t.connected()
	if err != nil {
		return err
	}
	configured, err := t.ready()
	if err != nil {
		return err
	}
	for _, l := range []*link{idle, configured} {
		_ = l.stdin.Close()
		if _, err := l.waitFor(t.ctx, exitLimit); err != nil {
			return err
		}
	}
	return nil
}

func endsOnTerminate(t *trial) error {
	if !canTerminate {
		return skipError("this system has no such signal")
	}
	l, err := t.ready()
	if err != nil {
		return err
	}
	if err := terminate(l.cmd.Process); err != nil {
		return err
	}
	_, err = l.waitFor(t.ctx, exitLimit)
	return err
}

func restartsAfterKill(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	for range 2 {
		if err := l.disturb(t); err != nil {
			return err
		}
		at := l.place
		if at.sockets, err = os.MkdirTemp(at.base, "s"); err != nil { // each launch has its own
			return err
		}
		if l, err = t.start(at); err != nil {
			return fmt.Errorf("started again: %w", err)
		}
		if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
			return fmt.Errorf("started again: %w", err)
		}
		if err := l.works(t.ctx); err != nil {
			return fmt.Errorf("started again: %w", err)
		}
	}
	return l.stop(t.ctx)
}

// disturb kills the plugin in the middle of a request, if it has any with a body.
func (l *link) disturb(t *trial) error {
	for _, r := range t.bodyRoutes() {
		method, path := examplePath(r.Pattern)
		conn, err := t.raw(l)
		if err != nil {
			return err
		}
		if err := errors.Join(conn.begin(method, path, 1<<20)); err != nil {
			return err
		}
		_, _ = conn.Write(make([]byte, 32<<10))
		_, _ = conn.early(moment / 4)
	}
	l.kill()
	return nil
}
