package media

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// handover is a server that can send files by itself, as those on a socket can.
type handover struct {
	*httptest.ResponseRecorder
	sent []io.Reader
}

func (h *handover) ReadFrom(src io.Reader) (int64, error) {
	h.sent = append(h.sent, src)
	return io.Copy(h.ResponseRecorder, src)
}

// TestFilesAreSentByTheServer: the file itself has to reach the server, or it
// would be copied in small pieces.
func TestFilesAreSentByTheServer(t *testing.T) {
	s := start(t)
	item := s.put(t, "a.mov", big(100_000))
	w := &handover{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequestWithContext(t.Context(), "GET", item.URL, nil)
	r.Header.Set("Range", "bytes=10-")
	s.handler.ServeHTTP(w, r)
	if len(w.sent) != 1 || w.Code != http.StatusPartialContent || w.Body.Len() != 99_990 {
		t.Fatalf("status %d, %d bytes in %d pieces", w.Code, w.Body.Len(), len(w.sent))
	}
	piece, ok := w.sent[0].(*io.LimitedReader)
	if !ok {
		t.Fatalf("the server got a %T", w.sent[0])
	}
	if _, ok := piece.R.(*os.File); !ok {
		t.Errorf("the server got a %T", piece.R)
	}
}
