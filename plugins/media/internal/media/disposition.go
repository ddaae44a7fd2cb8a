package media

import (
	"fmt"
	"mime"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// contentDisposition is the header that names a file to whoever saves it
// (RFC 6266): plainly for old programs, and exactly in the form of RFC 8187.
func contentDisposition(disposition, name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	return fmt.Sprintf(`%s; filename="%s"; filename*=UTF-8''%s`, disposition, plain, extValue(name))
}

// extValue percent-encodes everything but RFC 8187's attr-char.
func extValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAttrChar(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isAttrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

// partName returns the file name of a part of a form as it was sent, and false
// for a part that is not a file (RFC 7578, section 4.2). multipart.Part has a
// method for it, which silently drops folders.
func partName(disposition string) (name string, isFile bool, err error) {
	kind, parameters, err := mime.ParseMediaType(disposition)
	if err != nil || kind != "form-data" {
		return "", false, sdk.Errorf(sdk.Invalid, "The form can't be understood.").Because(err)
	}
	name, isFile = parameters["filename"]
	return name, isFile, nil
}
