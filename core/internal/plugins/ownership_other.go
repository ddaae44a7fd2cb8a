//go:build !unix

package plugins

import "io/fs"

// executable cannot be told from the mode on this system.
func executable(fs.FileInfo) bool { return true }

// checkOwnership has no answer on this system: rights are not in the mode.
func checkOwnership(string, fs.FileInfo) error { return nil }

// ownedByMe has no answer on this system; the lock alone decides.
func ownedByMe(fs.FileInfo) bool { return true }
