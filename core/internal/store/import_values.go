package store

import (
	"encoding/json"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// id is the device's id as it was. One that nobody could type, or that another
// device has, gives way to a new one: no device gets lost.
func (i *legacyImport) id(row legacyRow) string {
	id := row.text("id")
	if _, taken := i.taken[id]; id != "" && id == mesh.CleanName(id) && !taken {
		return id
	}
	fresh := string(mesh.NewDeviceID())
	i.note("id of device "+fresh, "It is empty, taken or can't be typed.", row.json())
	return fresh
}

// name is the device's name, made fit to show.
func (i *legacyImport) name(row legacyRow) string {
	old := row.text("name")
	name := mesh.CleanName(old)
	if name != old {
		i.note("name of device "+row.text("id"), "It can't be shown as it is.", old)
	}
	for _, other := range []string{row.text("hostname"), row.text("id"), "Device"} {
		if name == "" {
			name = mesh.CleanName(other)
		}
	}
	return name
}

// capabilities are what the device said it could do.
func (i *legacyImport) capabilities(row legacyRow) list {
	old := row.text("capabilities")
	if old == "" {
		return nil
	}
	var found []any
	if err := json.Unmarshal([]byte(old), &found); err != nil {
		i.note("capabilities of device "+row.text("id"), "They can't be read.", old)
		return nil
	}
	var names list
	for _, one := range found {
		name, ok := one.(string)
		if !ok {
			i.note("capabilities of device "+row.text("id"), "One of them is not a name.", old)
			continue
		}
		names = append(names, name)
	}
	return names
}

// metadata is what else was known of the device.
func (i *legacyImport) metadata(row legacyRow) labels {
	old := row.text("metadata")
	if old == "" {
		return nil
	}
	var found labels
	if err := found.Scan(old); err != nil {
		i.note("metadata of device "+row.text("id"), "It can't be read.", old)
		return nil
	}
	return found
}

// times are when the device was paired and last seen.
func (i *legacyImport) times(row legacyRow) (paired time.Time, lastSeen *time.Time) {
	seen, ok := row.time("last_seen")
	if ok {
		lastSeen = &seen
	} else if old := row.text("last_seen"); old != "" {
		i.note("last_seen of device "+row.text("id"), "It is no time.", old)
	}
	paired, ok = row.time("created_at")
	if ok {
		return paired, lastSeen
	}
	i.note("created_at of device "+row.text("id"), "It is no time.", row.text("created_at"))
	if lastSeen != nil {
		return *lastSeen, lastSeen
	}
	return i.now, lastSeen
}
