package auth

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/tokens"
	"github.com/salita-mesh/salita/sdk"
)

// fakeVerifier knows one token, which is bound to one key.
type fakeVerifier struct {
	token string
	key   mesh.KeyHash
}

func (f fakeVerifier) Verify(token []byte, key mesh.KeyHash) (tokens.Verified, error) {
	switch {
	case string(token) != f.token:
		return tokens.Verified{}, tokens.ErrUnknown
	case key != f.key:
		return tokens.Verified{}, tokens.ErrWrongKey
	}
	return tokens.Verified{DeviceID: "laptop", Permissions: mesh.Grant{"media:*"}}, nil
}

// fakeSessions knows sessions by their secrets.
type fakeSessions map[string]sessions.Verified

func (f fakeSessions) Verify(secret []byte) (sessions.Verified, error) {
	if v, ok := f[string(secret)]; ok {
		return v, nil
	}
	return sessions.Verified{}, sessions.ErrUnknown
}

type fakeNames map[mesh.DeviceID]string

func (f fakeNames) Name(id mesh.DeviceID) string { return f[id] }

func TestIdentify(t *testing.T) {
	key := mesh.KeyHash{1}
	a := New(fakeVerifier{"good", key}, fakeSessions{
		"owner":   {Kind: mesh.SessionOwner},
		"phone":   {Kind: mesh.SessionDevice, DeviceID: "phone", Permissions: mesh.Grant{"media:upload"}},
		"manager": {Kind: mesh.SessionDevice, DeviceID: "phone", Manage: true},
	}, fakeNames{"laptop": "Laptop", "phone": "Phone"})
	laptop := Principal{Device: "laptop", Name: "Laptop", Grant: mesh.Grant{"media:*"}}
	tests := []struct {
		name     string
		evidence Evidence
		want     Principal
		cause    error // of a refusal
	}{
		{"nothing", Evidence{}, Principal{}, nil},
		{"a key alone", Evidence{Key: key}, Principal{}, nil},
		{"owner's socket", Evidence{OwnerSocket: true}, Principal{Owner: true}, nil},
		{"owner's socket with a bad token", Evidence{OwnerSocket: true, Authorization: []byte("Bearer bad")}, Principal{Owner: true}, nil},
		{"token and key", Evidence{Key: key, Authorization: []byte("Bearer good")}, laptop, nil},
		{"token without key", Evidence{Authorization: []byte("Bearer good")}, Principal{}, tokens.ErrWrongKey},
		{"token with another key", Evidence{Key: mesh.KeyHash{2}, Authorization: []byte("Bearer good")}, Principal{}, tokens.ErrWrongKey},
		{"owner's browser", Evidence{Session: []byte("owner")}, Principal{Owner: true}, nil},
		{"phone's browser", Evidence{Session: []byte("phone")}, Principal{Device: "phone", Name: "Phone", Grant: mesh.Grant{"media:upload"}}, nil},
		{"phone that may manage", Evidence{Session: []byte("manager")}, Principal{Owner: true, Device: "phone", Name: "Phone"}, nil},
		{"session that has ended", Evidence{Session: []byte("old")}, Principal{}, nil},
		{"bad token beside a good session", Evidence{Authorization: []byte("Bearer bad"), Session: []byte("owner")}, Principal{}, tokens.ErrUnknown},
		{"unknown token", Evidence{Key: key, Authorization: []byte("Bearer bad")}, Principal{}, tokens.ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := a.Identify(tt.evidence)
			if diff := cmp.Diff(tt.want, got.Principal); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tt.cause) {
				t.Errorf("error is %v, want %v", err, tt.cause)
			}
			if tt.cause != nil && (sdk.KindOf(err) != sdk.NeedsRepair || sdk.AsError(err).Friendly() != "Device needs re-pairing") {
				t.Errorf("the caller would see %v", sdk.AsError(err))
			}
		})
	}
	for _, header := range []string{"good", "Basic good", "Bearer", "Bearer ", "Bearer good extra"} {
		if got, err := a.Identify(Evidence{Key: key, Authorization: []byte(header)}); sdk.KindOf(err) != sdk.NeedsRepair || got.Known() {
			t.Errorf("authorization %q: %+v, %v", header, got.Principal, err)
		}
	}
}

func TestWhoMayWhat(t *testing.T) {
	tests := []struct {
		name       string
		p          Principal
		known, may bool
	}{
		{"nobody", Principal{}, false, false},
		{"owner", Principal{Owner: true}, true, true},
		{"device with the grant", Principal{Device: "d", Grant: mesh.Grant{"media:read"}}, true, true},
		{"device without it", Principal{Device: "d", Grant: mesh.Grant{"posts:read"}}, true, false},
		{"device without any", Principal{Device: "d"}, true, false},
	}
	for _, tt := range tests {
		if tt.p.Known() != tt.known || tt.p.May("media:read") != tt.may {
			t.Errorf("%s: known %v, may %v", tt.name, tt.p.Known(), tt.p.May("media:read"))
		}
	}
}
