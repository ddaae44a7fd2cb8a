package media

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/salita-mesh/salita/plugins/media/internal/itemid"
	"github.com/salita-mesh/salita/sdk"
)

// Page sizes of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	page, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return err
	}
	items, next, err := h.library.List(r.Context(), page.before, page.limit)
	if err != nil {
		return err
	}
	body := listBody{Items: bodiesOf(items)}
	if next != "" {
		body.Next = &next
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	sdk.WriteJSON(w, http.StatusOK, body)
	return nil
}

// page is which part of the list is wanted.
type page struct {
	before string // "": from the newest
	limit  int
}

func parsePage(query string) (page, error) {
	p := page{limit: defaultLimit}
	values, err := parseQuery(query)
	if err != nil {
		return page{}, err
	}
	if text, ok, err := single(values, "limit"); err != nil {
		return page{}, err
	} else if ok {
		p.limit, err = strconv.Atoi(text)
		if err != nil || p.limit < 1 || p.limit > maxLimit || strconv.Itoa(p.limit) != text {
			return page{}, sdk.Errorf(sdk.Invalid, "The limit must be a number from 1 to %d.", maxLimit)
		}
	}
	p.before, _, err = single(values, "before")
	if err != nil {
		return page{}, err
	}
	if p.before != "" && !itemid.Valid(p.before) {
		return page{}, sdk.Errorf(sdk.Invalid, "There is no such page.")
	}
	return p, nil
}

func parseQuery(query string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, sdk.Errorf(sdk.Invalid, "The address of that request can't be understood.").Because(err)
	}
	return values, nil
}

// single returns a parameter that may be given once.
func single(values url.Values, key string) (value string, ok bool, err error) {
	all := values[key]
	switch len(all) {
	case 0:
		return "", false, nil
	case 1:
		return all[0], true, nil
	}
	return "", false, sdk.Errorf(sdk.Invalid, "%q is given more than once.", key)
}

func itemID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !itemid.Valid(id) {
		return "", sdk.Errorf(sdk.NotFound, "That file isn't here.")
	}
	return id, nil
}
