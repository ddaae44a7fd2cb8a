package media

import (
	"time"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// itemBody is an item in an answer.
type itemBody struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"` // bytes
	SHA256    string    `json:"sha256"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	links
}

// links are relative to the gateway. There are no thumbnails yet.
type links struct {
	URL          string  `json:"url"`
	ThumbnailURL *string `json:"thumbnail_url"`
}

// uploadBody answers an upload; its own links are those of the first file.
type uploadBody struct {
	links
	Items []itemBody `json:"items"`
}

// listBody answers a list; Next is what to pass as "before" for the next page.
type listBody struct {
	Items []itemBody `json:"items"`
	Next  *string    `json:"next"`
}

func bodiesOf(items []index.Item) []itemBody {
	bodies := make([]itemBody, len(items))
	for i, item := range items {
		bodies[i] = itemBody{
			ID:        item.ID,
			Name:      item.Name,
			Size:      item.Size,
			SHA256:    item.SHA256,
			Type:      item.Type,
			CreatedAt: item.CreatedAt,
			links:     links{URL: "/media/" + item.ID},
		}
	}
	return bodies
}
