package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPoint shows what a remark of a plugin's looks like in the user's file.
func TestPoint(t *testing.T) {
	w := newWorld(t)
	file := "log { level = \"info\" }\nplugin \"posts\" { # ours\n\tconfig {\n\t\tgröße = \"ü\" + 7\n\t}\n}\n"
	w.write(t, filepath.Join(w.work, fileName), file)
	r := w.source(t).Read()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	at := strings.Index(file, "7")
	tests := map[string]struct {
		got  Diagnostic
		want string
	}{
		"by byte": {
			r.Point(Position{4, 17, at}, Position{4, 18, at + 1}, "Too many", "Expected less."),
			"WORK/config.hcl:4:17: Too many\n\n4 | \t\tgröße = \"ü\" + 7\n  | \t\t              ^\n\nExpected less.",
		},
		"by line and column": {
			r.Point(Position{Line: 4, Column: 17}, Position{Line: 4, Column: 18}, "Too many", "Expected less."),
			"WORK/config.hcl:4:17: Too many\n\n4 | \t\tgröße = \"ü\" + 7\n  | \t\t              ^\n\nExpected less.",
		},
		"behind the end": {
			r.Point(Position{Line: 99, Column: 99, Byte: 1 << 40}, Position{}, "S\x1b", "M\a."),
			"WORK/config.hcl:7:1: S?\n\n7 | \n  | ^\n\nM?.",
		},
		"nowhere": {
			r.Point(Position{-1, -1, -1}, Position{-1, -1, -1}, "S", "M."),
			"WORK/config.hcl:1:1: S\n\n1 | log { level = \"info\" }\n  | ^\n\nM.",
		},
		"a plugin": {
			r.PointAt("No such plugin", "Expected a program.", "plugin", "posts", "sha256"),
			"WORK/config.hcl:2:8: No such plugin\n\n2 | plugin \"posts\" { # ours\n  |        ^^^^^^^\n\nExpected a program.",
		},
		"a setting": {
			r.PointAt("S", "M.", "log", "level"),
			"WORK/config.hcl:1:15: S\n\n1 | log { level = \"info\" }\n  |               ^^^^^^\n\nM.",
		},
		"a block":        {r.PointAt("S", "M.", "log", "format"), "WORK/config.hcl:1:1: S\n\n1 | log { level = \"info\" }\n  | ^^^\n\nM."},
		"another plugin": {r.PointAt("S", "M.", "plugin", "media"), "M."},
		"no path":        {r.PointAt("S", "M."), "M."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := strings.ReplaceAll(tt.got.String(), w.work, "WORK"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
