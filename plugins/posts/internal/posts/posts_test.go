package posts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

// The callers of these tests.
var (
	owner = sdk.CallerInfo{Owner: true}
	anna  = sdk.CallerInfo{DeviceID: "device-anna", Name: "Anna's Phone"}
	ben   = sdk.CallerInfo{DeviceID: "device-ben", Name: "Büro / Ben 🎉"}
)

// server is the plugin's handler behind a real socket.
type server struct {
	*httptest.Server
	handler *Handler
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
	h, err := New(t.Context(), environment(dir, log))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: httptest.NewServer(h), handler: h, log: log}
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

// do sends a request of a caller's, as the gateway passes it on.
func (s *server) do(t *testing.T, caller sdk.CallerInfo, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(sdk.HeaderCallerID, caller.DeviceID)
	r.Header.Set(sdk.HeaderCallerName, url.PathEscape(caller.Name))
	r.Header.Set(sdk.HeaderCallerKind, map[bool]string{true: "owner", false: "device"}[caller.Owner])
	w, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Body.Close() })
	return w
}

func decode[T any](t *testing.T, w *http.Response, status int) (v T) {
	t.Helper()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", w.StatusCode, status, body)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// wantError checks an error answer and that it says nothing technical.
func wantError(t *testing.T, w *http.Response, code sdk.Kind, sentence string) {
	t.Helper()
	got := decode[sdk.ErrorBody](t, w, code.HTTPStatus())
	if got.Code != code || sentence != "" && got.Error != sentence {
		t.Errorf("answer is %+v, want code %q and %q", got, code, sentence)
	}
	if strings.ContainsAny(got.Error, `/\{}"`) || strings.Contains(got.Error, "EOF") {
		t.Errorf("the sentence is technical: %q", got.Error)
	}
}

// jsonOf is the request for a text.
func jsonOf(text string) string {
	b, err := json.Marshal(map[string]string{"body": text})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s *server) post(t *testing.T, caller sdk.CallerInfo, text string) postBody {
	t.Helper()
	return decode[postBody](t, s.do(t, caller, "POST", "/posts", jsonOf(text)), http.StatusCreated)
}

func (s *server) comment(t *testing.T, caller sdk.CallerInfo, post, text string) commentBody {
	t.Helper()
	return decode[commentBody](t, s.do(t, caller, "POST", "/posts/"+post+"/comments", jsonOf(text)), http.StatusCreated)
}

func (s *server) list(t *testing.T, caller sdk.CallerInfo, query string) listBody[postBody] {
	t.Helper()
	return decode[listBody[postBody]](t, s.do(t, caller, "GET", "/posts"+query, ""), http.StatusOK)
}

func TestManifest(t *testing.T) {
	m := Plugin("1.2.3").Manifest
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	want := []sdk.Route{
		{Pattern: "POST /posts", Permission: "posts:create"},
		{Pattern: "GET /posts", Permission: "posts:read"},
		{Pattern: "GET /posts/{id}", Permission: "posts:read"},
		{Pattern: "DELETE /posts/{id}", Permission: "posts:create"},
		{Pattern: "POST /posts/{id}/comments", Permission: "posts:create"},
		{Pattern: "GET /posts/{id}/comments", Permission: "posts:read"},
		{Pattern: "DELETE /posts/{id}/comments/{comment}", Permission: "posts:create"},
		{Pattern: "PUT /posts/{id}/reactions/{kind}", Permission: "posts:create"},
		{Pattern: "DELETE /posts/{id}/reactions/{kind}", Permission: "posts:create"},
	}
	if diff := cmp.Diff(want, m.Routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sdk.Capability{{ID: "posts", Title: "Can post", Route: "POST /posts"}}, m.Capabilities); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
}

// TestPostAsJSON pins the answer's form: pages and scripts rely on it.
func TestPostAsJSON(t *testing.T) {
	s := start(t)
	w := s.do(t, ben, "POST", "/posts", `{"body":"  Hello <b>there</b>\r\n🎉 "}`)
	got, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p postBody
	if err := json.Unmarshal(got, &p); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"id":%q,"author":{"id":"device-ben","name":"Büro / Ben 🎉"},`+
		`"body":"Hello \u003cb\u003ethere\u003c/b\u003e\n🎉","created_at":%q,"can_delete":true,"url":"/posts/%s",`+
		`"comment_count":0,"reactions":{"heart":0,"like":0},"reacted":[]}`+"\n", p.ID, p.CreatedAt.Format(time.RFC3339Nano), p.ID)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("post (-want +got):\n%s", diff)
	}
	if w.StatusCode != http.StatusCreated || w.Header.Get("Location") != "/posts/"+p.ID {
		t.Errorf("status %d, Location %q", w.StatusCode, w.Header.Get("Location"))
	}
	again := decode[postBody](t, s.do(t, ben, "GET", p.URL, ""), http.StatusOK)
	if diff := cmp.Diff(p, again, cmp.AllowUnexported(postBody{})); diff != "" {
		t.Errorf("read again (-created +got):\n%s", diff)
	}
	empty := s.do(t, ben, "GET", p.URL+"/comments", "")
	if got, _ := io.ReadAll(empty.Body); string(got) != `{"items":[],"next":null}`+"\n" {
		t.Errorf("no comments are %s", got)
	}
}

func TestWhoWroteIt(t *testing.T) {
	s := start(t)
	tests := []struct {
		name   string
		caller sdk.CallerInfo
		want   authorBody
	}{
		{"a device", anna, authorBody{"device-anna", "Anna's Phone"}},
		{"the owner, in the device's name", owner, authorBody{"", "NAS"}},
		{"a name that is not fit to be shown", sdk.CallerInfo{DeviceID: "d", Name: "a\x00\n\u0085b" + strings.Repeat("c", 100)}, authorBody{"d", "a b" + strings.Repeat("c", 61)}},
		{"a device without a name", sdk.CallerInfo{DeviceID: "d"}, authorBody{"d", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.post(t, tt.caller, "text").Author; got != tt.want {
				t.Errorf("author is %+v, want %+v", got, tt.want)
			}
		})
	}
	// Who is not said to be anybody is not taken for the owner.
	wantError(t, s.do(t, sdk.CallerInfo{}, "POST", "/posts", jsonOf("text")), sdk.Forbidden, "")
	id := s.post(t, owner, "text").ID
	wantError(t, s.do(t, sdk.CallerInfo{}, "PUT", "/posts/"+id+"/reactions/like", ""), sdk.Forbidden, "")
	wantError(t, s.do(t, sdk.CallerInfo{}, "DELETE", "/posts/"+id, ""), sdk.Forbidden, "")
}

func TestDelete(t *testing.T) {
	s := start(t)
	post := s.post(t, anna, "text")
	comment := s.comment(t, ben, post.ID, "a comment")
	commentURL := post.URL + "/comments/" + comment.ID

	if got := s.list(t, ben, "").Items[0]; got.CanDelete {
		t.Error("Ben is offered to delete what Anna wrote")
	}
	wantError(t, s.do(t, ben, "DELETE", post.URL, ""), sdk.Forbidden, "Only who wrote it can delete it.")
	wantError(t, s.do(t, anna, "DELETE", commentURL, ""), sdk.Forbidden, "Only who wrote it can delete it.")
	for _, step := range []struct {
		caller sdk.CallerInfo
		url    string
	}{{ben, commentURL}, {anna, post.URL}} {
		if w := s.do(t, step.caller, "DELETE", step.url, ""); w.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE %s: status %d", step.url, w.StatusCode)
		}
		wantError(t, s.do(t, step.caller, "DELETE", step.url, ""), sdk.NotFound, "That isn't here.")
	}
	wantError(t, s.do(t, anna, "GET", post.URL, ""), sdk.NotFound, "")

	other := s.post(t, anna, "text")
	if got := s.list(t, owner, "").Items[0]; !got.CanDelete {
		t.Error("the owner is not offered to delete what is on their machine")
	}
	if w := s.do(t, owner, "DELETE", other.URL, ""); w.StatusCode != http.StatusNoContent {
		t.Errorf("the owner's DELETE: status %d", w.StatusCode)
	}
}

func TestReactions(t *testing.T) {
	s := start(t)
	url := s.post(t, anna, "text").URL
	s.do(t, anna, "PUT", url+"/reactions/like", "")
	for range 2 {
		got := decode[postBody](t, s.do(t, ben, "PUT", url+"/reactions/like", ""), http.StatusOK)
		if got.Reactions[store.Like] != 2 || got.Reactions[store.Heart] != 0 || !cmp.Equal(got.Reacted, []store.Reaction{store.Like}) {
			t.Errorf("after PUT: %+v", got)
		}
	}
	for range 2 {
		got := decode[postBody](t, s.do(t, ben, "DELETE", url+"/reactions/like", ""), http.StatusOK)
		if got.Reactions[store.Like] != 1 || len(got.Reacted) != 0 {
			t.Errorf("after DELETE: %+v", got)
		}
	}
	for _, kind := range []string{"smile", "Like", "like%20", "%00", "ł"} {
		for _, method := range []string{"PUT", "DELETE"} {
			wantError(t, s.do(t, ben, method, url+"/reactions/"+kind, ""), sdk.Invalid, "There is no such reaction. Try like or heart.")
		}
	}
	wantError(t, s.do(t, ben, "PUT", "/posts/0000000000000000/reactions/like", ""), sdk.NotFound, "")
}

func TestThereIsNoSuchEntry(t *testing.T) {
	s := start(t)
	post := s.post(t, anna, "text")
	for _, id := range []string{"0000000000000000", "x", "..%2f..", "%00", strings.Repeat("v", 16), strings.Repeat("a", 5000), post.ID + "0"} {
		wantError(t, s.do(t, anna, "GET", "/posts/"+id, ""), sdk.NotFound, "That isn't here.")
		wantError(t, s.do(t, anna, "DELETE", "/posts/"+id, ""), sdk.NotFound, "")
		wantError(t, s.do(t, anna, "GET", "/posts/"+id+"/comments", ""), sdk.NotFound, "")
		wantError(t, s.do(t, anna, "POST", "/posts/"+id+"/comments", jsonOf("text")), sdk.NotFound, "")
		wantError(t, s.do(t, anna, "DELETE", post.URL+"/comments/"+id, ""), sdk.NotFound, "")
	}
}

// TestLogHoldsNoTexts: what people write is between them.
func TestLogHoldsNoTexts(t *testing.T) {
	s := start(t)
	p := s.post(t, anna, "a secret wish")
	s.comment(t, anna, p.ID, "a secret wish")
	s.do(t, anna, "POST", "/posts", `{"body":"a secret wish","x":1}`)
	s.do(t, ben, "DELETE", p.URL, "")
	s.do(t, anna, "DELETE", p.URL, "")
	s.stop(t)
	log := s.log.String()
	if strings.Contains(log, "secret") || strings.Contains(log, "Anna") {
		t.Errorf("the log tells:\n%s", log)
	}
	for _, want := range []string{"post stored", "comment stored", "post removed", p.ID} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}
