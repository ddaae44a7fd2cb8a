package config

import (
	"slices"
	"strings"
	"testing"
)

func TestPathsIn(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		attributes   []string
		want         []string
	}{
		{"text", "\n  library = \"~/Pictures\" # mine\n", []string{"library"}, []string{"~/Pictures"}},
		{"list", `inputs = ["/a", "b"]`, []string{"inputs"}, []string{"/a", "b"}},
		{"several, in the order asked for", "a = \"1\"\nb = \"2\"\nc = \"3\"", []string{"c", "a"}, []string{"3", "1"}},
		{"absent", `other = "x"`, []string{"library"}, nil},
		{"none asked for", `library = "x"`, nil, nil},
		{"empty block", "", []string{"library"}, nil},
		{"empty text", `library = ""`, []string{"library"}, []string{""}},
		{"escapes", `library = "/a\"b\u00e4$${c}"`, []string{"library"}, []string{`/a"bä${c}`}},
		{"heredoc", "library = <<E\n/a\nE\n", []string{"library"}, []string{"/a\n"}},
		{"number and truth", "a = 7\nb = true", []string{"a", "b"}, []string{"7", "true"}},
		{"null", "a = null", []string{"a"}, nil},
		{"expression", "a = \"${7 + 1}\"\nb = upper(\"x\")\nc = other", []string{"a", "b", "c"}, nil},
		{"expression in a list", `a = ["x", "y${z}", [ "z" ], null]`, []string{"a"}, []string{"x"}},
		{"object", `a = { b = "x" }`, []string{"a"}, nil},
		{"nested block", "a {\n  library = \"x\"\n}", []string{"library", "a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := PathsIn([]byte(tt.source), tt.attributes)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("PathsIn = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestPathsInABlockThatCannotBeRead(t *testing.T) {
	for _, source := range []string{`library = `, `library = "`, "a = 1\na = 2", "}"} {
		if paths, err := PathsIn([]byte(source), []string{"library"}); err == nil || paths != nil {
			t.Errorf("PathsIn(%q) = %q, %v, want an error", source, paths, err)
		}
	}
}

func FuzzPathsIn(f *testing.F) {
	f.Add(`library = ["~/a", "b"]`, "library")
	f.Add("library = <<E\nx\nE\n", "library")
	f.Fuzz(func(t *testing.T, source, attribute string) {
		if len(source) > 1<<12 || strings.Count(source, "[")+strings.Count(source, "{")+strings.Count(source, "(") > 100 {
			t.Skip("Load refuses deep nesting in the file as a whole")
		}
		paths, err := PathsIn([]byte(source), []string{attribute})
		if err != nil && paths != nil {
			t.Errorf("%q beside the error %v", paths, err)
		}
	})
}
