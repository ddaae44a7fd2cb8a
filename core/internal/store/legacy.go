package store

import (
	"context"
	"database/sql"
	"fmt"
)

// legacyLevel tells whether the database is that of the earlier Salita, which
// was another program, and returns the number of its schema, such as "008". It
// is "" for anything else: a file that only looks similar is not ours to change.
func legacyLevel(ctx context.Context, db *sql.DB) (string, error) {
	var alike bool
	err := db.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('schema_version', 'mesh_nodes')) = 2
		AND (SELECT count(*) FROM pragma_table_info('schema_version') WHERE name IN ('name', 'applied_at')) = 2
		AND (SELECT count(*) FROM pragma_table_info('mesh_nodes') WHERE name IN ('id', 'name', 'hostname', 'port')) = 4`).Scan(&alike)
	if err != nil {
		return "", fmt.Errorf("read schema: %w", err)
	}
	if !alike {
		return "", nil
	}
	// The step that first made mesh_nodes has a name that nobody else uses.
	var level string
	err = db.QueryRowContext(ctx, `SELECT coalesce(substr(max(name), 1, 3), '') FROM schema_version
		WHERE name GLOB '[0-9][0-9][0-9]_*'
		AND EXISTS (SELECT * FROM schema_version WHERE name = '005_mesh_network')`).Scan(&level)
	if err != nil {
		return "", fmt.Errorf("read earlier schema version: %w", err)
	}
	return level, nil
}

// fate is what becomes of a table of the earlier Salita.
type fate int

const (
	keep fate = iota // under another name, for whoever comes to need it
	take             // its rows move to our tables
	drop             // its rows mean nothing any more
)

// legacyTable is a table that the earlier Salita may have had.
type legacyTable struct {
	name string
	fate fate
	why  string // when dropped, for people
}

// legacyTables are the tables of every schema up to 008. A file has some.
func legacyTables() []legacyTable {
	const (
		signIns = "Sign-ins of the earlier Salita have ended. Sign in again."
		access  = "Access without a device key is not honoured any more. Pair the device again."
		joining = "Pairings that the earlier Salita began can't be finished. Start again."
		links   = "Which devices reach each other is found out anew."
	)
	return []legacyTable{
		{name: "schema_version"},
		{name: "users"},
		{name: "posts"},
		{name: "post_images"},
		{name: "reactions"},
		{name: "comments"},
		{name: "social_accounts"},
		{name: "social_posts"},
		{name: "cross_posts"},
		{name: "services"},
		{name: "config"},
		{name: "passkey_credentials"},

		{name: "mesh_nodes", fate: take},
		{name: "current_node", fate: take},
		{name: "discovery_cache", fate: take},

		{name: "sessions", fate: drop, why: signIns},
		{name: "device_sessions", fate: drop, why: signIns},
		{name: "invite_tokens", fate: drop, why: joining},
		{name: "pairing_states", fate: drop, why: joining},
		{name: "pairing_events", fate: drop, why: joining},
		{name: "issued_tokens", fate: drop, why: access},
		{name: "peer_tokens", fate: drop, why: access},
		{name: "node_connections", fate: drop, why: links},
	}
}
