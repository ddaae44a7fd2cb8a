package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// fakeConfig remembers what was asked for.
type fakeConfig struct {
	mu      sync.Mutex
	status  ConfigStatus
	enabled map[string]bool
	err     error
}

func (f *fakeConfig) Status() ConfigStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeConfig) EnablePlugin(name string, enabled bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enabled == nil {
		f.enabled = map[string]bool{}
	}
	f.enabled[name] = enabled
	return f.err
}

func TestConfigIsTold(t *testing.T) {
	w := newWorld(t)
	owner, config := w.callers()["owner"], w.server.Config.(*fakeConfig)
	for _, tt := range []struct {
		status ConfigStatus
		want   string
	}{
		{ConfigStatus{}, `{"file":"","restart_needed":[]}`},
		{ConfigStatus{File: "/c.hcl", Error: "/c.hcl:1:8: <x>"}, `{"file":"/c.hcl","error":"/c.hcl:1:8: <x>","restart_needed":[]}`},
		{ConfigStatus{File: "/c.hcl", RestartNeeded: []string{"server.address"}}, `{"file":"/c.hcl","restart_needed":["server.address"]}`},
	} {
		config.status = tt.status
		got := w.do(owner, http.MethodGet, "/api/config", nil)
		var is, want any
		if err := errors.Join(json.Unmarshal(got.body, &is), json.Unmarshal([]byte(tt.want), &want)); err != nil || got.status != http.StatusOK {
			t.Fatalf("%d %s: %v", got.status, got.body, err)
		}
		if diff := cmp.Diff(want, is); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestPluginsAreEnabledByName(t *testing.T) {
	w := newWorld(t)
	owner, config := w.callers()["owner"], w.server.Config.(*fakeConfig)
	for path, want := range map[string]bool{"/api/plugins/media/enable": true, "/api/plugins/posts/disable": false} {
		if got := w.do(owner, http.MethodPost, path, []byte("{}")); got.status != http.StatusOK || string(got.body) != `{"ok":true}` {
			t.Errorf("POST %s: %d %s", path, got.status, got.body)
		}
		name := strings.Split(path, "/")[3]
		if enabled, asked := config.enabled[name]; !asked || enabled != want {
			t.Errorf("%s enabled: %v, asked %v", name, enabled, asked)
		}
	}
	config.err = sdk.Errorf(sdk.NotFound, "No program salita-plugin-media in /p.")
	got := w.do(owner, http.MethodPost, "/api/plugins/media/enable", nil)
	if got.status != http.StatusNotFound || !strings.Contains(string(got.body), "No program salita-plugin-media") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestRestartOfAnUnknownPlugin(t *testing.T) {
	w := newWorld(t)
	got := w.do(w.callers()["owner"], http.MethodPost, "/api/plugins/media/restart", nil)
	if got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}
