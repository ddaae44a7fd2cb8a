//go:build !unix

package config

import "os"

// foreign cannot be told here.
func foreign(string) bool { return false }

// keepOwner has nothing to do here.
func keepOwner(*os.File, os.FileInfo) {}
