package media

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/salita-mesh/salita/plugins/media/internal/filename"
	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/plugins/media/internal/library"
	"github.com/salita-mesh/salita/sdk"
)

// upload stores the files of a form, or the whole body as one file.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) error {
	started := time.Now()
	receive, err := h.receiver(r)
	if err != nil {
		return err
	}
	batch, err := h.library.Begin(r.ContentLength)
	if err != nil {
		return err
	}
	defer batch.Abort()
	if err := receive(batch); err != nil {
		return err
	}
	items, err := batch.Commit(r.Context())
	if err != nil {
		return err
	}
	for _, item := range items {
		h.log.Info("file stored", "id", item.ID, "size", item.Size, "duration", time.Since(started))
	}
	body := uploadBody{Items: bodiesOf(items)}
	body.links = body.Items[0].links
	w.Header().Set("Location", body.URL)
	sdk.WriteJSON(w, http.StatusCreated, body)
	return nil
}

// receiver checks everything that can be checked before the body is asked for,
// and returns what will receive it.
func (h *Handler) receiver(r *http.Request) (func(*library.Batch) error, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, sdk.Errorf(sdk.Unsupported, "Send the file as it is, not compressed on the way.")
	}
	body := &wholeBody{src: r.Body, announced: r.ContentLength}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		if err != nil || parameters["boundary"] == "" || len(parameters["boundary"]) > 70 {
			return nil, sdk.Errorf(sdk.Invalid, "The form can't be understood.").Because(err)
		}
		sum, err := checksum(r.Header.Get(HeaderSHA256))
		if err != nil {
			return nil, err
		}
		return h.formReceiver(body, parameters["boundary"], sum), nil
	}
	return h.rawReceiver(r, body)
}

// rawReceiver returns what adds the whole body to a batch as one file.
func (h *Handler) rawReceiver(r *http.Request, body io.Reader) (func(*library.Batch) error, error) {
	sum, err := bodyChecksum(r.Header)
	if err != nil {
		return nil, err
	}
	values, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	name, _, err := single(values, "filename")
	if err != nil {
		return nil, err
	}
	if err := filename.Check(name); err != nil {
		return nil, err
	}
	return func(b *library.Batch) error {
		item, err := b.Add(name, body)
		if err != nil {
			return err
		}
		return verify(item, sum)
	}, nil
}

// verify compares a received file with the checksum its sender named, if any.
func verify(item index.Item, want string) error {
	if want != "" && want != item.SHA256 {
		return sdk.Errorf(sdk.Conflict, "The file changed on the way.").
			Because(errors.New("sha-256 differs: announced " + want + ", received " + item.SHA256))
	}
	return nil
}

// wholeBody is a request body that ends without an error only if all of it
// arrived.
type wholeBody struct {
	src       io.Reader
	announced int64 // Content-Length; negative: unknown
	received  int64
}

func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.received += int64(n)
	if err == io.EOF && b.announced >= 0 && b.received != b.announced {
		err = io.ErrUnexpectedEOF
	}
	return n, notWhole(err)
}

// notWhole gives an error of reading a body the sentence for people. nil and
// io.EOF are no errors.
func notWhole(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if known, ok := errors.AsType[*sdk.Error](err); ok {
		return known
	}
	if limit, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return sdk.Errorf(sdk.TooLarge, "That file is too large.").Because(limit)
	}
	return sdk.Errorf(sdk.Invalid, "The file didn't arrive whole.").Because(err)
}
