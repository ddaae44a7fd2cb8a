package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

func TestPick(t *testing.T) {
	devices := []client.Device{
		{ID: "aaaa", Name: "Laptop"},
		{ID: "abbb", Name: "Laptop Old"},
		{ID: "cccc", Name: "NAS"},
		{ID: "dddd", Name: "nas"},
		{ID: "nas", Name: "Attic"},
	}
	tests := []struct {
		word, id string
		kind     sdk.Kind
	}{
		{"laptop", "aaaa", ""},   // a whole name beats the beginning of another
		{"Laptop O", "abbb", ""}, // letter case does not matter
		{"lap", "", sdk.Invalid}, // two begin so
		{"cc", "cccc", ""},       // the beginning of an id
		{"a", "", sdk.Invalid},   // ids and names alike
		{"att", "nas", ""},       //
		{"NAS", "nas", ""},       // an id beats names
		{"fridge", "", sdk.NotFound},
		{"", "", sdk.NotFound},
	}
	for _, tt := range tests {
		d, err := pick(devices, tt.word)
		if sdk.KindOf(err) != tt.kind || d.ID != tt.id {
			t.Errorf("pick %q = %q, %v; want %q, kind %q", tt.word, d.ID, err, tt.id, tt.kind)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", -time.Hour: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago",
		3 * time.Hour: "3 hours ago", 23*time.Hour + 59*time.Minute: "23 hours ago", 50 * time.Hour: "2 days ago",
	} {
		at := now.Add(-d)
		if got := ago(&at, now); got != want {
			t.Errorf("%v before is %q, want %q", d, got, want)
		}
	}
	if got := ago(nil, now); got != "never" {
		t.Errorf("never is %q", got)
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		err  error
		code int
	}{
		{errors.New("anything"), 1},
		{usageError{errors.New("wrong flag")}, 2},
		{fmt.Errorf("dial: %w", client.ErrNotRunning), 3},
		{&sdk.Error{Kind: sdk.Offline}, 4},
		{&client.Error{ErrorBody: sdk.ErrorBody{Code: sdk.NeedsRepair}}, 5},
		{&sdk.Error{Kind: sdk.Forbidden}, 6},
		{context.Canceled, 1},
	}
	for _, tt := range tests {
		if got := exitCode(tt.err); got != tt.code {
			t.Errorf("%v ends with %d, want %d", tt.err, got, tt.code)
		}
	}
}

func TestExplainSaysWhatToTryAndTheReference(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdio: stdio{err: &out}}
	a.explain(&client.Error{ErrorBody: sdk.ErrorBody{Error: "Laptop needs re-pairing", Code: sdk.NeedsRepair, Hint: "Pair again.", Reference: "7K3QF"}})
	if got := out.String(); got != "Laptop needs re-pairing\nTry: Pair again.\nReference: 7K3QF\n" {
		t.Errorf("said %q", got)
	}
	out.Reset()
	a.explain(errors.New("open /x: permission denied"))
	if got := out.String(); !strings.HasPrefix(got, "Something went wrong\n") {
		t.Errorf("said %q", got)
	}
}

func TestNumberIsReadable(t *testing.T) {
	if got := spaced("481920"); got != "481 920" {
		t.Errorf("number reads %q", got)
	}
}
