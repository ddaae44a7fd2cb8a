package plugins

import (
	"io/fs"
	"os"
)

// fileID tells whether a file is still the one that was looked at. Two that are
// equal have the same content, unless somebody set the clock back on purpose.
type fileID struct {
	device, inode uint64
	size          int64
	modified      int64 // Unix nanoseconds
	changed       int64 // also by chmod, chown, link and rename; 0 where the system does not tell
}

// content leaves out what changes without the content.
func (id fileID) content() fileID {
	id.changed = 0
	return id
}

func newFileID(info fs.FileInfo) fileID {
	id := fileID{size: info.Size(), modified: info.ModTime().UnixNano()}
	id.fill(info)
	return id
}

// identify looks at the file that path leads to.
func identify(path string) (fileID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	return newFileID(info), nil
}
