package media

import (
	"io"
	"net/http"

	"github.com/salita-mesh/salita/plugins/media/internal/mediatype"
	"github.com/salita-mesh/salita/sdk"
)

// sandbox keeps whatever a browser makes of a stored file from running scripts
// or reaching the dashboard, should it be opened on its own.
const sandbox = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"

func (h *Handler) download(w http.ResponseWriter, r *http.Request) error {
	id, err := itemID(r)
	if err != nil {
		return err
	}
	item, file, err := h.library.Open(r.Context(), id)
	if err != nil {
		return err
	}
	defer file.Close()
	disposition := "attachment"
	if mediatype.Inline(item.Type) {
		disposition = "inline"
	}
	header := w.Header()
	header.Set("Content-Type", item.Type)
	header.Set("Content-Disposition", contentDisposition(disposition, item.Name))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", sandbox)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Kept by the browser, but asked for each time: access may have ended.
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Etag", `"`+item.SHA256+`"`)
	out := &contentWriter{ResponseWriter: w}
	http.ServeContent(out, r, "", item.CreatedAt, file)
	return out.refusal()
}

// contentWriter passes ServeContent's answer on, but not its own error texts.
type contentWriter struct {
	http.ResponseWriter
	refused int // status of the error answer held back; 0: none
}

var _ io.ReaderFrom = (*contentWriter)(nil)

// WriteHeader holds the status of an error back.
func (w *contentWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write drops the text of an error.
func (w *contentWriter) Write(p []byte) (int, error) {
	if w.refused != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the server send the file in its own way, which may be without
// copying it.
func (w *contentWriter) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(w.ResponseWriter, src)
}

// refusal is the error to answer with in place of the one held back.
func (w *contentWriter) refusal() error {
	if w.refused == 0 {
		return nil
	}
	header := w.Header()
	header.Del("Content-Disposition")
	header.Del("Etag")
	header.Del("Last-Modified")
	switch w.refused {
	case http.StatusRequestedRangeNotSatisfiable:
		return &sdk.Error{Kind: sdk.Invalid, Message: "The file doesn't have that part.", Status: w.refused}
	case http.StatusPreconditionFailed:
		return &sdk.Error{Kind: sdk.Conflict, Message: "The file isn't the one you asked for.", Status: w.refused}
	}
	return &sdk.Error{Kind: sdk.Internal}
}
