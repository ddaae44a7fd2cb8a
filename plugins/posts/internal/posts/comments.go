package posts

import (
	"net/http"

	"github.com/salita-mesh/salita/sdk"
)

func (h *Handler) createComment(w http.ResponseWriter, r *http.Request) error {
	post, err := pathID(r, "id")
	if err != nil {
		return err
	}
	author, err := h.author(r)
	if err != nil {
		return err
	}
	body, err := readText(w, r, commentLimit)
	if err != nil {
		return err
	}
	comment, err := h.store.AddComment(r.Context(), post, author, body)
	if err != nil {
		return err
	}
	h.log.Info("comment stored", "id", comment.ID, "post", post)
	h.publish(eventChanged, post)
	sdk.WriteJSON(w, http.StatusCreated, commentBodyOf(comment, author))
	return nil
}

func (h *Handler) listComments(w http.ResponseWriter, r *http.Request) error {
	post, err := pathID(r, "id")
	if err != nil {
		return err
	}
	page, err := parsePage(r.URL.RawQuery, "after")
	if err != nil {
		return err
	}
	comments, next, err := h.store.Comments(r.Context(), post, page.place, page.limit)
	if err != nil {
		return err
	}
	caller := sdk.Caller(r)
	items := make([]commentBody, len(comments))
	for i, c := range comments {
		items[i] = commentBodyOf(c, caller)
	}
	answer(w, listBody[commentBody]{Items: items, Next: orNull(next)})
	return nil
}

func (h *Handler) deleteComment(w http.ResponseWriter, r *http.Request) error {
	post, err := pathID(r, "id")
	if err != nil {
		return err
	}
	comment, err := pathID(r, "comment")
	if err != nil {
		return err
	}
	if err := h.store.RemoveComment(r.Context(), post, comment, sdk.Caller(r)); err != nil {
		return err
	}
	h.log.Info("comment removed", "id", comment, "post", post)
	h.publish(eventChanged, post)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
