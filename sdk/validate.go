package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a manifest. Lengths are in bytes.
const (
	MaxCapabilities = 64
	MaxRoutes       = 256
	MaxPaths        = 16
	MaxNameLength   = 32
	maxVersion      = 64
	maxTitle        = 128
	maxWord         = 64 // an ability or an action
	maxPattern      = 256
)

// ValidName reports whether s can be a plugin's name: at most MaxNameLength
// lower-case letters, digits and dashes, beginning with a letter, with no dash
// at the end and no two together.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxNameLength || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.HasSuffix(s, "-") && !strings.Contains(s, "--") && onlyWordBytes(s, "-")
}

// Validate checks every rule that a manifest must keep by itself. The error
// names the field. The gateway asks the same before it uses a plugin.
func (m Manifest) Validate() error {
	if !ValidName(m.Name) {
		return fmt.Errorf("manifest: name %q: want at most %d lower-case letters, digits and dashes, a letter first", clip(m.Name), MaxNameLength)
	}
	if slices.Contains(reservedNames[:], m.Name) {
		return fmt.Errorf("manifest: name %q: belongs to the gateway itself", m.Name)
	}
	if err := validText("version", m.Version, maxVersion); err != nil {
		return err
	}
	if err := validText("title", m.Title, maxTitle); err != nil {
		return err
	}
	if err := m.validateCapabilities(); err != nil {
		return err
	}
	if err := m.validateRoutes(); err != nil {
		return err
	}
	if err := m.validateCapabilityRoutes(); err != nil {
		return err
	}
	return m.validatePaths()
}

func (m Manifest) validateCapabilities() error {
	if len(m.Capabilities) > MaxCapabilities {
		return fmt.Errorf("manifest: capabilities: %d of them, at most %d are allowed", len(m.Capabilities), MaxCapabilities)
	}
	seen := make(map[string]bool, len(m.Capabilities))
	for i, c := range m.Capabilities {
		field := fmt.Sprintf("capabilities[%d]", i)
		ability, dotted := strings.CutPrefix(c.ID, m.Name+".")
		if c.ID != m.Name && (!dotted || !validWord(ability)) {
			return fmt.Errorf("manifest: %s.id %q: want %q or %q", field, clip(c.ID), m.Name, m.Name+".<ability>")
		}
		if seen[c.ID] {
			return fmt.Errorf("manifest: %s.id %q: is there twice", field, c.ID)
		}
		seen[c.ID] = true
		if err := validText(field+".title", c.Title, maxTitle); err != nil {
			return err
		}
	}
	return nil
}

func (m Manifest) validateRoutes() error {
	if len(m.Routes) > MaxRoutes {
		return fmt.Errorf("manifest: routes: %d of them, at most %d are allowed", len(m.Routes), MaxRoutes)
	}
	mux := http.NewServeMux()
	for i, r := range m.Routes {
		field := fmt.Sprintf("routes[%d]", i)
		if err := validPattern(m.Name, r.Pattern); err != nil {
			return fmt.Errorf("manifest: %s.pattern %q: %w", field, clip(r.Pattern), err)
		}
		if err := tryPattern(mux, r.Pattern); err != nil {
			return fmt.Errorf("manifest: %s.pattern %q: %w", field, clip(r.Pattern), err)
		}
		action, own := strings.CutPrefix(r.Permission, m.Name+":")
		if !own || !validWord(action) {
			return fmt.Errorf("manifest: %s.permission %q: want %q", field, clip(r.Permission), m.Name+":<action>")
		}
	}
	return nil
}

// validateCapabilityRoutes holds the shortcuts of capabilities to one declared
// request each: a wildcard or a subtree would leave open which one is meant.
func (m Manifest) validateCapabilityRoutes() error {
	for i, c := range m.Capabilities {
		if c.Route == "" {
			continue
		}
		err := func() error {
			switch {
			case !slices.ContainsFunc(m.Routes, func(r Route) bool { return r.Pattern == c.Route }):
				return errors.New("is not the pattern of one of the routes")
			case strings.ContainsAny(c.Route, "{}"):
				return errors.New("holds a wildcard")
			case strings.HasSuffix(c.Route, "/"):
				return errors.New("ends with a slash, which stands for everything below it")
			}
			return nil
		}()
		if err != nil {
			return fmt.Errorf("manifest: capabilities[%d].route %q: %w", i, clip(c.Route), err)
		}
	}
	return nil
}

func (m Manifest) validatePaths() error {
	if len(m.Paths) > MaxPaths {
		return fmt.Errorf("manifest: paths: %d of them, at most %d are allowed", len(m.Paths), MaxPaths)
	}
	for i, p := range m.Paths {
		if !validAttribute(p) {
			return fmt.Errorf("manifest: paths[%d] %q: want the name of an attribute: at most %d letters, digits, dashes and underscores, a letter first", i, clip(p), maxWord)
		}
		if slices.Contains(m.Paths[:i], p) {
			return fmt.Errorf("manifest: paths[%d] %q: is there twice", i, p)
		}
	}
	return nil
}

// validAttribute reports whether s can be an attribute in HCL, in ASCII.
func validAttribute(s string) bool {
	for i := range len(s) {
		letter := 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || !onlyWordBytes(s[i:i+1], "-_")) {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}

// validPattern checks what ServeMux itself would let pass.
func validPattern(name, pattern string) error {
	if len(pattern) > maxPattern {
		return fmt.Errorf("longer than %d bytes", maxPattern)
	}
	if !utf8.ValidString(pattern) {
		return errors.New("not valid UTF-8")
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !validMethod(method) {
		return errors.New("want a method, one space and a path")
	}
	if path != "/"+name && !strings.HasPrefix(path, "/"+name+"/") {
		return fmt.Errorf("the path must be /%s or begin with /%s/", name, name)
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return errors.New("the path holds a space or an unprintable character")
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || (s == "" && i < len(segments)-1) {
			return errors.New(`the path holds ".", ".." or an empty segment`)
		}
	}
	return nil
}

// validMethod admits upper-case words but those that are not about a resource
// of the plugin.
func validMethod(method string) bool {
	for i := range len(method) {
		if method[i] < 'A' || method[i] > 'Z' {
			return false
		}
	}
	return method != "" && method != http.MethodConnect && method != http.MethodTrace
}

// tryPattern registers the pattern to see whether it parses and stands beside
// the others; ServeMux says no with a panic.
func tryPattern(mux *http.ServeMux, pattern string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	mux.Handle(pattern, http.NotFoundHandler())
	return nil
}

func validText(field, s string, limit int) error {
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("manifest: %s: is missing", field)
	case len(s) > limit:
		return fmt.Errorf("manifest: %s: longer than %d bytes", field, limit)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("manifest: %s %q: holds unprintable characters", field, clip(s))
	}
	return nil
}

func validWord(s string) bool {
	return s != "" && len(s) <= maxWord && onlyWordBytes(s, "-_")
}

// onlyWordBytes reports whether s holds nothing but a-z, 0-9 and the extra bytes.
func onlyWordBytes(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

// clip keeps a foreign text short enough for an error message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
