package media

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/plugins/media/internal/itemid"
	"github.com/salita-mesh/salita/sdk"
)

func TestList(t *testing.T) {
	s := start(t)
	if got := text(t, s.do(t, "GET", "/media", nil)); got != `{"items":[],"next":null}`+"\n" {
		t.Errorf("empty list: %s", got)
	}
	var want []string
	for n := range 7 {
		name := fmt.Sprintf("%d.jpg", n)
		s.put(t, name, name)
		want = append([]string{name}, want...)
	}
	for _, limit := range []int{1, 2, 3, 6, 7, 8, 200} {
		var got []string
		query := fmt.Sprintf("?limit=%d", limit)
		for page := 0; ; page++ {
			body := s.list(t, query)
			for _, i := range body.Items {
				got = append(got, i.Name)
			}
			if len(body.Items) > limit || page > 8 {
				t.Fatalf("limit %d: page %d has %d items", limit, page, len(body.Items))
			}
			if body.Next == nil {
				break
			}
			query = fmt.Sprintf("?limit=%d&before=%s", limit, *body.Next)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	all := s.list(t, "?before=").Items
	if diff := cmp.Diff(all, s.list(t, "").Items, cmp.AllowUnexported(itemBody{})); diff != "" || len(all) != 7 {
		t.Errorf("an empty cursor is not the first page:\n%s", diff)
	}
	// The cursor outlives its item.
	s.do(t, "DELETE", all[2].URL, nil)
	if got := s.list(t, "?before="+all[2].ID).Items; len(got) != 4 || got[0].ID != all[3].ID {
		t.Errorf("after the cursor's item was removed: %+v", got)
	}
}

func TestListHasAtMostFiftyByDefault(t *testing.T) {
	s := start(t)
	parts := make([]part, 51)
	for i := range parts {
		parts[i] = filePart("image.jpg", "x")
	}
	decode[uploadBody](t, s.postForm(t, parts...), http.StatusCreated)
	body := s.list(t, "")
	if len(body.Items) != 50 || body.Next == nil {
		t.Errorf("%d items, next %v", len(body.Items), body.Next)
	}
}

func TestListRefuses(t *testing.T) {
	s := start(t)
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=201", "limit=1e2", "limit=+5", "limit=05", "limit=", "limit=%20", "limit=5%205",
		"limit=99999999999999999999", "limit=1&limit=2", "limit=0x10",
		"before=x", "before=..", "before=" + strings.Repeat("v", 26), "before=0000000000000000000000000A",
		"before=00000000000000000000000000&before=00000000000000000000000000", "before=%00", "limit=%", "a;b",
	} {
		wantError(t, s.do(t, "GET", "/media?"+query, nil), http.StatusBadRequest, sdk.Invalid, "")
	}
}

func FuzzParsePage(f *testing.F) {
	for _, seed := range []string{"", "limit=50", "before=00000000000000000000000000&limit=1", "limit=%31", "a;b", "limit=1&limit=2", "&&&="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p, err := parsePage(query)
		if err != nil {
			if sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("parsePage(%q) = %v", query, err)
			}
			return
		}
		if p.limit < 1 || p.limit > maxLimit || p.before != "" && !itemid.Valid(p.before) {
			t.Errorf("parsePage(%q) = %+v", query, p)
		}
	})
}
