package media

import (
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

const jpeg = "\xff\xd8\xff\xe0 0123456789"

func TestDownloadHeaders(t *testing.T) {
	s := start(t)
	tests := []struct {
		name, content, wantType, wantDisposition string
	}{
		{"a.jpg", jpeg, "image/jpeg", `inline; filename="a.jpg"; filename*=UTF-8''a.jpg`},
		{"Ärger 100%.jpg", jpeg, "image/jpeg", `inline; filename="_rger 100_.jpg"; filename*=UTF-8''%C3%84rger%20100%25.jpg`},
		{"page.html", "<html><script>alert(1)</script>", "application/octet-stream", `attachment; filename="page.html"; filename*=UTF-8''page.html`},
		{"photo.jpg", "<html><script>alert(1)</script>", "application/octet-stream", `attachment; filename="photo.jpg"; filename*=UTF-8''photo.jpg`},
		{"drawing.svg", `<svg onload="alert(1)"/>`, "application/octet-stream", `attachment; filename="drawing.svg"; filename*=UTF-8''drawing.svg`},
		{"code.js", "alert(1)", "application/octet-stream", `attachment; filename="code.js"; filename*=UTF-8''code.js`},
		{"paper.pdf", "%PDF-1.7", "application/pdf", `attachment; filename="paper.pdf"; filename*=UTF-8''paper.pdf`},
		{`a"; filename=evil.html; x="`, jpeg, "image/jpeg", `inline; filename="a_; filename=evil.html; x=_"; filename*=UTF-8''a%22%3B%20filename%3Devil.html%3B%20x%3D%22`},
	}
	for _, tt := range tests {
		item := s.put(t, tt.name, tt.content)
		for _, method := range []string{"GET", "HEAD"} {
			w := s.do(t, method, item.URL, nil)
			got := map[string]string{}
			for key := range w.Header {
				got[key] = w.Header.Get(key)
			}
			delete(got, "Date")
			want := map[string]string{
				"Accept-Ranges":                "bytes",
				"Cache-Control":                "private, no-cache",
				"Content-Disposition":          tt.wantDisposition,
				"Content-Length":               fmt.Sprint(len(tt.content)),
				"Content-Security-Policy":      sandbox,
				"Content-Type":                 tt.wantType,
				"Cross-Origin-Resource-Policy": "same-origin",
				"Etag":                         `"` + hashOf(tt.content) + `"`,
				"Last-Modified":                item.CreatedAt.Format(http.TimeFormat),
				"X-Content-Type-Options":       "nosniff",
			}
			if diff := cmp.Diff(want, got); diff != "" || w.StatusCode != http.StatusOK {
				t.Errorf("%s %s: status %d, header (-want +got):\n%s", method, tt.name, w.StatusCode, diff)
			}
			body := text(t, w)
			if method == "GET" && body != tt.content || method == "HEAD" && body != "" {
				t.Errorf("%s %s: body %q", method, tt.name, body)
			}
			if _, parameters, err := mime.ParseMediaType(got["Content-Disposition"]); err != nil || parameters["filename"] != tt.name {
				t.Errorf("name read back as %q, %v", parameters["filename"], err)
			}
		}
	}
}

func TestDownloadConditions(t *testing.T) {
	s := start(t)
	const content = "0123456789"
	item := s.put(t, "a.txt", content)
	etag := `"` + hashOf(content) + `"`
	tests := []struct {
		name   string
		header []string
		status int
		body   string
		ranged string
	}{
		{"first bytes", []string{"Range", "bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"open end", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"suffix", []string{"Range", "bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"suffix longer than the file", []string{"Range", "bytes=-99"}, 206, content, "bytes 0-9/10"},
		{"end past the file", []string{"Range", "bytes=5-99"}, 206, "56789", "bytes 5-9/10"},
		{"same version", []string{"If-None-Match", etag}, 304, "", ""},
		{"weak comparison", []string{"If-None-Match", "W/" + etag}, 304, "", ""},
		{"any version", []string{"If-None-Match", "*"}, 304, "", ""},
		{"another version", []string{"If-None-Match", `"x"`}, 200, content, ""},
		{"part of the same version", []string{"Range", "bytes=0-0", "If-Range", etag}, 206, "0", "bytes 0-0/10"},
		{"part of another version", []string{"Range", "bytes=0-0", "If-Range", `"x"`}, 200, content, ""},
		{"wanted version", []string{"If-Match", etag}, 200, content, ""},
		{"not modified since", []string{"If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, 304, "", ""},
	}
	for _, tt := range tests {
		w := s.do(t, "GET", item.URL, nil, tt.header...)
		if got := text(t, w); w.StatusCode != tt.status || got != tt.body || w.Header.Get("Content-Range") != tt.ranged {
			t.Errorf("%s: status %d, range %q, body %q", tt.name, w.StatusCode, w.Header.Get("Content-Range"), got)
		}
	}
	w := s.do(t, "GET", item.URL, nil, "Range", "bytes=10-")
	if got := w.Header.Get("Content-Range"); got != "bytes */10" || w.Header.Get("Etag") != "" {
		t.Errorf("header of 416: %v", w.Header)
	}
	wantError(t, w, http.StatusRequestedRangeNotSatisfiable, sdk.Invalid, "The file doesn't have that part.")
	wantError(t, s.do(t, "GET", item.URL, nil, "Range", "bytes=3-1"), http.StatusRequestedRangeNotSatisfiable, sdk.Invalid, "")
	wantError(t, s.do(t, "GET", item.URL, nil, "If-Match", `"x"`), http.StatusPreconditionFailed, sdk.Conflict, "")
	head := s.do(t, "HEAD", item.URL, nil, "Range", "bytes=2-4")
	if head.StatusCode != 206 || head.ContentLength != 3 || text(t, head) != "" {
		t.Errorf("HEAD of a part: %v", head)
	}
}

func TestDownloadOfSeveralParts(t *testing.T) {
	s := start(t)
	item := s.put(t, "a.txt", "0123456789")
	w := s.do(t, "GET", item.URL, nil, "Range", "bytes=0-1,-1")
	kind, parameters, err := mime.ParseMediaType(w.Header.Get("Content-Type"))
	if w.StatusCode != http.StatusPartialContent || kind != "multipart/byteranges" || err != nil {
		t.Fatalf("status %d, type %q, %v", w.StatusCode, kind, err)
	}
	parts := multipart.NewReader(w.Body, parameters["boundary"])
	for _, want := range []string{"bytes 0-1/10 01", "bytes 9-9/10 9"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content := make([]byte, 10)
		n, _ := p.Read(content)
		if got := p.Header.Get("Content-Range") + " " + string(content[:n]); got != want {
			t.Errorf("part = %q, want %q", got, want)
		}
	}
}

func TestEmptyFile(t *testing.T) {
	s := start(t)
	item := s.put(t, "empty.jpg", "")
	w := s.do(t, "GET", item.URL, nil)
	if got := text(t, w); got != "" || w.StatusCode != 200 || w.ContentLength != 0 {
		t.Errorf("%v, body %q", w, got)
	}
}

func TestUnknownItems(t *testing.T) {
	s := start(t)
	for _, id := range []string{
		"upload", "0", "%2e%2e%2fmedia.db", "00000000000000000000000000", strings.Repeat("v", 5000),
		"'%20OR%201=1", "%00", "a%2Fb", "0000000000000000000000000A",
	} {
		for _, method := range []string{"GET", "DELETE"} {
			wantError(t, s.do(t, method, "/media/"+id, nil), http.StatusNotFound, sdk.NotFound, "")
		}
		if w := s.do(t, "HEAD", "/media/"+id, nil); w.StatusCode != http.StatusNotFound {
			t.Errorf("HEAD %s: %d", id, w.StatusCode)
		}
	}
	wantError(t, s.do(t, "GET", "/elsewhere", nil), http.StatusNotFound, sdk.NotFound, "")
}

func TestDelete(t *testing.T) {
	s := start(t)
	item, other := s.put(t, "a.jpg", "a"), s.put(t, "b.jpg", "b")
	w := s.do(t, "DELETE", item.URL, nil)
	if body := text(t, w); w.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("status %d, body %q", w.StatusCode, body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		wantError(t, s.do(t, method, item.URL, nil), http.StatusNotFound, sdk.NotFound, "That file isn't here any more.")
	}
	if got := s.list(t, "").Items; len(got) != 1 || got[0].ID != other.ID {
		t.Errorf("listed: %+v", got)
	}
	s.wantFiles(t, 1)
}

func TestChangedFileIsNotServed(t *testing.T) {
	s := start(t)
	item := s.put(t, "a.jpg", jpeg)
	path := filepath.Join(s.library, "a.jpg")
	then := time.Now().Add(-time.Hour)
	if err := os.WriteFile(path, []byte(strings.ToUpper(jpeg[:4])+"other bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.do(t, "GET", item.URL, nil, "If-None-Match", `"x"`), http.StatusNotFound, sdk.NotFound, "")
	if got := s.list(t, "").Items; len(got) != 0 {
		t.Errorf("listed: %+v", got)
	}
}
