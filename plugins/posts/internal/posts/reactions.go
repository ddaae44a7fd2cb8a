package posts

import (
	"context"
	"net/http"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

func (h *Handler) putReaction(w http.ResponseWriter, r *http.Request) error {
	return h.changeReaction(w, r, h.store.React)
}

func (h *Handler) deleteReaction(w http.ResponseWriter, r *http.Request) error {
	return h.changeReaction(w, r, h.store.Unreact)
}

// changeReaction answers with the post as it is now, so that a page can show the
// new numbers without asking again.
func (h *Handler) changeReaction(w http.ResponseWriter, r *http.Request,
	change func(context.Context, string, store.Reaction, sdk.CallerInfo) (store.Post, error),
) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	caller, err := h.author(r)
	if err != nil {
		return err
	}
	kind := store.Reaction(r.PathValue("kind"))
	if !kind.Known() {
		return sdk.Errorf(sdk.Invalid, "There is no such reaction. Try like or heart.")
	}
	post, err := change(r.Context(), id, kind, caller)
	if err != nil {
		return err
	}
	h.publish(eventChanged, id)
	answer(w, postBodyOf(post, caller))
	return nil
}
