package store

import (
	"errors"
	"fmt"

	"github.com/salita-mesh/salita/sdk"
)

// unfit says why a file cannot be restored: what is wrong with it is another
// sentence than what would be wrong with the database in use.
func unfit(file string, err error) error {
	err = friendly(err)
	e := &sdk.Error{Hint: "another copy from the backups folder. Nothing was changed.", Cause: err}
	switch {
	case errors.Is(err, errDamaged):
		e.Kind, e.Message = sdk.Invalid, fmt.Sprintf("The copy %s is damaged.", file)
	case errors.Is(err, errForeign):
		e.Kind, e.Message = sdk.Unsupported, fmt.Sprintf("%s is not a copy of Salita's data.", file)
	case errors.Is(err, errNewer):
		e.Kind, e.Message = sdk.Unsupported, fmt.Sprintf("The copy %s was made by a newer Salita.", file)
		e.Hint = "updating Salita on this device first. Nothing was changed."
	default:
		return err
	}
	return e
}

func otherDevice(cause error) error {
	return (&sdk.Error{
		Kind:    sdk.Conflict,
		Message: "That copy is another device's.",
		Hint:    "a copy of this device, or putting device.key and node_identity.json of that device into the data folder first. Nothing was changed.",
	}).Because(cause)
}

func noCopy(file string, cause error) error {
	return (&sdk.Error{
		Kind: sdk.NotFound, Message: fmt.Sprintf("There is no file %s.", file),
		Hint: "a copy from the backups folder.",
	}).Because(cause)
}

func unreadableCopy(file string, cause error) error {
	return (&sdk.Error{
		Kind: sdk.Invalid, Message: fmt.Sprintf("%s can't be read.", file),
		Hint: "checking that the file belongs to you. Nothing was changed.",
	}).Because(cause)
}

func sameCopy(file string) error {
	return &sdk.Error{
		Kind: sdk.Invalid, Message: fmt.Sprintf("%s is what Salita uses now, not a copy of it.", file),
		Hint: "a copy from the backups folder.",
	}
}

func nothingYet() error {
	return &sdk.Error{Kind: sdk.NotFound, Message: "There is nothing to back up yet.", Hint: "salita serve"}
}
