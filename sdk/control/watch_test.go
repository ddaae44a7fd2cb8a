package control

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/salita-mesh/salita/sdk"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// watched is a plugin whose stream is what a test says.
type watched struct {
	*fakePlugin
	stream func(grpc.ServerStreamingServer[pluginv1.WatchResponse]) error
}

func (w watched) Watch(_ *pluginv1.WatchRequest, s grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
	return w.stream(s)
}

// watching returns a client that has read a manifest with the features.
func watching(t *testing.T, features []string, stream func(grpc.ServerStreamingServer[pluginv1.WatchResponse]) error) *Client {
	t.Helper()
	c := dial(t, watched{
		fakePlugin: &fakePlugin{manifest: &pluginv1.GetManifestResponse{Manifest: &pluginv1.Manifest{Features: features}}},
		stream:     stream,
	})
	_, err := c.Manifest(t.Context())
	must(t, err)
	return c
}

func published(name, data string) *pluginv1.WatchResponse {
	return &pluginv1.WatchResponse{Event: &pluginv1.WatchResponse_Published{Published: &pluginv1.Published{Name: name, Data: []byte(data)}}}
}

func TestWatch(t *testing.T) {
	c := watching(t, []string{"later", "watch"}, func(s grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
		health := &pluginv1.WatchResponse_HealthChanged{HealthChanged: &pluginv1.HealthChanged{}}
		for _, w := range []*pluginv1.WatchResponse{
			{Event: health}, published("n.done", `{"id":1}`), {Dropped: 7}, {Dropped: 2, Event: health},
		} {
			if err := s.Send(w); err != nil {
				return err
			}
		}
		return nil
	})
	var got []Event
	must(t, c.Watch(t.Context(), func(e Event) error {
		got = append(got, e)
		return nil
	}))
	want := []Event{
		{HealthChanged: true},
		{Published: &Published{Name: "n.done", Data: []byte(`{"id":1}`)}},
		{Dropped: 7},
		{Dropped: 2, HealthChanged: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWatchEnds(t *testing.T) {
	endless := func(s grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
		if err := s.Send(published("n.a", "1")); err != nil {
			return err
		}
		<-s.Context().Done()
		return s.Context().Err()
	}
	enough := errors.New("enough")
	if err := watching(t, Features(), endless).Watch(t.Context(), func(Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of each: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := watching(t, Features(), endless).Watch(ctx, func(Event) error {
		cancel()
		return nil
	})
	if status.Code(err) != codes.Canceled {
		t.Errorf("the end of the context: %v", err)
	}
	gone := watching(t, Features(), func(grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
		return status.Error(codes.Unavailable, "gone")
	})
	if err := gone.Watch(t.Context(), func(Event) error { return nil }); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "watch: ") {
		t.Errorf("a broken stream: %v", err)
	}
}

func TestWatchOfPluginsWithoutEvents(t *testing.T) {
	never := func(grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
		t.Error("a plugin that does not know the call was asked")
		return nil
	}
	each := func(Event) error { return nil }
	for _, features := range [][]string{nil, {}, {"Watch"}, {"watching"}} {
		if err := watching(t, features, never).Watch(t.Context(), each); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v: %v", features, err)
		}
	}
	if err := dial(t, &fakePlugin{}).Watch(t.Context(), each); !errors.Is(err, ErrUnsupported) {
		t.Errorf("before the manifest: %v", err)
	}
	// It says that it can, and cannot.
	liar := dial(t, &fakePlugin{manifest: &pluginv1.GetManifestResponse{Manifest: &pluginv1.Manifest{Features: Features()}}})
	_, err := liar.Manifest(t.Context())
	must(t, err)
	if err := liar.Watch(t.Context(), each); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an unimplemented call: %v", err)
	}
}

func TestManifestAlone(t *testing.T) {
	for word, want := range map[string]bool{FeatureWatch: false, FeatureAlone: true} {
		c := dial(t, &fakePlugin{manifest: &pluginv1.GetManifestResponse{Manifest: &pluginv1.Manifest{Features: []string{word}}}})
		m, err := c.Manifest(t.Context())
		must(t, err)
		if m.Alone != want || c.Has(FeatureAlone) != want {
			t.Errorf("%s: %+v", word, m)
		}
	}
}

func TestPublishedValidate(t *testing.T) {
	full := `"` + strings.Repeat("x", sdk.MaxEventBytes-2) + `"`
	for _, c := range []struct {
		event Published
		want  string // "" when it is sound
	}{
		{Published{"posts.created", []byte(`{}`)}, ""},
		{Published{"posts.comment.added", []byte(full)}, ""},
		{Published{"posts.created", []byte(full + " ")}, "16385 bytes"},
		{Published{"media.created", []byte(`{}`)}, "name"},
		{Published{"posts.created", nil}, "not JSON"},
		{Published{"posts.created", []byte(`{} {}`)}, "not JSON"},
		{Published{"posts", []byte(`{}`)}, "name"},
	} {
		err := c.event.Validate("posts")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60v: %v, want %q", c.event, err, c.want)
		}
	}
}
