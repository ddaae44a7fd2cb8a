package posts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/salita-mesh/salita/plugins/posts/internal/entryid"
	"github.com/salita-mesh/salita/plugins/posts/internal/text"
	"github.com/salita-mesh/salita/sdk"
)

func TestLengths(t *testing.T) {
	s := start(t)
	post := s.post(t, anna, "text")
	for _, tt := range []struct {
		path     string
		limit    int
		sentence string
	}{
		{"/posts", 2000, "A post can have at most 2,000 characters."},
		{post.URL + "/comments", 500, "A comment can have at most 500 characters."},
	} {
		for _, char := range []string{"x", "é", "🎉", "ab"} {
			full := strings.Repeat(char, tt.limit/utf8.RuneCountInString(char))
			for _, text := range []string{full, "  " + full + "\r\n", "\x00" + full} {
				got := decode[map[string]any](t, s.do(t, anna, "POST", tt.path, jsonOf(text)), http.StatusCreated)
				if got["body"] != strings.TrimSpace(full) {
					t.Errorf("%d times %q was not kept as it was", tt.limit, char)
				}
			}
			wantError(t, s.do(t, anna, "POST", tt.path, jsonOf(full+"x")), sdk.TooLarge, tt.sentence)
		}
		wantError(t, s.do(t, anna, "POST", tt.path, jsonOf(strings.Repeat("x", 1<<20))), sdk.TooLarge, tt.sentence)
		// The longest spelling of the longest text.
		spelled := `{"body":"` + strings.Repeat(`\ud83c\udf89`, tt.limit) + `"}`
		decode[map[string]any](t, s.do(t, anna, "POST", tt.path, spelled), http.StatusCreated)
		wantError(t, s.do(t, anna, "POST", tt.path, `{"body":"\u0000 \u200b\n"}`), sdk.Invalid, "")
	}
	wantError(t, s.do(t, anna, "POST", "/posts", jsonOf(" \n ")), sdk.Invalid, "The post is empty.")
}

func TestBodiesThatAreRefused(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		"", "null", "{}", "[]", `"text"`, `{"body":null}`, `{"body":1}`, `{"body":["a"]}`, `{"body":{}}`,
		`{"body":"a","author":"Anna"}`, `{"body":"a"}{"body":"b"}`, `{"body":"a"} x`, `{"body":"a"`, `{"body":"a",}`,
		`{'body':'a'}`, "{\"body\":\"a\nb\"}", "{\"body\":\"\xff\"}", "\xef\xbb\xbf{\"body\":\"a\"}", "body=a",
		`{"text":"a"}`, strings.Repeat("[", 60_000), `{"body":"a","x":` + strings.Repeat("[", 30_000),
	} {
		wantError(t, s.do(t, anna, "POST", "/posts", body), sdk.Invalid, "")
	}
	if got := s.list(t, anna, "").Items; len(got) != 0 {
		t.Errorf("stored: %+v", got)
	}
}

// TestTextIsKeptAsGiven: nothing is taken for markup, and direction marks stay.
func TestTextIsKeptAsGiven(t *testing.T) {
	s := start(t)
	for _, text := range []string{
		`<script>alert("x")</script>`, "&amp; &lt;", "'; DROP TABLE posts; --", `\u0041 %41 \n`, "{{.}} ${x}",
		"\u202eright to left\u202c", "שלום \u2067x\u2069", "a\u2028b", "👨‍👩‍👧‍👦", "tab\there\n\nand lines", "\ufffd", "e\u0301",
	} {
		p := s.post(t, anna, text)
		if got := s.list(t, anna, "?limit=1").Items[0]; p.Body != text || got.Body != text {
			t.Errorf("%q became %q and %q", text, p.Body, got.Body)
		}
	}
}

func TestPaging(t *testing.T) {
	s := start(t)
	post := s.post(t, anna, "text")
	var posts, comments []string
	for n := range 52 {
		posts = append(posts, s.post(t, anna, fmt.Sprint(n)).ID)
		comments = append(comments, s.comment(t, anna, post.ID, fmt.Sprint(n)).ID)
	}
	posts = append([]string{post.ID}, posts...)
	slices.Reverse(posts)
	for _, tt := range []struct {
		path, place string
		want        []string
	}{
		{"/posts", "before", posts},
		{post.URL + "/comments", "after", comments},
	} {
		for _, limit := range []string{"", "limit=1", "limit=50", "limit=200", "limit=7&x=y"} {
			var got []string
			query, pages := limit, 0
			for ; ; pages++ {
				page := decode[listBody[map[string]any]](t, s.do(t, anna, "GET", tt.path+"?"+query, ""), http.StatusOK)
				for _, item := range page.Items {
					got = append(got, item["id"].(string))
				}
				if page.Next == nil {
					break
				}
				query = limit + "&" + tt.place + "=" + *page.Next
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s?%s: got %q, want %q", tt.path, limit, got, tt.want)
			}
			if limit == "" && pages != 1 {
				t.Errorf("%s: by default %d pages after the first, want 1", tt.path, pages)
			}
		}
		for _, query := range []string{
			"limit=0", "limit=-1", "limit=201", "limit=1e2", "limit=+5", "limit=05", "limit=", "limit=%20", "limit=5%205",
			"limit=99999999999999999999", "limit=1&limit=2", "limit=0x10", "limit=%", "a;b",
			"X=x", "X=..", "X=" + strings.Repeat("v", 17), "X=000000000000000A", "X=0000000000000000&X=0000000000000000", "X=%00",
		} {
			query = strings.ReplaceAll(query, "X=", tt.place+"=")
			wantError(t, s.do(t, anna, "GET", tt.path+"?"+query, ""), sdk.Invalid, "")
		}
	}
}

func FuzzParseBody(f *testing.F) {
	for _, seed := range []string{
		`{"body":"text"}`, `{"body":"\ud83c\udf89 \u0000"}`, `{"body":null}`, `{"body":"a"}x`, `{"BODY":"a","body":"b"}`, "{\"body\":\"\xff\"}", `{"body":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := parseBody(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) || !utf8.ValidString(body) {
			t.Errorf("parseBody(%q) = %q", raw, body)
		}
		if again, err := parseBody([]byte(jsonOf(text.Clean(body)))); err != nil || again != text.Clean(body) {
			t.Errorf("%q comes back as %q (%v)", text.Clean(body), again, err)
		}
	})
}

func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{"", "limit=50", "before=0000000000000000&limit=1", "limit=%31", "a;b", "limit=1&limit=2", "&&&="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p, err := parsePage(query, "before")
		if err != nil {
			if sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("parsePage(%q) = %v", query, err)
			}
			return
		}
		if p.limit < 1 || p.limit > maxPage || p.place != "" && !entryid.Valid(p.place) {
			t.Errorf("parsePage(%q) = %+v", query, p)
		}
	})
}
