//go:build unix

package config

import (
	"os"
	"syscall"
)

// foreign reports whether somebody else decides what is in the file: another
// user than this one and root, or everybody.
func foreign(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false // then it is not read either
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm()&0o002 != 0 || ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}

// keepOwner gives the file the owner of the one that it replaces, where the
// system lets this user do so.
func keepOwner(file *os.File, of os.FileInfo) {
	if stat, ok := of.Sys().(*syscall.Stat_t); ok {
		_ = file.Chown(int(stat.Uid), int(stat.Gid))
	}
}
