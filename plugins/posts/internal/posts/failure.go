package posts

import (
	"errors"
	"net/http"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

// explain gives an error of the store the sentence that a person can act on. nil
// stays nil, and what has a sentence or is unforeseen passes.
func (h *Handler) explain(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return (&sdk.Error{Kind: sdk.NotFound}).Because(err)
	case errors.Is(err, store.ErrNotYours):
		return sdk.Errorf(sdk.Forbidden, "Only who wrote it can delete it.").Because(err)
	case errors.Is(err, store.ErrFull):
		return sdk.Errorf(sdk.NoSpace, "%s doesn't have enough space.", h.device).Because(err)
	case errors.Is(err, store.ErrUnreachable):
		e := sdk.Errorf(sdk.PluginUnavailable, "%s can't keep posts right now.", h.device)
		e.Hint = "Check that its disk is connected and not write-protected."
		return e.Because(err)
	case errors.Is(err, store.ErrDamaged):
		e := sdk.Errorf(sdk.Internal, "The posts on %s are damaged. Nothing was deleted.", h.device)
		e.Hint = "Restore them from a backup, or move the file posts.db away to begin anew."
		return e.Because(err)
	case errors.Is(err, store.ErrMoved):
		e := sdk.Errorf(sdk.PluginUnavailable, "Someone moved or deleted the posts on %s.", h.device)
		e.Hint = "Put the file posts.db back, or restart Salita to begin anew."
		return e.Because(err)
	case errors.Is(err, store.ErrNewer):
		e := sdk.Errorf(sdk.Conflict, "The posts on %s were written by a newer version of Salita.", h.device)
		e.Hint = "Install that version again."
		return e.Because(err)
	}
	return err
}

// fail answers with an error. Where the caller has hung up, an unforeseen one is
// nothing but that, and needs no answer and no alarm.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.noticeHealth(err)
	err = h.explain(err)
	if r.Context().Err() != nil && sdk.KindOf(err) == sdk.Internal {
		h.log.Info("request given up", "method", r.Method, "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // returning would be an empty 200
	}
	sdk.WriteError(w, r, h.log, err)
}
