//go:build !linux

package plugins

import "os"

// endHolders does nothing: this system does not tell who holds a pipe.
func endHolders(uint64, ...*os.File) {}

func birth(int) uint64 { return 0 }
