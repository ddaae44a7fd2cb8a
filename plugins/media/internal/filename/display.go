package filename

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/salita-mesh/salita/sdk"
)

// MaxRunes is the longest file name accepted, in characters.
const MaxRunes = 255

// Check says whether a name sent by another device can be kept as the name
// shown to people. A name that can is kept exactly as given. The error is an
// *sdk.Error of kind sdk.Invalid with a plain sentence.
//
// A name with a path in it is refused and not shortened to its last part: who
// sends one either expects folders, which there are none, or means harm.
func Check(name string) error {
	switch {
	case name == "":
		return sdk.Errorf(sdk.Invalid, "The file has no name.")
	case !utf8.ValidString(name):
		return sdk.Errorf(sdk.Invalid, "That file name isn't valid text.")
	case utf8.RuneCountInString(name) > MaxRunes:
		return sdk.Errorf(sdk.Invalid, "That file name is too long.")
	case strings.ContainsAny(name, `/\`):
		return sdk.Errorf(sdk.Invalid, "A file name can't contain a slash.")
	case name == "." || name == "..":
		return sdk.Errorf(sdk.Invalid, "That isn't a file name.")
	case strings.ContainsFunc(name, unicode.IsControl):
		return sdk.Errorf(sdk.Invalid, "That file name contains characters that can't be shown.")
	case strings.TrimSpace(name) == "":
		return sdk.Errorf(sdk.Invalid, "The file has no name.")
	}
	return nil
}
