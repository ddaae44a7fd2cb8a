CREATE TABLE activity (
    id        INTEGER  PRIMARY KEY,
    at        DATETIME NOT NULL,
    name      TEXT     NOT NULL,
    device_id TEXT     NOT NULL DEFAULT '',
    words     TEXT     NOT NULL
);

CREATE TABLE current_node (
    node_id  TEXT     NOT NULL PRIMARY KEY,
    name     TEXT     NOT NULL,
    hostname TEXT     NOT NULL,
    port     INTEGER  NOT NULL CHECK (port BETWEEN 0 AND 65535),
    saved_at DATETIME NOT NULL,
    only     INTEGER  NOT NULL DEFAULT 1 UNIQUE CHECK (only = 1)
);

CREATE TABLE discovery_cache (
    node_id     TEXT     NOT NULL PRIMARY KEY REFERENCES mesh_nodes (id) ON DELETE CASCADE,
    address     TEXT     NOT NULL,
    response_ms INTEGER  NOT NULL CHECK (response_ms >= 0),
    reachable   BOOLEAN  NOT NULL,
    checked_at  DATETIME NOT NULL
);

CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);

CREATE TABLE issued_tokens (
    token_hash   BLOB     NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    node_id      TEXT     NOT NULL REFERENCES mesh_nodes (id) ON DELETE CASCADE,
    key_hash     BLOB     CHECK (length(key_hash) = 32),
    permissions  TEXT     NOT NULL CHECK (json_type(permissions) = 'array'),
    issued_at    DATETIME NOT NULL,
    expires_at   DATETIME NOT NULL,
    last_used_at DATETIME,
    revoked_at   DATETIME
);

CREATE TABLE mesh_nodes (
    id           TEXT     NOT NULL PRIMARY KEY,
    name         TEXT     NOT NULL,
    kind         TEXT     NOT NULL CHECK (kind IN ('gateway', 'browser', 'script')),
    hostname     TEXT     NOT NULL DEFAULT '',
    key_hash     BLOB     UNIQUE CHECK (length(key_hash) = 32),
    addresses    TEXT     NOT NULL DEFAULT '[]' CHECK (json_type(addresses) = 'array'),
    capabilities TEXT     NOT NULL DEFAULT '[]' CHECK (json_type(capabilities) = 'array'),
    metadata     TEXT     NOT NULL DEFAULT '{}' CHECK (json_type(metadata) = 'object'),
    needs_repair BOOLEAN  NOT NULL DEFAULT FALSE,
    paired_at    DATETIME NOT NULL,
    last_seen    DATETIME
, archived_at DATETIME, restored_at DATETIME);

CREATE TABLE pairing_records (
    code          TEXT     NOT NULL,
    role          TEXT     NOT NULL CHECK (role IN ('showing', 'joining')),
    sealed_secret BLOB     NOT NULL,
    expires_at    DATETIME NOT NULL,
    PRIMARY KEY (code, role)
);

CREATE TABLE peer_tokens (
    node_id      TEXT     NOT NULL PRIMARY KEY REFERENCES mesh_nodes (id) ON DELETE CASCADE,
    sealed_token BLOB     NOT NULL,
    permissions  TEXT     NOT NULL CHECK (json_type(permissions) = 'array'),
    expires_at   DATETIME NOT NULL
);

CREATE TABLE sessions (
    id           TEXT     NOT NULL PRIMARY KEY,
    secret_hash  BLOB     NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    kind         TEXT     NOT NULL CHECK (kind IN ('owner', 'device')),
    device_id    TEXT     REFERENCES mesh_nodes (id) ON DELETE CASCADE,
    permissions  TEXT     NOT NULL DEFAULT '[]' CHECK (json_type(permissions) = 'array'),
    manage       BOOLEAN  NOT NULL DEFAULT FALSE,
    description  TEXT     NOT NULL DEFAULT '',
    created_at   DATETIME NOT NULL,
    expires_at   DATETIME NOT NULL,
    last_used_at DATETIME,
    CHECK ((kind = 'device') = (device_id IS NOT NULL))
);

CREATE INDEX issued_tokens_node ON issued_tokens (node_id);

CREATE INDEX pairing_records_expiry ON pairing_records (expires_at);

CREATE INDEX sessions_device ON sessions (device_id);
