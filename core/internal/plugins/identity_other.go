//go:build !(linux || darwin || freebsd || netbsd)

package plugins

import (
	"io/fs"
	"os"
)

func (id *fileID) fill(fs.FileInfo) {}

// beingWritten cannot be asked on this system.
func beingWritten(*os.File) bool { return false }

// mountedNoExec is not asked on this system.
func mountedNoExec(string) bool { return false }
