//go:build unix && !linux

package faults

import "errors"

func mountSmall(string) (func() error, error) { return nil, errors.ErrUnsupported }
