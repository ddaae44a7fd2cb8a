package router

import (
	"testing"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

type fakePlugins map[string]mesh.Permission

func (f fakePlugins) Route(method, path string) (plugins.Match, bool) {
	permission, ok := f[method+" "+path]
	return plugins.Match{Plugin: "media", Permission: permission}, ok
}

func (f fakePlugins) Capability(id string) (plugins.Call, bool) {
	permission, ok := f[id]
	return plugins.Call{Match: plugins.Match{Plugin: "media", Permission: permission}, Method: "POST", Path: "/media/upload"}, ok
}

func TestCapability(t *testing.T) {
	r := New(fakePlugins{"media.storage": "media:upload"})
	uploader := auth.Principal{Device: "phone", Grant: mesh.Grant{"media:upload"}}
	reader := auth.Principal{Device: "phone", Grant: mesh.Grant{"media:read"}}
	for _, tt := range []struct {
		p    auth.Principal
		id   string
		want sdk.Kind
	}{
		{uploader, "media.storage", ""},
		{auth.Principal{Owner: true}, "media.storage", ""},
		{reader, "media.storage", sdk.Forbidden},
		{reader, "media.nothing", sdk.NotFound},
		{auth.Principal{}, "media.storage", sdk.SignIn},
		{auth.Principal{}, "media.nothing", sdk.SignIn},
	} {
		call, err := r.Capability(tt.p, tt.id)
		if sdk.KindOf(err) != tt.want || err == nil && call.Path != "/media/upload" {
			t.Errorf("%+v calls %s: %+v, %v", tt.p, tt.id, call, err)
		}
	}
}

func TestRoute(t *testing.T) {
	r := New(fakePlugins{"GET /media": "media:read", "POST /media/upload": "media:upload", "GET /media/oops": ""})
	nobody := auth.Principal{}
	owner := auth.Principal{Owner: true}
	reader := auth.Principal{Device: "phone", Grant: mesh.Grant{"media:read"}}
	tests := []struct {
		name         string
		p            auth.Principal
		method, path string
		want         sdk.Kind
	}{
		{"owner reads", owner, "GET", "/media", ""},
		{"reader reads", reader, "GET", "/media", ""},
		{"reader uploads", reader, "POST", "/media/upload", sdk.Forbidden},
		{"nobody reads", nobody, "GET", "/media", sdk.SignIn},
		{"nobody asks for what is not there", nobody, "GET", "/nothing", sdk.SignIn},
		{"owner asks for what is not there", owner, "GET", "/nothing", sdk.NotFound},
		{"a route without a permission is nobody's but the owner's", reader, "GET", "/media/oops", sdk.Forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := r.Route(tt.p, tt.method, tt.path); sdk.KindOf(err) != tt.want {
				t.Errorf("error is %v, want kind %q", err, tt.want)
			}
		})
	}
}

func TestPermit(t *testing.T) {
	tests := []struct {
		name                string
		p                   auth.Principal
		known, owner, reads sdk.Kind
	}{
		{"nobody", auth.Principal{}, sdk.SignIn, sdk.SignIn, sdk.SignIn},
		{"owner", auth.Principal{Owner: true}, "", "", ""},
		{"device with the grant", auth.Principal{Device: "d", Grant: mesh.Grant{"devices:*"}}, "", sdk.Forbidden, ""},
		{"device that is granted everything", auth.Principal{Device: "d", Grant: mesh.Grant{"*"}}, "", sdk.Forbidden, ""},
		{"device without", auth.Principal{Device: "d"}, "", sdk.Forbidden, sdk.Forbidden},
	}
	for _, tt := range tests {
		known, owner, reads := sdk.KindOf(PermitKnown(tt.p)), sdk.KindOf(PermitOwner(tt.p)), sdk.KindOf(Permit(tt.p, mesh.DevicesRead))
		if known != tt.known || owner != tt.owner || reads != tt.reads {
			t.Errorf("%s: known %q, owner %q, reads %q", tt.name, known, owner, reads)
		}
	}
}
