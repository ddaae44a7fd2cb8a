package plugins

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func (id *fileID) fill(info fs.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id.device, id.inode = stat.Dev, stat.Ino
		id.changed = stat.Ctim.Nano()
	}
}

// mountedNoExec reports whether the system executes nothing that lies there.
func mountedNoExec(dir string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(dir, &stat) == nil && stat.Flags&unix.ST_NOEXEC != 0
}

// beingWritten reports whether somebody has the file open for writing: a lease
// for reading is refused then. What cannot be asked (the files of others, many
// network drives) counts as no.
func beingWritten(f *os.File) bool {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	}
	return errors.Is(err, unix.EAGAIN)
}
