package store

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestSchema compares the schema that the steps add up to with a golden file:
// a change of it is meant to be seen in review. Run with -update to accept one.
func TestSchema(t *testing.T) {
	s := newStore(t)
	var statements []string
	must(t, s.read.Raw(`SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY type DESC, name`).Scan(&statements).Error)
	got := strings.Join(statements, ";\n\n") + ";\n"
	golden := filepath.Join("testdata", "schema.sql")
	if *update {
		must(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	diff(t, string(want), got)
}
