package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/events"
	"github.com/salita-mesh/salita/sdk"
)

const (
	// maxStreams bounds the event streams open at once: each holds a connection
	// and a goroutine.
	maxStreams = 64
	// heartbeat is how often an idle stream shows that it is alive. It is also how
	// long one goes on to a client that left without a word, and to a browser
	// that was signed out.
	heartbeat = 15 * time.Second
)

// follow streams the gateway's events as server-sent events. A client that
// names the last one it saw, as browsers do by themselves, continues after it;
// "lost" tells it that events are missing and everything is to be read anew.
func (s *Server) follow(c *call) error {
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if c.Method() == http.MethodHead {
		return nil
	}
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		return sdk.Errorf(sdk.RateLimited, "Too many pages are watching this device.")
	}
	n := news{
		watch: s.Events.Watch(c.Get("Last-Event-ID")),
		still: c.stillAllowed(owner),
	}
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.streams.Add(-1)
		n.write(s.ctx, w)
	})
	return nil
}

// stillAllowed checks the caller anew, for answers that outlive their request:
// access may end in the meantime.
func (c *call) stillAllowed(allowed access) func() bool {
	evidence := evidence(c.Ctx, connection(c.Ctx))
	evidence.Authorization, evidence.Session = slices.Clone(evidence.Authorization), slices.Clone(evidence.Session)
	return func() bool {
		who, err := c.server.Auth.Identify(evidence)
		return err == nil && allowed(who.Principal) == nil
	}
}

// news is one stream.
type news struct {
	watch *events.Watch
	still func() bool
}

// write goes on until the client leaves, loses its access, or the gateway stops.
func (n news) write(ctx context.Context, w *bufio.Writer) {
	fmt.Fprintf(w, "retry: 1000\nid: %s\n\n", n.watch.Place())
	for w.Flush() == nil {
		event, lost, err := n.next(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || !n.still() {
			return
		}
		if lost {
			fmt.Fprint(w, "event: lost\ndata: {}\n\n")
		}
		if event != nil {
			fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", event.ID, event.Name, event.Data)
		} else if !lost {
			fmt.Fprint(w, ":\n\n")
		}
	}
}

// next waits for an event, but no longer than a heartbeat.
func (n news) next(ctx context.Context) (*events.Event, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	return n.watch.Next(ctx)
}
