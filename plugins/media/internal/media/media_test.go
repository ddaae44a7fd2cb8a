package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// server is the plugin's handler behind a real socket, with its folder.
type server struct {
	*httptest.Server
	handler *Handler
	library string
	log     *bytes.Buffer
	stopped bool
}

func start(t *testing.T) *server {
	t.Helper()
	return startIn(t, t.TempDir())
}

func startIn(t *testing.T, dir string) *server {
	t.Helper()
	log := &bytes.Buffer{}
	h, err := New(t.Context(), environment(dir, log), Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: httptest.NewServer(h), handler: h, library: filepath.Join(dir, "library"), log: log}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	s.Close()
	if err := s.handler.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func environment(dir string, log io.Writer) sdk.Env {
	return sdk.Env{Logger: slog.New(slog.NewTextHandler(log, nil)), DataDir: dir, DeviceName: "NAS"}
}

// do sends a request; header holds names and values in turn.
func (s *server) do(t *testing.T, method, path string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Body.Close() })
	return w
}

func text(t *testing.T, w *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode[T any](t *testing.T, w *http.Response, status int) (v T) {
	t.Helper()
	body := text(t, w)
	if w.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", w.StatusCode, status, body)
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// wantError checks an error answer and that it says nothing technical.
func wantError(t *testing.T, w *http.Response, status int, code sdk.Kind, sentence string) {
	t.Helper()
	got := decode[sdk.ErrorBody](t, w, status)
	if got.Code != code || sentence != "" && got.Error != sentence {
		t.Errorf("answer is %+v, want code %q and %q", got, code, sentence)
	}
	if strings.ContainsAny(got.Error, "/\\{}") || strings.Contains(got.Error, "EOF") {
		t.Errorf("the sentence is technical: %q", got.Error)
	}
}

func (s *server) put(t *testing.T, name, content string, header ...string) itemBody {
	t.Helper()
	w := s.do(t, "POST", "/media/upload?filename="+url.QueryEscape(name), strings.NewReader(content), header...)
	return decode[uploadBody](t, w, http.StatusCreated).Items[0]
}

func (s *server) list(t *testing.T, query string) listBody {
	t.Helper()
	return decode[listBody](t, s.do(t, "GET", "/media"+query, nil), http.StatusOK)
}

// wantEmpty checks that nothing was left behind.
func (s *server) wantEmpty(t *testing.T) {
	t.Helper()
	if got := s.list(t, ""); len(got.Items) != 0 {
		t.Errorf("listed: %+v", got.Items)
	}
	s.wantFiles(t, 0)
}

func (s *server) wantFiles(t *testing.T, want int) {
	t.Helper()
	files, staged := folder(t, s.library)
	if len(files) != want || len(staged) != 0 {
		t.Errorf("files %q and staging files %q, want %d and none", files, staged, want)
	}
}

func folder(t *testing.T, library string) (files, staged []string) {
	t.Helper()
	err := filepath.Walk(library, func(path string, info os.FileInfo, err error) error {
		switch {
		case err != nil || info.IsDir():
			return err
		case filepath.Dir(path) == library:
			files = append(files, filepath.Base(path))
		default:
			staged = append(staged, filepath.Base(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, staged
}

func hashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// part is one part of a form.
type part struct {
	disposition string
	content     string
	header      [2]string
}

func filePart(name, content string) part {
	return part{disposition: fmt.Sprintf(`form-data; name="files"; filename="%s"`, name), content: content}
}

// formOf returns a form's body and its content type.
func formOf(t *testing.T, parts ...part) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		header := textproto.MIMEHeader{}
		if p.disposition != "" {
			header.Set("Content-Disposition", p.disposition)
		}
		if p.header[0] != "" {
			header.Set(p.header[0], p.header[1])
		}
		part, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func (s *server) postForm(t *testing.T, parts ...part) *http.Response {
	t.Helper()
	body, contentType := formOf(t, parts...)
	return s.do(t, "POST", "/media/upload", strings.NewReader(body), "Content-Type", contentType)
}

func big(n int) string { return strings.Repeat("0123456789abcdeF", n/16+1)[:n] }
