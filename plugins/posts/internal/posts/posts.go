package posts

import (
	"net/http"

	"github.com/salita-mesh/salita/sdk"
)

func (h *Handler) createPost(w http.ResponseWriter, r *http.Request) error {
	author, err := h.author(r)
	if err != nil {
		return err
	}
	body, err := readText(w, r, postLimit)
	if err != nil {
		return err
	}
	post, err := h.store.AddPost(r.Context(), author, body)
	if err != nil {
		return err
	}
	h.log.Info("post stored", "id", post.ID)
	h.publish(eventCreated, post.ID)
	answer := postBodyOf(post, author)
	w.Header().Set("Location", answer.URL)
	sdk.WriteJSON(w, http.StatusCreated, answer)
	return nil
}

func (h *Handler) listPosts(w http.ResponseWriter, r *http.Request) error {
	page, err := parsePage(r.URL.RawQuery, "before")
	if err != nil {
		return err
	}
	caller := sdk.Caller(r)
	posts, next, err := h.store.Posts(r.Context(), caller, page.place, page.limit)
	if err != nil {
		return err
	}
	items := make([]postBody, len(posts))
	for i, p := range posts {
		items[i] = postBodyOf(p, caller)
	}
	answer(w, listBody[postBody]{Items: items, Next: orNull(next)})
	return nil
}

func (h *Handler) getPost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	caller := sdk.Caller(r)
	post, err := h.store.Post(r.Context(), id, caller)
	if err != nil {
		return err
	}
	answer(w, postBodyOf(post, caller))
	return nil
}

func (h *Handler) deletePost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if err := h.store.RemovePost(r.Context(), id, sdk.Caller(r)); err != nil {
		return err
	}
	h.log.Info("post removed", "id", id)
	h.publish(eventDeleted, id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
