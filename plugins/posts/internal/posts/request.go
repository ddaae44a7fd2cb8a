package posts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/salita-mesh/salita/plugins/posts/internal/entryid"
	"github.com/salita-mesh/salita/plugins/posts/internal/text"
	"github.com/salita-mesh/salita/sdk"
)

// maxName is how much of an author's name is kept, in characters.
const maxName = 64

// author is the caller as it will stand beside what it writes. The owner at this
// machine writes in the name of the device.
func (h *Handler) author(r *http.Request) (sdk.CallerInfo, error) {
	caller := sdk.Caller(r)
	if caller.DeviceID == "" && !caller.Owner {
		// The gateway lets nobody through without saying who it is. Should that ever
		// fail, nobody must become the owner.
		return sdk.CallerInfo{}, sdk.Errorf(sdk.Forbidden, "Device not recognized.")
	}
	caller.Name = text.Line(caller.Name, maxName)
	if caller.Name == "" && caller.DeviceID == "" {
		caller.Name = h.device
	}
	return caller, nil
}

// limit is how much text something may hold.
type limit struct {
	what       string // for sentences
	characters int
	written    string // the same, for sentences
}

var (
	postLimit    = limit{"post", 2000, "2,000"}
	commentLimit = limit{"comment", 500, "500"}
)

// maxRequest bounds the JSON of a request in bytes. A post fits in the longest
// spelling there is, 12 bytes for a character, with plenty of space around it.
const maxRequest = 64 << 10

func (l limit) exceeded() *sdk.Error {
	return sdk.Errorf(sdk.TooLarge, "A %s can have at most %s characters.", l.what, l.written)
}

// readText reads the text of {"body": "..."} and cleans it. An unknown field is
// refused rather than lost: it was sent because it matters.
func readText(w http.ResponseWriter, r *http.Request, l limit) (string, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", l.exceeded().Because(tooLarge)
	}
	if err != nil {
		return "", sdk.Errorf(sdk.Invalid, "The %s didn't arrive whole.", l.what).Because(err)
	}
	body, err := parseBody(raw)
	if err != nil {
		return "", (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	body = text.Clean(body)
	switch {
	case text.Blank(body):
		return "", sdk.Errorf(sdk.Invalid, "The %s is empty.", l.what)
	case text.Length(body) > l.characters:
		return "", l.exceeded()
	}
	return body, nil
}

func parseBody(raw []byte) (string, error) {
	if !utf8.Valid(raw) {
		return "", errors.New("not UTF-8") // the decoder would replace what is wrong
	}
	var request struct {
		Body *string `json:"body"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		return "", err
	}
	if _, err := d.Token(); err != io.EOF {
		return "", errors.New("more than one JSON value")
	}
	if request.Body == nil {
		return "", errors.New(`no "body"`)
	}
	return *request.Body, nil
}

// pathID is an identifier in the path.
func pathID(r *http.Request, name string) (string, error) {
	id := r.PathValue(name)
	if !entryid.Valid(id) {
		return "", &sdk.Error{Kind: sdk.NotFound}
	}
	return id, nil
}
