package sdktest

import "testing"

// Conformance checks a built plugin against every rule, each in a test of its
// own. The program must be named salita-plugin-<name>, as the gateway wants it;
// Build makes one from Go source. The plugin may be written in any language.
func Conformance(t *testing.T, program string, o CheckOptions) {
	t.Helper()
	s, err := newSuite(program, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.selected() {
		t.Run(r.name, func(t *testing.T) {
			problems, skipped := s.check(t.Context(), r)
			for _, p := range problems {
				t.Errorf("%s But: %s", r.about, p)
			}
			if skipped != "" {
				t.Skip(skipped)
			}
		})
	}
}
