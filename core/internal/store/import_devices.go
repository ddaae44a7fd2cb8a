package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// takeRows moves the devices, this one among them, and where they were found.
func (i *legacyImport) takeRows(ctx context.Context) error {
	nodes, err := i.rows(ctx, "mesh_nodes")
	if err != nil {
		return err
	}
	named, err := i.rows(ctx, "current_node")
	if err != nil {
		return err
	}
	own, others := split(nodes, named)
	if err := i.takeCurrent(ctx, own, named); err != nil {
		return fmt.Errorf("this device: %w", err)
	}
	if err := i.takeDevices(ctx, others); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	return i.takeSightings(ctx)
}

// split tells the rows that are this device from those of others. Schema 005
// flags this device, later ones name it elsewhere; a file may do both, and
// differently, because an earlier step forgot its first identity.
func split(nodes, named []legacyRow) (own, others []legacyRow) {
	ids := map[string]bool{}
	for _, row := range named {
		ids[row.text("node_id")] = true
	}
	for _, row := range nodes {
		if ids[row.text("id")] || row.yes("is_current") {
			own = append(own, row)
		} else {
			others = append(others, row)
		}
	}
	// The identity in force comes first: the one named, else the last one seen.
	slices.SortStableFunc(own, func(a, b legacyRow) int {
		if x := ids[a.text("id")]; x != ids[b.text("id")] {
			return map[bool]int{true: -1, false: 1}[x]
		}
		seenA, _ := a.time("last_seen")
		seenB, _ := b.time("last_seen")
		return seenB.Compare(seenA)
	})
	return own, others
}

// takeCurrent notes what this device was called.
func (i *legacyImport) takeCurrent(ctx context.Context, own, named []legacyRow) error {
	for _, row := range named {
		known := func(o legacyRow) bool { return o.text("id") == row.text("node_id") }
		if !slices.ContainsFunc(own, known) {
			i.note("current_node", "It names a device that isn't there.", row.json())
		}
	}
	if len(own) == 0 {
		return nil
	}
	for _, row := range own[1:] {
		i.note("device "+row.text("id"), "It is an earlier entry of this device itself.", row.json())
	}
	this := own[0]
	port, _ := this.port("port")
	return i.exec(ctx, `INSERT INTO current_node (node_id, name, hostname, port, saved_at) VALUES (?, ?, ?, ?, ?)`,
		this.text("id"), i.name(this), mesh.CleanSentence(this.text("hostname")), port, i.now)
}

func (i *legacyImport) takeDevices(ctx context.Context, rows []legacyRow) error {
	insert, err := i.tx.PrepareContext(ctx, `INSERT INTO mesh_nodes
		(id, name, kind, hostname, addresses, capabilities, metadata, needs_repair, paired_at, last_seen)
		VALUES (?, ?, ?, ?, ?, ?, ?, TRUE, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range rows {
		d := i.device(row)
		if _, err := insert.ExecContext(ctx, d.ID, d.Name, d.Kind, d.Hostname,
			d.Addresses, d.Capabilities, d.Metadata, d.PairedAt, d.LastSeen); err != nil {
			return fmt.Errorf("%q: %w", d.ID, err)
		}
		i.devices++
	}
	return nil
}

// device is a row in our form. Each has to be paired again, because the earlier
// Salita's devices had no keys; until then it shows what was known of it.
func (i *legacyImport) device(row legacyRow) deviceRow {
	d := deviceRow{
		ID:           i.id(row),
		Name:         i.name(row),
		Hostname:     mesh.CleanSentence(row.text("hostname")),
		Capabilities: i.capabilities(row),
		Metadata:     i.metadata(row),
	}
	address, callable := row.address()
	if callable {
		d.Addresses = list{address}
	} else if row.text("port") != "0" { // which is nothing to lose
		i.note("address of device "+d.ID, "It is no address to call.", row.json())
	}
	d.Kind = string(guessKind(callable, d.Capabilities))
	d.PairedAt, d.LastSeen = i.times(row)
	i.taken[d.ID] = address
	return d
}

// guessKind tells a phone's browser from a computer that runs Salita: nobody
// can call the first, or all it does is take pictures and post. The earlier
// Salita did not keep them apart, and pairing again corrects a wrong guess.
func guessKind(callable bool, capabilities []string) mesh.Kind {
	ofBrowsers := func(c string) bool { return c == "posting" || c == "media.capture" }
	onlyThose := len(capabilities) > 0 && !slices.ContainsFunc(capabilities, func(c string) bool { return !ofBrowsers(c) })
	if !callable || onlyThose {
		return mesh.KindBrowser
	}
	return mesh.KindGateway
}

// takeSightings moves where the devices were last looked for.
func (i *legacyImport) takeSightings(ctx context.Context) error {
	rows, err := i.rows(ctx, "discovery_cache")
	if err != nil {
		return err
	}
	for _, row := range rows {
		id := row.text("node_id")
		address, known := i.taken[id]
		at, ok := row.time("last_ping_at")
		if !known || !ok {
			i.note("discovery_cache "+id, "It belongs to no other device, or has no time.", row.json())
			continue
		}
		delete(i.taken, id) // one is enough
		took, _ := row.integer("response_time_ms")
		if err := i.exec(ctx, `INSERT INTO discovery_cache (node_id, address, response_ms, reachable, checked_at)
			VALUES (?, ?, ?, ?, ?)`, id, address, max(0, took), row.yes("reachable"), at); err != nil {
			return fmt.Errorf("sighting of %q: %w", id, err)
		}
	}
	return nil
}
