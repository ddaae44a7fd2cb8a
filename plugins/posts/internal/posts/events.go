package posts

import (
	"errors"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
)

// What the plugin tells everybody who watches this device. Events hold no text:
// whoever may read posts can ask for it.
const (
	eventCreated = "posts.created" // a post
	eventDeleted = "posts.deleted" // a post, with its comments and reactions
	eventChanged = "posts.changed" // a post's comments or reactions
)

// event names the post that it happened to.
type event struct {
	ID string `json:"id"`
}

func (h *Handler) publish(name, post string) { h.events.Publish(name, event{ID: post}) }

// noticeHealth has the gateway look at once when the drive or the file is in
// trouble, so that other devices do not go on trying.
func (h *Handler) noticeHealth(err error) {
	for _, trouble := range []error{store.ErrFull, store.ErrUnreachable, store.ErrDamaged, store.ErrMoved} {
		if errors.Is(err, trouble) {
			h.events.HealthChanged()
		}
	}
}
