package plugins

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// memory is what the gateway remembers of a plugin between launches, also those
// of an earlier gateway.
type memory struct {
	// Paths are the attributes that name files or folders, by its last manifest:
	// what its process may touch has to be known before it can say so itself.
	Paths []string `json:"paths,omitempty"`
	// Folders are those outside of its data folder that it has worked in. One of
	// them that is missing now is not made again: its drive may not be connected,
	// and files would go to the wrong one.
	Folders []string `json:"folders,omitempty"`
}

// recall reads the memory. Without one, or with one that cannot be read, there
// is none: a launch then finds out anew.
func (l *launcher) recall() (m memory) {
	text, err := os.ReadFile(l.memoryFile())
	if err == nil && json.Unmarshal(text, &m) == nil {
		return m
	}
	return memory{}
}

// remember changes the memory, if it changes at all.
func (l *launcher) remember(change func(*memory)) {
	if l.onlyLook {
		return
	}
	before, m := l.recall(), l.recall()
	change(&m)
	if slices.Equal(m.Paths, before.Paths) && slices.Equal(m.Folders, before.Folders) {
		return
	}
	if err := writeMemory(l.memoryFile(), m); err != nil {
		l.log.Warn("what is known of the plugin is not remembered", "error", err)
	}
}

// memoryFile lies where no plugin can write.
func (l *launcher) memoryFile() string {
	return filepath.Join(l.gatewayDir, "cache", "launches", l.order.spec.Name+".json")
}

func writeMemory(path string, m memory) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
