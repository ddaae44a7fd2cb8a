package store

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// SQLite's result codes (https://www.sqlite.org/rescode.html). The low byte is
// the primary code.
const (
	codeBusy      = 5
	codeReadOnly  = 8
	codeInterrupt = 9
	codeIOErr     = 10
	codeCorrupt   = 11
	codeFull      = 13
	codeCantOpen  = 14
	codeNotADB    = 26

	codeCheck      = 275
	codeCommitHook = 531 // refuseCommit's
	codeForeignKey = 787
	codePrimaryKey = 1555
	codeUnique     = 2067
	codeShmSize    = 4874 // no room for the log's index

	primaryMask = 0xff
)

// resultCode is the extended result code in the chain; 0 when there is none.
func resultCode(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return 0
}

func isDiskFull(err error) bool {
	code := resultCode(err)
	return code&primaryMask == codeFull || code == codeShmSize || errors.Is(err, syscall.ENOSPC)
}

// friendly gives an error of the database the sentence that people need, if
// there is one for it. It keeps an error that already has one.
func friendly(err error) error {
	var already *sdk.Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return (&sdk.Error{Kind: sdk.Conflict}).Because(err)
	case isDiskFull(err):
		return (&sdk.Error{
			Kind:    sdk.NoSpace,
			Message: "This device has no space left.",
			Hint:    "Delete something on it, then try again.",
		}).Because(err)
	}
	if resultCode(err) == codeCommitHook {
		return movedAway(err)
	}
	switch resultCode(err) & primaryMask {
	case codeBusy:
		return busy(err)
	case codeInterrupt:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case codeCorrupt, codeNotADB:
		return damaged(err)
	case codeReadOnly, codeCantOpen, codeIOErr:
		return unwritable(err)
	}
	return err
}

// wrap names the operation that failed.
func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, friendly(err))
}

// What can be wrong with a file.
var (
	errDamaged = errors.New("damaged")
	errNewer   = errors.New("newer")
	errForeign = errors.New("foreign")
)

// because is a cause that counts as one of these and reads as it is.
type because struct{ what, cause error }

func (b because) Error() string   { return b.cause.Error() }
func (b because) Unwrap() []error { return []error{b.what, b.cause} }

func damaged(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Internal,
		Message: "Salita's data on this device is damaged.",
		Hint:    "Bring back a copy from the backups folder with \"salita restore\". Nothing was changed.",
	}).Because(because{errDamaged, cause})
}

func unwritable(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Internal,
		Message: "Salita can't save its data on this device.",
		Hint:    "Check that the data folder and the files in it belong to you and are not read-only.",
	}).Because(cause)
}

func movedAway(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Internal,
		Message: "Salita's data was moved or deleted while Salita was running.",
		Hint:    "Put it back where it was, or stop Salita and start it again. Nothing was changed.",
	}).Because(cause)
}

func newerSchema(found, known int64) error {
	return (&sdk.Error{
		Kind:    sdk.Unsupported,
		Message: "Salita's data on this device was saved by a newer Salita.",
		Hint:    "Update Salita on this device. Nothing was changed.",
	}).Because(because{errNewer, fmt.Errorf("schema %d is newer than %d", found, known)})
}

func foreignFile(cause string) error {
	return (&sdk.Error{
		Kind:    sdk.Unsupported,
		Message: "The file where Salita keeps its data is something else.",
		Hint:    "Move that file away, or choose another under \"storage\" in the configuration. Nothing was changed.",
	}).Because(because{errForeign, errors.New(cause)})
}

func inUse(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Conflict,
		Message: "Salita is already running on this device.",
		Hint:    "Stop the other one first.",
	}).Because(cause)
}

func busy(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Conflict,
		Message: "Another program is using Salita's data on this device.",
		Hint:    "Close it, such as an earlier Salita, then try again.",
	}).Because(cause)
}

func noDevice(id mesh.DeviceID) error {
	return sdk.Errorf(sdk.NotFound, "Device not recognized").Because(fmt.Errorf("no device %q", id))
}
