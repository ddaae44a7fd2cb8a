package posts

import (
	"net/http"
	"time"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

// entryBody is what posts and comments have in common in answers. The text is
// plain: whoever puts it on a page must not take it for HTML.
type entryBody struct {
	ID        string     `json:"id"`
	Author    authorBody `json:"author"`
	Body      string     `json:"body"`
	CreatedAt time.Time  `json:"created_at"`
	CanDelete bool       `json:"can_delete"` // whether the caller may
}

// authorBody is who wrote an entry, by the name they had then. The ID is empty for
// the owner at this machine.
type authorBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type postBody struct {
	entryBody
	URL       string                 `json:"url"` // relative to the gateway
	Comments  int                    `json:"comment_count"`
	Reactions map[store.Reaction]int `json:"reactions"` // numbers by kind
	Reacted   []store.Reaction       `json:"reacted"`   // how the caller did
}

type commentBody struct{ entryBody }

// listBody is one page of a list. Next is null on the last.
type listBody[Item any] struct {
	Items []Item  `json:"items"`
	Next  *string `json:"next"`
}

func entryBodyOf(e store.Entry, caller sdk.CallerInfo) entryBody {
	return entryBody{
		ID:        e.ID,
		Author:    authorBody{ID: e.AuthorID, Name: e.AuthorName},
		Body:      e.Body,
		CreatedAt: e.CreatedAt,
		CanDelete: e.RemovableBy(caller),
	}
}

func postBodyOf(p store.Post, caller sdk.CallerInfo) postBody {
	return postBody{
		entryBody: entryBodyOf(p.Entry, caller),
		URL:       "/posts/" + p.ID,
		Comments:  p.Comments,
		Reactions: p.Reactions,
		Reacted:   append([]store.Reaction{}, p.Reacted...), // [] rather than null
	}
}

func commentBodyOf(c store.Comment, caller sdk.CallerInfo) commentBody {
	return commentBody{entryBodyOf(c.Entry, caller)}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// answer sends what may be different the next time, and for others.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "private, no-cache")
	sdk.WriteJSON(w, http.StatusOK, v)
}
