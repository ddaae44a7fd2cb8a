package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const (
	// LinkLife is how long a sign-in link works.
	LinkLife = 5 * time.Minute
	// maxLinks is how many links work at the same time; one more ends the oldest.
	maxLinks = 8
	linkSize = 32 // random bytes
	// maxMisses is how many links that do not work may be tried in a minute,
	// whoever tries them. It keeps a flood out of the log; what keeps guessers out
	// is the size of the secret. A link that works is never refused for it, or a
	// stranger could lock the owner out.
	maxMisses = 30
)

// links are the sign-in links that work: hashes in memory, gone with a restart.
type links struct {
	mu     sync.Mutex
	alive  []link // the oldest first
	misses mesh.RateLimit
}

type link struct {
	hash    [sha256.Size]byte
	expires time.Time
}

func newLinks() links { return links{misses: mesh.RateLimit{Most: maxMisses, Per: time.Minute}} }

// MintLink makes the secret of a sign-in link: 32 random bytes in unpadded
// base64url, good for one Redeem within LinkLife. Whoever asks must be the owner
// already, or stand at the machine.
func (s *Service) MintLink() (secret string, expires time.Time) {
	var raw [linkSize]byte
	rand.Read(raw[:])
	secret = base64.RawURLEncoding.EncodeToString(raw[:])
	now := s.table.Now()
	l := link{hash: sha256.Sum256([]byte(secret)), expires: now.Add(LinkLife).UTC()}
	s.links.add(l, now)
	s.log.Info("sign-in link made", "expires", l.expires)
	return secret, l.expires
}

func (ls *links) add(l link, now time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.alive = slices.DeleteFunc(ls.alive, func(l link) bool { return !now.Before(l.expires) })
	ls.alive = append(ls.alive, l)
	ls.alive = slices.Delete(ls.alive, 0, max(0, len(ls.alive)-maxLinks))
}

// take finds a link by its secret and uses it up.
func (ls *links) take(secret string, now time.Time) (link, error) {
	hash := sha256.Sum256([]byte(secret))
	ls.mu.Lock()
	defer ls.mu.Unlock()
	// Comparing hashes cannot be timed: nobody can steer which bytes of them agree.
	i := slices.IndexFunc(ls.alive, func(l link) bool { return l.hash == hash && now.Before(l.expires) })
	if i >= 0 {
		l := ls.alive[i]
		ls.alive = slices.Delete(ls.alive, i, i+1)
		return l, nil
	}
	if !ls.misses.Allow(now) {
		return link{}, &sdk.Error{Kind: sdk.RateLimited}
	}
	return link{}, &sdk.Error{
		Kind: sdk.Expired, Message: "This sign-in link has expired.",
		Hint: "Get a new one on this device with \"salita open\".",
	}
}

// Redeem signs a browser in as the owner's and returns the secret for its cookie.
// The description is what the browser calls itself. A link that was never made,
// was used or has expired is always the same sdk.Expired, or sdk.RateLimited
// when there were many of them. When the session cannot be stored, the link can
// be tried again.
func (s *Service) Redeem(ctx context.Context, secret, description string) (cookie string, session mesh.Session, err error) {
	// A secret has one length; hashing more than that would be work for nothing.
	secret = secret[:min(len(secret), base64.RawURLEncoding.EncodedLen(linkSize)+1)]
	l, err := s.links.take(secret, s.table.Now())
	if err != nil {
		return "", mesh.Session{}, err
	}
	cookie, session = s.issue(mesh.SessionOwner, description)
	session.Manage = true
	// A browser that hangs up must not leave it open whether it is signed in.
	if err := s.store.AddSession(context.WithoutCancel(ctx), session); err != nil {
		s.links.add(l, s.table.Now())
		return "", mesh.Session{}, fmt.Errorf("sign in: %w", err)
	}
	s.table.Add(secretOf(session))
	s.log.Info("owner signed in", "session", session.ID)
	return cookie, session, nil
}
