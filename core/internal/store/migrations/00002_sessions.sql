-- +goose Up

-- Browsers that are signed in: only the hashes of their secrets. The owner's
-- belong to no device.
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
CREATE INDEX sessions_device ON sessions (device_id);
