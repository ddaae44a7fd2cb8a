package sdktest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// listening lists the TCP addresses, as the kernel spells them, on which the
// process listens.
func listening(pid int) ([]string, error) {
	inodes, err := socketInodes(pid)
	if err != nil {
		return nil, fmt.Errorf("look at the sockets of the process: %w", err)
	}
	var found []string
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "net", table))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a system without IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			const address, state, inode, listen = 1, 3, 9, "0A" // see proc(5)
			fields := strings.Fields(line)
			if len(fields) > inode && fields[state] == listen && inodes[fields[inode]] {
				found = append(found, table+" "+fields[address])
			}
		}
	}
	return found, nil
}

// socketInodes are the sockets that the process has open.
func socketInodes(pid int) (map[string]bool, error) {
	dir := filepath.Join("/proc", fmt.Sprint(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := make(map[string]bool)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed since
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}
