// Package auth answers who is asking: it turns what a connection proves and a
// request presents into a Principal. What a principal may do is the router's
// question.
package auth

import (
	"errors"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/tokens"
	"github.com/salita-mesh/salita/sdk"
)

// Principal is who makes a request. The zero value is nobody.
type Principal struct {
	Owner  bool          // the owner: everything is permitted
	Device mesh.DeviceID // the paired device that presented a valid token
	Name   string        // its name
	Grant  mesh.Grant    // what it may do
}

// Known reports whether it is somebody at all.
func (p Principal) Known() bool { return p.Owner || p.Device != "" }

// May reports whether the principal holds the permission.
func (p Principal) May(permission mesh.Permission) bool {
	return p.Owner || p.Grant.Allows(permission)
}

// Evidence is what a request brings to say who sends it. Its bytes are read
// during Identify only.
type Evidence struct {
	OwnerSocket   bool         // it came through the owner's private socket
	Key           mesh.KeyHash // proved by mutual TLS; zero when not
	Authorization []byte       // the Authorization header
	Session       []byte       // the secret in a browser's cookie
}

// Verifier checks a token; the key is the one proved by mutual TLS, or zero.
type Verifier interface {
	Verify(token []byte, key mesh.KeyHash) (tokens.Verified, error)
}

// Sessions checks the secret of a signed-in browser.
type Sessions interface {
	Verify(secret []byte) (sessions.Verified, error)
}

// Names finds the name of a device.
type Names interface {
	Name(mesh.DeviceID) string
}

// Authenticator identifies callers.
type Authenticator struct {
	verifier Verifier
	sessions Sessions
	names    Names
}

// New returns an Authenticator over tokens and sessions.
func New(verifier Verifier, sessions Sessions, names Names) *Authenticator {
	return &Authenticator{verifier: verifier, sessions: sessions, names: names}
}

// Identity is a Principal and what the use of its token or session has to tell
// its holder. At most one of the two is set.
type Identity struct {
	Principal
	Token   tokens.Verified
	Session sessions.Verified
}

// Identify says who is asking. Without any credentials it returns nobody and no
// error. A token that does not open anything, for whatever reason, is the same
// NeedsRepair to the caller; the reason is the cause. A session that has ended
// is nobody: its browser is simply not signed in any more.
func (a *Authenticator) Identify(e Evidence) (Identity, error) {
	switch {
	case e.OwnerSocket:
		return Identity{Principal: Principal{Owner: true}}, nil
	case len(e.Authorization) > 0:
		return a.bearer(e)
	case len(e.Session) > 0:
		return a.browser(e.Session), nil
	}
	return Identity{}, nil
}

func (a *Authenticator) bearer(e Evidence) (Identity, error) {
	token, ok := tokens.AuthorizationToken(e.Authorization)
	if !ok {
		return Identity{}, refused(errors.New("authorization header is not a bearer token"))
	}
	verified, err := a.verifier.Verify(token, e.Key)
	if err != nil {
		return Identity{}, refused(err)
	}
	return Identity{
		Principal: Principal{
			Device: verified.DeviceID,
			Name:   a.names.Name(verified.DeviceID),
			Grant:  verified.Permissions,
		},
		Token: verified,
	}, nil
}

func (a *Authenticator) browser(secret []byte) Identity {
	verified, err := a.sessions.Verify(secret)
	if err != nil {
		return Identity{}
	}
	return Identity{
		Principal: Principal{
			Owner:  verified.Kind == mesh.SessionOwner || verified.Manage,
			Device: verified.DeviceID,
			Name:   a.names.Name(verified.DeviceID),
			Grant:  verified.Permissions,
		},
		Session: verified,
	}
}

func refused(cause error) error {
	return (&sdk.Error{Kind: sdk.NeedsRepair}).Because(cause)
}
