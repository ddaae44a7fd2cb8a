package media

import (
	"io"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/salita-mesh/salita/plugins/media/internal/filename"
	"github.com/salita-mesh/salita/sdk"
)

// FuzzContentDisposition: whatever a file is called, the header is one line of
// ASCII and the name can be read back from it.
func FuzzContentDisposition(f *testing.F) {
	for _, seed := range []string{"a.jpg", "ä", `"; x="`, "a\r\nSet-Cookie: x", "%41", "''", "\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if filename.Check(name) != nil {
			return
		}
		got := contentDisposition("attachment", name)
		for _, r := range got {
			if r < ' ' || r > '~' {
				t.Errorf("header of %q contains %q", name, r)
			}
		}
		kind, parameters, err := mime.ParseMediaType(got)
		if err != nil || kind != "attachment" || parameters["filename"] != name {
			t.Errorf("%q was read back as %q %q, %v", name, kind, parameters["filename"], err)
		}
	})
}

func FuzzPartName(f *testing.F) {
	for _, seed := range []string{`form-data; filename="a.jpg"`, `form-data; filename*=UTF-8''%2e%2e%2fa`, "", `form-data; filename="../a"`, "form-data; filename=\"\xff\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, disposition string) {
		name, isFile, err := partName(disposition)
		if err != nil {
			if sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("partName(%q) = %v", disposition, err)
			}
			return
		}
		if !isFile || filename.Check(name) != nil {
			return
		}
		if !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\r\n\x00") {
			t.Errorf("partName(%q) accepted %q", disposition, name)
		}
	})
}

// FuzzForm feeds any body to the form reader: it ends, with an error or with
// every file whole, and leaves nothing half done.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"--b\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nx\r\n--b--\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\n\r\n--b--",
		"--b\r\n\r\n\r\n--b--", "--b--", "", "--b\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nx",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	h, err := New(f.Context(), environment(dir, io.Discard), Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.library.Close(f.Context()) })
	f.Fuzz(func(t *testing.T, body string) {
		b, err := h.library.Begin(-1)
		if err != nil {
			t.Fatal(err)
		}
		err = h.formReceiver(&wholeBody{src: strings.NewReader(body), announced: -1}, "b", "")(b)
		if kind := sdk.KindOf(err); err != nil && kind != sdk.Invalid && kind != sdk.TooLarge {
			t.Errorf("%v for %q", err, body)
		}
		b.Abort()
		if files, staged := folder(t, dir+"/library"); len(files)+len(staged) != 0 {
			t.Errorf("left behind: %q %q", files, staged)
		}
	})
}
