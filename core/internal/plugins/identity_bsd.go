//go:build darwin || freebsd || netbsd

package plugins

import (
	"io/fs"
	"os"
	"syscall"
)

func (id *fileID) fill(info fs.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id.device, id.inode = uint64(stat.Dev), uint64(stat.Ino)
		id.changed = stat.Ctimespec.Nano()
	}
}

// beingWritten cannot be asked on this system.
func beingWritten(*os.File) bool { return false }

// mountedNoExec is not asked on this system.
func mountedNoExec(string) bool { return false }
