package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// fallbackName is the name of a device that nobody and no host name named.
const fallbackName = "Salita"

// record is node_identity.json.
type record struct {
	ID        mesh.DeviceID `json:"id"`
	Name      string        `json:"name"`
	CreatedAt time.Time     `json:"created_at"`
	// ConfiguredName is the name in force by configuration at the last start.
	ConfiguredName string `json:"configured_name,omitempty"`
}

// uuid matches the ids of the earlier Salita, whose devices had no key. An id
// derived from a key never has dashes.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// legacy reports whether the earlier Salita wrote the record. Its id gives way
// to one derived from a key; name and date stay.
func (r record) legacy() bool { return uuid.MatchString(string(r.ID)) }

// applyName takes over the configured name if it is news, and makes sure that
// there is a clean name at all.
func (r *record) applyName(configured string) {
	r.Name = mesh.CleanName(r.Name)
	if configured != "" && configured != r.ConfiguredName {
		r.Name = configured
	}
	r.ConfiguredName = configured
	if r.Name == "" {
		r.Name = hostName()
	}
}

// hostName is the computer's own name without its domain.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return fallbackName
	}
	host, _, _ = strings.Cut(host, ".")
	if name := mesh.CleanName(host); name != "" {
		return name
	}
	return fallbackName
}

// readRecord reads node_identity.json; found is false when there is none. A
// damaged one is an error and stays untouched.
func readRecord(path string) (r record, found bool, err error) {
	data, _, found, err := readFile(path)
	if err != nil {
		return record{}, false, damaged("This device's identity %s can't be read.", path).Because(err)
	}
	if !found {
		return record{}, false, nil
	}
	if r, err = parseRecord(data); err != nil {
		return record{}, false, damaged("This device's identity %s is damaged.", path).Because(err)
	}
	return r, true, nil
}

func parseRecord(data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		// The earlier Salita may have spelled its date in another way.
		r = record{}
		var lenient struct {
			ID   mesh.DeviceID `json:"id"`
			Name string        `json:"name"`
		}
		if json.Unmarshal(data, &lenient) != nil || !(record{ID: lenient.ID}).legacy() {
			return record{}, err
		}
		r.ID, r.Name = lenient.ID, lenient.Name
	}
	if r.ID == "" {
		return record{}, errors.New(`"id" is missing`)
	}
	return r, nil
}

func writeRecord(path string, r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = replaceFile(path, append(data, '\n'))
	}
	if err != nil {
		return sdk.Errorf(sdk.Internal, "This device's identity %s can't be written.", path).Because(err)
	}
	return nil
}

// keepLegacyRecord copies the earlier Salita's file into backups/ before it is
// replaced. Repeating it after a crash changes nothing.
func keepLegacyRecord(dir string, id mesh.DeviceID) error {
	data, _, found, err := readFile(filepath.Join(dir, recordFile))
	if err == nil && !found {
		err = errors.New("it disappeared")
	}
	backups := filepath.Join(dir, "backups")
	if err == nil {
		err = os.MkdirAll(backups, folderMode)
	}
	if err == nil {
		err = replaceFile(filepath.Join(backups, fmt.Sprintf("node_identity-%s.json", id)), data)
	}
	if err != nil {
		return fmt.Errorf("keep earlier identity: %w", err)
	}
	return nil
}
