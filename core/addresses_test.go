package core

import (
	"net"
	"testing"

	"github.com/salita-mesh/salita/core/internal/config"
)

func TestHosts(t *testing.T) {
	tests := []struct {
		address string
		want    string // the only host, or "" for this machine's own
	}{
		{"127.0.0.1:6969", "127.0.0.1"},
		{"192.0.2.7:6969", "192.0.2.7"},
		{"[::1]:6969", "::1"},
		{"study.local:6969", "study.local"},
		{"0.0.0.0:6969", ""},
		{"[::]:6969", ""},
		{":6969", ""},
	}
	for _, tt := range tests {
		a := &App{reloads: newReloads(nil, config.Reading{Config: Config{Server: config.Server{Address: tt.address}}})}
		hosts := a.hosts()
		if tt.want != "" && (len(hosts) != 1 || hosts[0] != tt.want) {
			t.Errorf("%s: hosts %v, want %s", tt.address, hosts, tt.want)
		}
		if len(hosts) == 0 {
			t.Errorf("%s: no host at all", tt.address)
		}
		for _, h := range hosts {
			if ip := net.ParseIP(h); ip != nil && (ip.IsUnspecified() || ip.IsLinkLocalUnicast()) {
				t.Errorf("%s: others cannot reach %s", tt.address, h)
			}
		}
	}
}
