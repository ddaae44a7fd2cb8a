package media

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/plugins/media/internal/itemid"
	"github.com/salita-mesh/salita/sdk"
)

func TestRawUpload(t *testing.T) {
	s := start(t)
	for _, content := range []string{"", "x", "\xff\xd8\xff photo", big(3 << 20)} {
		name := fmt.Sprintf("Ferien & Meer %d é.jpg", len(content))
		w := s.do(t, "POST", "/media/upload?filename="+url.QueryEscape(name), strings.NewReader(content),
			"Content-Type", "application/x-www-form-urlencoded") // as curl --data-binary sends it
		got := decode[uploadBody](t, w, http.StatusCreated)
		item := got.Items[0]
		if item.Name != name || item.Size != int64(len(content)) || item.SHA256 != hashOf(content) || !itemid.Valid(item.ID) {
			t.Errorf("item = %+v", item)
		}
		if got.URL != "/media/"+item.ID || item.URL != got.URL || w.Header.Get("Location") != got.URL || got.ThumbnailURL != nil {
			t.Errorf("links = %+v, Location %q", got.links, w.Header.Get("Location"))
		}
		if back := text(t, s.do(t, "GET", item.URL, nil)); back != content {
			t.Errorf("%d bytes came back as %d", len(content), len(back))
		}
	}
	s.wantFiles(t, 4)
	if log := s.log.String(); !strings.Contains(log, "file stored") || !strings.Contains(log, "size=3145728") || !strings.Contains(log, "duration=") || strings.Contains(log, "Ferien") {
		t.Errorf("log: %s", log)
	}
}

func TestAnswerOfAnUpload(t *testing.T) {
	s := start(t)
	w := s.postForm(t, filePart("a.gif", "GIF89a"), filePart("b.txt", "b"))
	body := text(t, w)
	items := s.list(t, "").Items
	b, a := items[0], items[1]
	when := func(i itemBody) string { return i.CreatedAt.Format("2006-01-02T15:04:05.999Z07:00") }
	want := fmt.Sprintf(`{"url":"/media/%s","thumbnail_url":null,"items":[`+
		`{"id":"%s","name":"a.gif","size":6,"sha256":"%s","type":"image/gif","created_at":"%s","url":"/media/%s","thumbnail_url":null},`+
		`{"id":"%s","name":"b.txt","size":1,"sha256":"%s","type":"application/octet-stream","created_at":"%s","url":"/media/%s","thumbnail_url":null}]}`+"\n",
		a.ID, a.ID, hashOf("GIF89a"), when(a), a.ID, b.ID, hashOf("b"), when(b), b.ID)
	if diff := cmp.Diff(want, body); diff != "" || w.StatusCode != http.StatusCreated {
		t.Errorf("status %d, body (-want +got):\n%s", w.StatusCode, diff)
	}
	if since := time.Since(a.CreatedAt); since < 0 || since > time.Minute || a.CreatedAt.Location() != time.UTC {
		t.Errorf("created at %v", a.CreatedAt)
	}
}

func TestFormUpload(t *testing.T) {
	s := start(t)
	large := big(2<<20 + 3)
	w := s.postForm(t,
		part{disposition: `form-data; name="album"`, content: "Ferien"},
		filePart("a.jpg", "first"),
		part{disposition: `form-data; name="x"; filename*=UTF-8''%e2%98%83.jpg`, content: ""},
		part{disposition: `form-data; name="x"; filename="sn.jpg"; filename*=UTF-8''sn%c3%b6.jpg`, content: "both"},
		filePart("写真.heic", large),
		part{disposition: `form-data; name="x"; filename="say \"hi\".jpg"`, content: "quoted"},
		part{disposition: `form-data; filename="qp.txt"`, content: "a=3Db", header: [2]string{"Content-Transfer-Encoding", "quoted-printable"}},
	)
	var got []string
	for _, i := range decode[uploadBody](t, w, http.StatusCreated).Items {
		got = append(got, i.Name+" "+i.SHA256[:8])
	}
	want := []string{
		"a.jpg " + hashOf("first")[:8], "☃.jpg " + hashOf("")[:8], "snö.jpg " + hashOf("both")[:8],
		"写真.heic " + hashOf(large)[:8], `say "hi".jpg ` + hashOf("quoted")[:8], "qp.txt " + hashOf("a=3Db")[:8],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	files, _ := folder(t, s.library)
	if diff := cmp.Diff([]string{"a.jpg", "qp.txt", "say _hi_.jpg", "snö.jpg", "☃.jpg", "写真.heic"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestRefusedUploads(t *testing.T) {
	s := start(t)
	form, formType := formOf(t, filePart("a.jpg", "a"))
	twoFiles, twoType := formOf(t, filePart("a.jpg", "a"), filePart("b.jpg", "b"))
	noFile, noFileType := formOf(t, part{disposition: `form-data; name="a"`, content: "b"})
	longField, longFieldType := formOf(t, part{disposition: `form-data; name="a"`, content: big(100_000)}, filePart("a.jpg", "a"))
	longHead, longHeadType := formOf(t, part{disposition: `form-data; filename="a"`, header: [2]string{"X-Long", big(1 << 20)}})
	unnamed, unnamedType := formOf(t, part{content: "a"})
	badSum, badSumType := formOf(t, part{disposition: `form-data; filename="a"`, content: "a", header: [2]string{HeaderSHA256, "zz"}})
	wrongSum, wrongSumType := formOf(t, filePart("ok.jpg", "a"), part{disposition: `form-data; filename="a"`, content: "a", header: [2]string{HeaderSHA256, hashOf("b")}})
	crowd := make([]part, maxParts+1)
	for i := range crowd {
		crowd[i] = part{disposition: `form-data; name="a"`}
	}
	many, manyType := formOf(t, crowd...)
	tests := []struct {
		name, query, body string
		header            []string
		status            int
		code              sdk.Kind
		sentence          string
	}{
		{"no name", "", "x", nil, 400, sdk.Invalid, "The file has no name."},
		{"empty name", "?filename=", "x", nil, 400, sdk.Invalid, "The file has no name."},
		{"two names", "?filename=a&filename=b", "x", nil, 400, sdk.Invalid, `"filename" is given more than once.`},
		{"long name", "?filename=" + strings.Repeat("a", 5000), "x", nil, 400, sdk.Invalid, "That file name is too long."},
		{"path", "?filename=..%2f..%2fetc%2fpasswd", "x", nil, 400, sdk.Invalid, "A file name can't contain a slash."},
		{"control character", "?filename=a%00.jpg", "x", nil, 400, sdk.Invalid, ""},
		{"not UTF-8", "?filename=a%ff.jpg", "x", nil, 400, sdk.Invalid, ""},
		{"broken query", "?filename=%zz", "x", nil, 400, sdk.Invalid, ""},
		{"compressed", "?filename=a", "x", []string{"Content-Encoding", "gzip"}, 415, sdk.Unsupported, ""},
		{"checksum is none", "?filename=a", "x", []string{HeaderSHA256, "abc"}, 400, sdk.Invalid, ""},
		{"checksum differs", "?filename=a", "x", []string{HeaderSHA256, hashOf("y")}, 409, sdk.Conflict, "The file changed on the way."},
		{"form without boundary", "", form, []string{"Content-Type", "multipart/form-data"}, 400, sdk.Invalid, ""},
		{"form with another boundary", "", form, []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, sdk.Invalid, ""},
		{"form without end", "", form[:len(form)-8], []string{"Content-Type", formType}, 400, sdk.Invalid, "The file didn't arrive whole."},
		{"form that stops in a file", "", twoFiles[:len(twoFiles)/2], []string{"Content-Type", twoType}, 400, sdk.Invalid, ""},
		{"form with a long end", "", form + big(100_000), []string{"Content-Type", formType}, 400, sdk.Invalid, ""},
		{"form without a file", "", noFile, []string{"Content-Type", noFileType}, 400, sdk.Invalid, "There is no file in that form."},
		{"form with a long field", "", longField, []string{"Content-Type", longFieldType}, 400, sdk.Invalid, "That form contains something too long."},
		{"form with a long header", "", longHead, []string{"Content-Type", longHeadType}, 400, sdk.Invalid, "That form contains something too long."},
		{"form part without a name", "", unnamed, []string{"Content-Type", unnamedType}, 400, sdk.Invalid, ""},
		{"form with too many parts", "", many, []string{"Content-Type", manyType}, 413, sdk.TooLarge, ""},
		{"empty form", "", "", []string{"Content-Type", formType}, 400, sdk.Invalid, ""},
		{"one checksum for two files", "", twoFiles, []string{"Content-Type", twoType, HeaderSHA256, hashOf("a")}, 400, sdk.Invalid, ""},
		{"form whose file differs", "", form, []string{"Content-Type", formType, HeaderSHA256, hashOf("b")}, 409, sdk.Conflict, "The file changed on the way."},
		{"part whose file differs", "", wrongSum, []string{"Content-Type", wrongSumType}, 409, sdk.Conflict, "The file changed on the way."},
		{"part whose checksum is none", "", badSum, []string{"Content-Type", badSumType}, 400, sdk.Invalid, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := s.do(t, "POST", "/media/upload"+tt.query, strings.NewReader(tt.body), tt.header...)
			wantError(t, w, tt.status, tt.code, tt.sentence)
			s.wantEmpty(t)
		})
	}
}

// TestRefusedFileNames sends names that clean-up code likes to hide.
func TestRefusedFileNames(t *testing.T) {
	s := start(t)
	for disposition, sentence := range map[string]string{
		`form-data; filename=""`:                            "The file has no name.",
		`form-data; filename="."`:                           "That isn't a file name.",
		`form-data; filename=".."`:                          "That isn't a file name.",
		`form-data; filename="../a.jpg"`:                    "A file name can't contain a slash.",
		`form-data; filename="/etc/passwd"`:                 "A file name can't contain a slash.",
		`form-data; filename="C:\Users\a.jpg"`:              "A file name can't contain a slash.",
		`form-data; filename="a\\b.jpg"`:                    "A file name can't contain a slash.",
		`form-data; filename*=UTF-8''..%2Fa.jpg`:            "A file name can't contain a slash.",
		`form-data; filename*=UTF-8''a%00.jpg`:              "That file name contains characters that can't be shown.",
		`form-data; filename*=UTF-8''a%ff.jpg`:              "That file name isn't valid text.",
		"form-data; filename=\"a\xff.jpg\"":                 "That file name isn't valid text.",
		`form-data; filename="` + big(5000) + `"`:           "That file name is too long.",
		`form-data; filename="a.jpg"; filename="b.jpg"`:     "The form can't be understood.",
		`form-data; filename="a.jpg`:                        "The form can't be understood.",
		`attachment; filename="a.jpg"`:                      "The form can't be understood.",
		`form-data; filename="good.jpg"; name="../../evil"`: "",
	} {
		w := s.postForm(t, filePart("first.jpg", "good"), part{disposition: disposition, content: "x"})
		if sentence == "" {
			decode[uploadBody](t, w, http.StatusCreated)
			s.wantFiles(t, 2)
			continue
		}
		wantError(t, w, http.StatusBadRequest, sdk.Invalid, sentence)
	}
	s.wantFiles(t, 2)
}

func TestChecksumAgrees(t *testing.T) {
	s := start(t)
	s.put(t, "a", "content", HeaderSHA256, strings.ToUpper(hashOf("content")))
	body, contentType := formOf(t, part{disposition: `form-data; filename="b"`, content: "x", header: [2]string{HeaderSHA256, hashOf("x")}})
	w := s.do(t, "POST", "/media/upload", strings.NewReader(body), "Content-Type", contentType, HeaderSHA256, hashOf("x"))
	decode[uploadBody](t, w, http.StatusCreated)
	s.wantFiles(t, 2)
}

func TestDigestFields(t *testing.T) {
	s := start(t)
	good := digestOf("content")
	for _, header := range [][]string{
		{"Content-Digest", good},
		{"Repr-Digest", "sha-512=:AAAA:, " + good + ";a=b"},
		{"Content-Digest", digestOf("other") + ", " + good},
		{"Content-Digest", "md5=:AAAA:"},
		{"Content-Digest", "", "Repr-Digest", good},
	} {
		s.put(t, "a", "content", header...)
	}
	post := func(header ...string) *http.Response {
		return s.do(t, "POST", "/media/upload?filename=a", strings.NewReader("content"), header...)
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		wantError(t, post(name, digestOf("other")), http.StatusConflict, sdk.Conflict, "The file changed on the way.")
		for _, value := range []string{"sha-256=abc", "sha-256", "sha-256=:AAAA:", "sha-256=:%%%:", "sha-256=" + good[9:len(good)-1]} {
			wantError(t, post(name, value), http.StatusBadRequest, sdk.Invalid, "The file's checksum can't be understood.")
		}
	}
	// That of a form is not that of the file in it.
	body, contentType := formOf(t, filePart("a", "x"))
	w := s.do(t, "POST", "/media/upload", strings.NewReader(body), "Content-Type", contentType, "Content-Digest", digestOf(body))
	decode[uploadBody](t, w, http.StatusCreated)
	s.wantFiles(t, 6)
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func FuzzDigestField(f *testing.F) {
	for _, seed := range []string{digestOf("x"), "sha-256=:", "sha-256=::", ",,", "sha-256=:AAAA:;x", "a=b,sha-256"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		sum, err := digestField([]string{value})
		if err != nil && sdk.KindOf(err) != sdk.Invalid || err == nil && sum != "" && len(sum) != 64 {
			t.Errorf("digestField(%q) = %q, %v", value, sum, err)
		}
	})
}

func TestChunkedUpload(t *testing.T) {
	s := start(t)
	content := big(1 << 20)
	// A reader of unknown length makes the client send chunks.
	w := s.do(t, "POST", "/media/upload?filename=a.mov", io.MultiReader(strings.NewReader(content)))
	if got := decode[uploadBody](t, w, http.StatusCreated).Items[0]; got.SHA256 != hashOf(content) {
		t.Errorf("item = %+v", got)
	}
}

func TestSameNamesAtOnce(t *testing.T) {
	s := start(t)
	var wg sync.WaitGroup
	for n := range 12 {
		wg.Go(func() {
			content := fmt.Sprintf("photo %d", n)
			item := s.put(t, "image.jpg", content)
			if back := text(t, s.do(t, "GET", item.URL, nil)); back != content || item.Name != "image.jpg" {
				t.Errorf("%q came back as %q, named %q", content, back, item.Name)
			}
		})
	}
	wg.Wait()
	s.wantFiles(t, 12)
}

func TestUploadIsLargerThanTheDrive(t *testing.T) {
	s := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/media/upload?filename=a.mov", unread{t})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 1 << 60
	r.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	w, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	wantError(t, w, http.StatusInsufficientStorage, sdk.NoSpace, "NAS doesn't have enough space (needs 1152921.5 TB).")
	s.wantEmpty(t)
}

// unread is a body that must not be asked for.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read although there is no room for it")
	return 0, io.EOF
}

func TestLibraryPathIsNotShown(t *testing.T) {
	s := start(t)
	item := s.put(t, "a.jpg", "a")
	if err := chmodAway(s.library); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*http.Response{
		s.do(t, "GET", item.URL, nil), s.do(t, "GET", "/media", nil), s.do(t, "DELETE", item.URL, nil),
		s.do(t, "POST", "/media/upload?filename=b", strings.NewReader("b")),
	} {
		wantError(t, w, http.StatusServiceUnavailable, sdk.PluginUnavailable, "NAS can't reach its media folder.")
	}
	if !strings.Contains(s.log.String(), filepath.Base(s.library)) {
		t.Errorf("the cause is not in the log: %s", s.log)
	}
	if err := s.handler.CheckHealth(t.Context()); sdk.KindOf(err) != sdk.PluginUnavailable {
		t.Errorf("CheckHealth() = %v", err)
	}
}
