package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// FeatureWatch is the word by which a plugin says that it has events, and a
// gateway that it reads them.
const FeatureWatch = wire.FeatureWatch

// FeatureAlone is the word by which a plugin says that two processes of it must
// never be configured at the same time; see sdk.Manifest.Alone.
const FeatureAlone = wire.FeatureAlone

// Features are the words for what this version of the gateway's end knows, for
// Environment.Features.
func Features() []string { return wire.Features() }

// ErrUnsupported is a call that the plugin does not know.
var ErrUnsupported = errors.New("the plugin does not know this call")

// Event is what a plugin told by itself. An event of a kind that this version
// does not know has nothing set but perhaps Dropped.
type Event struct {
	// Dropped is how many events were lost between the one before and this one.
	Dropped uint64
	// HealthChanged asks for a health check now.
	HealthChanged bool
	// Published is an event of the plugin's own; nil for another kind.
	Published *Published
}

// Published is an event of a plugin's own. It is foreign until Validate.
type Published struct {
	Name string // "<plugin>.<what happened>"
	Data []byte // JSON
}

// Validate checks the rules that an event of the named plugin must keep.
func (p Published) Validate(plugin string) error {
	switch {
	case !sdk.ValidEventName(plugin, p.Name):
		return fmt.Errorf("event: name %.80q: want %q", p.Name, plugin+".<word>")
	case len(p.Data) > sdk.MaxEventBytes:
		return fmt.Errorf("event: %d bytes of data, at most %d are allowed", len(p.Data), sdk.MaxEventBytes)
	case !json.Valid(p.Data):
		return errors.New("event: data is not JSON")
	}
	return nil
}

// Watch calls each with every event, in order, from now until the end of the
// process. It returns nil when the plugin ended the stream, the error of each,
// or why the stream broke; the end of ctx is one reason. A plugin without
// FeatureWatch in its last Manifest answer gives ErrUnsupported at once.
//
// Only one Watch at a time makes sense: of two, the later one gets the events.
func (c *Client) Watch(ctx context.Context, each func(Event) error) error {
	if !c.Has(FeatureWatch) {
		return ErrUnsupported
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when each does not want more
	stream, err := c.stub.Watch(ctx, &pluginv1.WatchRequest{})
	for err == nil {
		var event *pluginv1.WatchResponse
		if event, err = stream.Recv(); err != nil {
			break
		}
		if err := each(eventFromWire(event)); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if status.Code(err) == codes.Unimplemented {
		return ErrUnsupported
	}
	return fmt.Errorf("watch: %w", err)
}

func eventFromWire(w *pluginv1.WatchResponse) Event {
	e := Event{Dropped: w.GetDropped(), HealthChanged: w.GetHealthChanged() != nil}
	if p := w.GetPublished(); p != nil {
		e.Published = &Published{Name: p.GetName(), Data: p.GetData()}
	}
	return e
}
