package media

import (
	"bufio"
	"errors"
	"io"
	"mime/multipart"

	"github.com/salita-mesh/salita/plugins/media/internal/filename"
	"github.com/salita-mesh/salita/plugins/media/internal/library"
	"github.com/salita-mesh/salita/sdk"
)

// Limits of a form. What is not a file is read and dropped, so it must be small.
const (
	maxParts    = 1000
	maxOverhead = 64 << 10 // bytes of a part's header, of a field, or after the last part
)

// formBuffer is how much of a form is read at once; multipart.Reader alone would
// ask for 4 KiB at a time.
const formBuffer = 256 << 10

// form reads the parts of a multipart/form-data body (RFC 7578) one by one.
type form struct {
	body  *overheadLimit
	parts *multipart.Reader
	sum   string // announced for the whole request; "": none
	files int
}

// formReceiver returns what adds every file of the form to a batch.
func (h *Handler) formReceiver(body io.Reader, boundary, sum string) func(*library.Batch) error {
	return func(b *library.Batch) error {
		buffer, ok := h.formBuffers.Get().(*bufio.Reader)
		if !ok {
			buffer = bufio.NewReaderSize(nil, formBuffer)
		}
		buffer.Reset(body)
		defer func() {
			buffer.Reset(nil)
			h.formBuffers.Put(buffer)
		}()
		limited := &overheadLimit{src: buffer}
		f := &form{body: limited, parts: multipart.NewReader(limited, boundary), sum: sum}
		return f.receive(b)
	}
}

func (f *form) receive(b *library.Batch) error {
	for range maxParts {
		f.body.limit(maxOverhead)
		// The raw part: a file is stored as it was sent, whatever its header says
		// about its encoding.
		part, err := f.parts.NextRawPart()
		if err == io.EOF {
			return f.end()
		}
		if err != nil {
			return notWhole(err)
		}
		f.body.unlimit()
		if err := f.add(b, part); err != nil {
			return err
		}
	}
	return sdk.Errorf(sdk.TooLarge, "That is too many files at once. Send at most %d.", maxParts-1)
}

func (f *form) add(b *library.Batch, part *multipart.Part) error {
	name, isFile, err := partName(part.Header.Get("Content-Disposition"))
	if err != nil {
		return err
	}
	content := wholePart{part}
	if !isFile {
		return drop(content)
	}
	if err := filename.Check(name); err != nil {
		return err
	}
	f.files++
	if f.files > 1 && f.sum != "" {
		return sdk.Errorf(sdk.Invalid, "One checksum can't be that of several files.")
	}
	want, err := checksum(part.Header.Get(HeaderSHA256))
	if err != nil {
		return err
	}
	item, err := b.Add(name, content)
	if err != nil {
		return err
	}
	return errors.Join(verify(item, want), verify(item, f.sum))
}

// end reads what follows the last part: only then is it certain that the body
// is not longer or shorter than it should be.
func (f *form) end() error {
	f.body.unlimit()
	if err := drop(f.body); err != nil {
		return err
	}
	if f.files == 0 {
		return sdk.Errorf(sdk.Invalid, "There is no file in that form.")
	}
	return nil
}

// drop reads src to its end, which must be near.
func drop(src io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(src, maxOverhead+1))
	if n > maxOverhead {
		return sdk.Errorf(sdk.Invalid, "That form contains something too long.")
	}
	return err
}

// wholePart is a part's content that ends without an error only if all of it
// arrived.
type wholePart struct{ part *multipart.Part }

func (p wholePart) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	return n, notWhole(err)
}

// overheadLimit bounds what multipart.Reader may swallow outside of a part's
// content; by itself it accepts ten megabytes of headers.
type overheadLimit struct {
	src     io.Reader
	limited bool
	left    int
}

func (l *overheadLimit) limit(n int) { l.limited, l.left = true, n }

func (l *overheadLimit) unlimit() { l.limited = false }

// Read reads from the source within the limit.
func (l *overheadLimit) Read(p []byte) (int, error) {
	if !l.limited {
		return l.src.Read(p)
	}
	if l.left == 0 {
		return 0, sdk.Errorf(sdk.Invalid, "That form contains something too long.")
	}
	n, err := l.src.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
