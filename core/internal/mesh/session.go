package mesh

import "time"

// A session's secret is what a signed-in browser keeps in its cookie. Its length
// and prefix are not those of a token, so that neither passes for the other.
const (
	SessionPrefix = "salita_session_"
	// SessionLength is the length of every session's secret in characters.
	SessionLength = len(SessionPrefix) + secretTail
)

// NewSessionSecret returns a fresh secret for a session and its hash.
func NewSessionSecret() (string, TokenHash) { return newSecret(SessionPrefix) }

// HashSession checks the form and checksum of a presented secret and hashes it,
// without allocating. It reports false for anything that was never the secret of
// a session.
func HashSession(secret []byte) (TokenHash, bool) { return hashSecret(SessionPrefix, secret) }

// SessionID names a session to its owner, who may end it. It opens nothing.
type SessionID string

// NewSessionID returns a random id.
func NewSessionID() SessionID { return SessionID(newID()) }

// SessionKind says whose browser it is.
type SessionKind string

// The kinds of session.
const (
	SessionOwner  SessionKind = "owner"  // the owner, signed in by a link
	SessionDevice SessionKind = "device" // a paired phone or browser
)

// Session is a signed-in browser, as we remember it.
type Session struct {
	ID          SessionID
	Hash        TokenHash // of its secret
	Kind        SessionKind
	DeviceID    DeviceID // the paired device; "" for the owner's
	Permissions Grant    // what a paired device may do; the owner needs none
	Manage      bool     // may do all that the owner may
	Description string   // what the browser called itself
	CreatedAt   time.Time
	ExpiresAt   time.Time
	LastUsedAt  time.Time // zero when never
}
