package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

// sendEach sends one file after the other. A file that the receiver does not take
// is explained, and the others follow; what would stop every file ends it. The
// error names what was not sent.
func (a *app) sendEach(ctx context.Context, files []string, send func(file string) error) error {
	var failed unsent
	for i, file := range files {
		err := send(file)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || !onlyThisFile(err) {
			failed.files = append(failed.files, files[i:]...)
			failed.cause = err
			break
		}
		failed.files = append(failed.files, file)
		failed.cause = aboutFile(file, err)
		if len(files) > 1 {
			a.explain(failed.cause)
			failed.cause = nil // it is said
		}
	}
	if len(failed.files) == 0 {
		return nil
	}
	return failed
}

// onlyThisFile reports whether another file may fare better.
func onlyThisFile(err error) bool {
	if errors.Is(err, errChanged) || errors.Is(err, errUnreadable) {
		return true
	}
	switch sdk.KindOf(err) {
	case sdk.Invalid, sdk.TooLarge, sdk.Unsupported, sdk.NoSpace:
		return true
	}
	return false
}

// aboutFile says which file it was, and what may help if nothing says so.
func aboutFile(file string, err error) error {
	if errors.Is(err, errChanged) || errors.Is(err, errUnreadable) {
		return err // it names the file
	}
	e := sdk.AsError(err)
	body := sdk.ErrorBody{
		Error: fmt.Sprintf("%s was not sent. %s", printable(file), e.Friendly()), Code: e.Kind, Hint: e.Hint,
	}
	var answer *client.Error
	if errors.As(err, &answer) {
		body.Reference = answer.Reference
	}
	if body.Hint == "" {
		body.Hint = fileHints[e.Kind]
	}
	return &client.Error{ErrorBody: body, Status: e.HTTPStatus()}
}

// fileHints are what to do about a file that was refused.
var fileHints = map[sdk.Kind]string{
	sdk.Invalid:     "another name for the file, then send it again.",
	sdk.TooLarge:    "a smaller file.",
	sdk.NoSpace:     "deleting something on the other device, then send it again.",
	sdk.Unsupported: "another kind of file.",
}

// unsent is what was not sent, and why; without a cause it has been explained.
type unsent struct {
	cause error
	files []string
}

func (u unsent) Error() string { return fmt.Sprintf("%d files not sent: %v", len(u.files), u.cause) }

func (u unsent) Unwrap() error { return u.cause }

// explainUnsent says why it ended, unless that is said, and names the files if
// there is more than the one that the reason is about.
func (a *app) explainUnsent(u unsent) {
	if u.cause != nil {
		a.explain(u.cause)
	}
	if len(u.files) == 1 && u.cause != nil {
		return
	}
	names := make([]string, len(u.files))
	for i, file := range u.files {
		names[i] = printable(file)
	}
	fmt.Fprintf(a.err, "Not sent: %s\n", strings.Join(names, ", "))
}
