package sdk

import (
	"slices"
	"strings"
	"testing"
)

func TestReservedNames(t *testing.T) {
	names := ReservedNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not in order: %v", names)
	}
	for _, name := range names {
		if !ValidName(name) {
			t.Errorf("%q could be no plugin's name anyway", name)
		}
		err := Manifest{Name: name, Version: "1", Title: "T"}.Validate()
		if err == nil || !strings.Contains(err.Error(), "belongs to the gateway itself") {
			t.Errorf("a manifest named %q: %v", name, err)
		}
	}
	names[0] = "mine"
	if ReservedNames()[0] == "mine" {
		t.Error("a caller can change the list")
	}
}
