package filename

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBytes is the longest name OnDisk and Numbered return, in bytes. Common
// file systems allow 255; the rest is left to programs that append something.
const MaxBytes = 240

// maxExtension bounds what counts as an extension, dot included; anything
// longer is part of the name.
const maxExtension = 32

// OnDisk turns an accepted name into one that every common file system takes
// and no file manager hides: no Windows-reserved character or name, no leading
// dot, no trailing dot or space, no direction-changing character, at most
// MaxBytes bytes with the extension kept.
//
// The Windows rules are those of "Naming Files, Paths, and Namespaces" in the
// Win32 documentation; a drive may be moved to such a machine at any time.
func OnDisk(name string) string {
	name = strings.Map(safeRune, strings.ToValidUTF8(name, "_"))
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if strings.HasPrefix(name, ".") {
		name = "_" + strings.TrimLeft(name, ".")
	}
	if reserved(name) {
		name = "_" + name
	}
	if name == "" {
		name = "_"
	}
	return fit(name, "")
}

// Numbered returns the n-th alternative of a name made by OnDisk: the name
// itself for 1, then "name (2).jpg" and so on.
func Numbered(name string, n int) string {
	if n <= 1 {
		return name
	}
	return fit(name, fmt.Sprintf(" (%d)", n))
}

// fit puts the suffix before the extension and shortens the stem until the
// whole fits.
func fit(name, suffix string) string {
	stem, extension := split(name)
	room := MaxBytes - len(suffix) - len(extension)
	if len(stem) > room {
		cut := room
		for !utf8.RuneStart(stem[cut]) {
			cut--
		}
		stem = strings.TrimRight(stem[:cut], ". ")
	}
	return stem + suffix + extension
}

func split(name string) (stem, extension string) {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || len(name)-dot > maxExtension {
		return name, ""
	}
	return name[:dot], name[dot:]
}

func safeRune(r rune) rune {
	switch {
	case strings.ContainsRune(`<>:"/\|?*`, r):
		return '_'
	case unicode.Is(unicode.Bidi_Control, r):
		return -1
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return '_'
	}
	return r
}

// reserved reports a device name of Windows, which is one with any extension.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, isPort := strings.CutPrefix(stem, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(stem, "LPT")
	}
	return isPort && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}
