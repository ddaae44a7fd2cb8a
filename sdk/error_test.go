package sdk

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"testing"
)

func TestKindsAreTotal(t *testing.T) {
	if len(Kinds()) != len(kinds) {
		t.Errorf("%d kinds listed, %d have a row", len(Kinds()), len(kinds))
	}
	for _, k := range Kinds() {
		row, ok := kinds[k]
		if !ok || k.HTTPStatus() != row.status || k.Message() == "" || k.ExitCode() == 0 || http.StatusText(k.HTTPStatus()) == "" {
			t.Errorf("%s: %+v", k, row)
		}
	}
	if unknown := Kind("made up"); unknown.HTTPStatus() != 500 || unknown.Message() != Internal.Message() || unknown.ExitCode() != 1 {
		t.Error("an unknown kind is not internal")
	}
}

func TestErrorFaces(t *testing.T) {
	cause := fs.ErrNotExist
	e := Errorf(NotFound, "There is no photo %q.", "x")
	caused := e.Because(cause)
	if e.Cause != nil || !errors.Is(caused, cause) {
		t.Error("Because changed the original, or lost the cause")
	}
	if caused.Friendly() != `There is no photo "x".` || caused.Error() != `not_found: There is no photo "x".: file does not exist` {
		t.Errorf("got %q, %q", caused.Friendly(), caused.Error())
	}
	if (&Error{Kind: NoSpace}).Friendly() != NoSpace.Message() {
		t.Error("no sentence of its own, and not the kind's")
	}
	if e.HTTPStatus() != 404 || (&Error{Kind: NotFound, Status: 410}).HTTPStatus() != 410 {
		t.Error("wrong status")
	}
}

func TestAsError(t *testing.T) {
	if AsError(nil) != nil || KindOf(nil) != "" {
		t.Error("nil is an error")
	}
	known := Errorf(Offline, "Laptop is offline.")
	if AsError(fmt.Errorf("send: %w", known)) != known || KindOf(known) != Offline {
		t.Error("a known error was lost")
	}
	foreign := errors.New("dial tcp 192.168.0.7: refused")
	got := AsError(foreign)
	if got.Kind != Internal || got.Friendly() != "Something went wrong" || !errors.Is(got, foreign) {
		t.Errorf("got %v", got)
	}
}

func ExampleErrorf() {
	err := Errorf(NotFound, "This photo is gone.").Because(errors.New("open 42.jpg: no such file"))
	fmt.Println(err.Friendly())
	fmt.Println(err.HTTPStatus())
	// Output:
	// This photo is gone.
	// 404
}

func ExampleAsError() {
	fmt.Println(AsError(errors.New("dial unix: connection refused")).Friendly())
	// Output: Something went wrong
}

func ExampleKindOf() {
	err := fmt.Errorf("upload: %w", Errorf(NoSpace, "The disk is full."))
	fmt.Println(KindOf(err), KindOf(err).HTTPStatus())
	// Output: no_space 507
}

func ExampleKinds() {
	for _, k := range Kinds()[:3] {
		fmt.Println(k, k.HTTPStatus(), k.ExitCode())
	}
	// Output:
	// invalid 400 1
	// sign_in 401 6
	// needs_repair 401 5
}
