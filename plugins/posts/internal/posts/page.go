package posts

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/salita-mesh/salita/plugins/posts/internal/entryid"
	"github.com/salita-mesh/salita/sdk"
)

// Page sizes of a list.
const (
	defaultPage = 50
	maxPage     = 200
)

// page is which part of a list is wanted.
type page struct {
	place string // where to go on; "": from the beginning
	limit int
}

// parsePage reads a query with "limit" and the named place. Other parameters are
// ignored.
func parsePage(query, placeName string) (page, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return page{}, (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	p := page{place: values.Get(placeName), limit: defaultPage}
	if len(values["limit"]) > 1 || len(values[placeName]) > 1 {
		return page{}, (&sdk.Error{Kind: sdk.Invalid}).Because(errors.New("a parameter is given twice"))
	}
	if p.place != "" && !entryid.Valid(p.place) {
		return page{}, sdk.Errorf(sdk.Invalid, "There is no such page.")
	}
	if values.Has("limit") {
		p.limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || p.limit < 1 || p.limit > maxPage || strconv.Itoa(p.limit) != values.Get("limit") {
			return page{}, sdk.Errorf(sdk.Invalid, "The limit must be a number from 1 to %d.", maxPage)
		}
	}
	return p, nil
}
