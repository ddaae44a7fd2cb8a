package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// System lists the folders that programs of every kind need in order to run:
// the system's own programs, libraries and settings, the view of processes and
// of the processor. They are for Policy.ReadOnly.
func System() []string {
	places := []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt",
		"/nix", "/gnu/store", "/home/linuxbrew/.linuxbrew",
		"/var/lib/ca-certificates",
		"/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage",
	}
	// Name servers change while a program runs, by a new file in the same folder.
	if names, err := filepath.EvalSymlinks("/etc/resolv.conf"); err == nil {
		places = append(places, filepath.Dir(names))
	}
	return places
}

// Without returns what stands for the folder when the hidden paths in it must
// not be reached: the folder itself if there are none, otherwise everything in
// it that does not lead to one. Hidden paths are free of symbolic links.
func Without(folder string, hidden ...string) []string {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return nil
	}
	return without(real, hidden)
}

func without(folder string, hidden []string) []string {
	switch {
	case !Holds(folder, hidden...):
		return []string{folder}
	case isOne(folder, hidden):
		return nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var places []string
	for _, e := range entries {
		if e.Type()&os.ModeSymlink == 0 { // what a link leads to counts where it is
			places = append(places, without(filepath.Join(folder, e.Name()), hidden)...)
		}
	}
	return places
}

func isOne(path string, of []string) bool {
	for _, p := range of {
		if p == path {
			return true
		}
	}
	return false
}

// Holds reports whether one of the paths is the folder or lies in it.
func Holds(folder string, paths ...string) bool {
	for _, p := range paths {
		if Within(folder, p) {
			return true
		}
	}
	return false
}

// Within reports whether the path is the folder or lies below it, by name. Both
// are absolute.
func Within(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// maxLinks is how many symbolic links a path may go through.
const maxLinks = 64

var errTooManyLinks = errors.New("too many symbolic links")

// Resolve follows the symbolic links of an absolute path. Beside the real path
// it returns where the links are, as real paths: whoever can exchange one of
// them decides where the path leads. A path that does not exist is an
// fs.ErrNotExist.
func Resolve(path string) (real string, links []string, err error) {
	root := filepath.VolumeName(path) + string(filepath.Separator)
	real = root
	rest := components(path)
	for len(rest) > 0 {
		next := filepath.Join(real, rest[0]) // ".." of a real folder is its parent
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return "", links, err
		}
		if info.Mode()&os.ModeSymlink == 0 {
			real = next
			continue
		}
		if links = append(links, next); len(links) > maxLinks {
			return "", links, &os.PathError{Op: "resolve", Path: path, Err: errTooManyLinks}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", links, err
		}
		if filepath.IsAbs(target) {
			real = root
		}
		rest = append(components(target), rest...)
	}
	return real, links, nil
}

// components are the names in a path, without cleaning it: "a/.." means
// something else when a is a link.
func components(path string) []string {
	var names []string
	for name := range strings.SplitSeq(filepath.ToSlash(path[len(filepath.VolumeName(path)):]), "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}
