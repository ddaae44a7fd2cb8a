//go:build unix

package plugins

import (
	"io/fs"
	"os"
	"syscall"
)

// executable reports whether anyone may run the file.
func executable(info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// checkOwnership refuses what somebody else could replace: a file or folder
// that its group or everybody may write to, or that belongs to another user.
func checkOwnership(path string, info fs.FileInfo) error {
	what := "file"
	if info.IsDir() {
		what = "folder"
	}
	if info.Mode().Perm()&0o022 != 0 {
		return refusal("Others can change the %s %s. Run: chmod go-w %s", what, path, quoted(path))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return refusal("The %s %s belongs to another user. Run: sudo chown $(id -u) %s", what, path, quoted(path))
	}
	return nil
}

// ownedByMe reports whether the file belongs to the gateway's user.
func ownedByMe(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
