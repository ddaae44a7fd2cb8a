package sdktest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/salita-mesh/salita/sdk/control"
)

// watch collects events until the plugin ends.
func (i *Instance) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	i.unwatch, i.watching = cancel, make(chan struct{})
	r := i.running
	go func() {
		defer close(i.watching)
		// A plugin without events, or one that ends, is no failure here.
		_ = r.control.Watch(ctx, func(e Event) error {
			select {
			case i.events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
}

// Event waits for the next event and returns it.
func (i *Instance) Event() Event {
	i.t.Helper()
	select {
	case e := <-i.events:
		if e.Published != nil {
			if err := e.Published.Validate(i.manifest.Name); err != nil {
				i.t.Error(err)
			}
		}
		return e
	case <-time.After(patience):
		i.t.Fatal("no event came")
		return Event{}
	}
}

// Logs are the plugin's log lines so far, since its last start. What it printed
// otherwise counts as information.
func (i *Instance) Logs() []LogRecord {
	i.t.Helper()
	i.needRunning()
	var out []LogRecord
	for line := range strings.Lines(i.running.output()) {
		line = strings.TrimRight(line, "\r\n")
		record, ok := control.ParseLogLine([]byte(line))
		if !ok {
			record = LogRecord{Message: line}
		}
		out = append(out, record)
	}
	return out
}

// Logged reports whether the text is in a message or an attribute of the log.
func (i *Instance) Logged(text string) bool {
	return slices.ContainsFunc(i.Logs(), func(r LogRecord) bool {
		for _, a := range r.Attrs {
			if strings.Contains(a.Value, text) {
				return true
			}
		}
		return strings.Contains(r.Message, text)
	})
}
