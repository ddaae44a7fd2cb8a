package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// maxLinks bounds how many links are followed on the way to a file.
const maxLinks = 32

// spots finds everything that decides what is read at a path: for each, the
// folder and the name in it. They are the path itself and every link on the way
// to it, as in the chain of links that configuration tools exchange as a whole.
func spots(path string) map[string][]string {
	found := map[string][]string{}
	seen := map[string]bool{}
	for queue := []string{path}; len(queue) > 0 && len(seen) < maxLinks; queue = queue[1:] {
		path := queue[0]
		if seen[path] {
			continue
		}
		seen[path] = true
		found[filepath.Dir(path)] = append(found[filepath.Dir(path)], filepath.Base(path))
		for part := path; part != filepath.Dir(part); part = filepath.Dir(part) {
			target, err := os.Readlink(part)
			if err != nil {
				continue
			}
			dir := filepath.Dir(part)
			found[dir] = append(found[dir], filepath.Base(part))
			if !filepath.IsAbs(target) {
				target = join(dir, target)
			}
			queue = append(queue, target+strings.TrimPrefix(path, part))
		}
	}
	return found
}

// join is a relative link's target seen from the folder that the link is in.
// "..", as the system reads it, leads out of where a linked folder really is.
func join(dir, target string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	return filepath.Join(dir, target)
}

// folders are watched for what happens to names in them.
type folders struct {
	notifier *fsnotify.Watcher
	watched  map[string]fs.FileInfo
	names    map[string]bool
}

// set watches exactly what decides about these paths, as things are now. What
// cannot be watched is left out.
func (f *folders) set(paths []string) {
	wanted := map[string]bool{}
	f.names = map[string]bool{}
	for _, path := range paths {
		for dir, names := range spots(path) {
			wanted[dir] = true
			for _, name := range names {
				f.names[name] = true
			}
		}
	}
	for dir, before := range f.watched {
		now, err := os.Stat(dir)
		if !wanted[dir] || err != nil || !os.SameFile(before, now) {
			_ = f.notifier.Remove(dir) // it may be gone already
			delete(f.watched, dir)
		}
	}
	for dir := range wanted {
		if _, already := f.watched[dir]; already {
			continue
		}
		info, err := os.Stat(dir)
		if err == nil && f.notifier.Add(dir) == nil {
			f.watched[dir] = info
		}
	}
}

// concerns reports whether an event may have changed what is read. The data
// folder, where the database lives, is a busy place.
func (f *folders) concerns(e fsnotify.Event) bool {
	return f.names[filepath.Base(e.Name)]
}
