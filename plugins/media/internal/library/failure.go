package library

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/sdk"
)

// failure gives an error of the file system the sentence that tells a person
// what to do. Errors that have one already, and unforeseen ones, pass.
func (l *Library) failure(err error) error {
	if _, ok := errors.AsType[*sdk.Error](err); ok || err == nil {
		return err
	}
	switch {
	case isFull(err):
		return l.noSpace(-1).Because(err)
	case errors.Is(err, syscall.EFBIG):
		return sdk.Errorf(sdk.TooLarge, "That file is too large for the drive of %s.", l.name()).Because(err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		e := sdk.Errorf(sdk.PluginUnavailable, "%s can't write to its media folder.", l.name())
		e.Hint = "Check that the folder isn't write-protected."
		return e.Because(err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EIO):
		return l.missing(err)
	}
	return err
}

// isFull reports a drive or a quota without room; the index may be on another
// drive than the library.
func isFull(err error) bool {
	return errors.Is(err, errNoSpace) || errors.Is(err, index.ErrFull) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (l *Library) missing(cause error) error {
	e := sdk.Errorf(sdk.PluginUnavailable, "%s can't reach its media folder.", l.name())
	e.Hint = "Check that its drive is connected, or create the folder again."
	return e.Because(cause)
}

// noSpace tells how much an upload needs; a negative number is not known.
func (l *Library) noSpace(need int64) *sdk.Error {
	if need < 0 {
		return sdk.Errorf(sdk.NoSpace, "%s doesn't have enough space.", l.name())
	}
	return sdk.Errorf(sdk.NoSpace, "%s doesn't have enough space (needs %s).", l.name(), humanSize(need))
}

func (l *Library) name() string {
	if l.device == "" {
		return "This device"
	}
	return l.device
}

// humanSize is a number of bytes in the decimal units that drives are sold in.
func humanSize(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		value /= 1000
		if value < 999.95 || unit == "TB" {
			return fmt.Sprintf("%.1f %s", value, unit)
		}
	}
	return ""
}
