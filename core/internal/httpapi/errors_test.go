package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		err  *sdk.Error
		want int
	}{
		{&sdk.Error{Kind: sdk.PluginUnavailable}, 1},
		{&sdk.Error{Kind: sdk.PluginUnavailable, RetryAfter: 3100 * time.Millisecond}, 4},
		{&sdk.Error{Kind: sdk.PluginUnavailable, Status: http.StatusBadGateway, RetryAfter: time.Second}, 1},
		{&sdk.Error{Kind: sdk.PluginUnavailable, Status: http.StatusGatewayTimeout}, 0},
		{&sdk.Error{Kind: sdk.RateLimited, RetryAfter: time.Minute}, 60},
		{&sdk.Error{Kind: sdk.NotFound}, 0},
		{&sdk.Error{Kind: sdk.Internal}, 0},
	} {
		if got := retryAfter(c.err); got != c.want {
			t.Errorf("%+v: %d, want %d", c.err, got, c.want)
		}
	}
}
