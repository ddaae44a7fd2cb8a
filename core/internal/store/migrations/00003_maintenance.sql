-- +goose Up

-- A device that nobody saw for long is kept, but not in the list, until it is
-- seen or somebody puts it back.
ALTER TABLE mesh_nodes ADD COLUMN archived_at DATETIME;
ALTER TABLE mesh_nodes ADD COLUMN restored_at DATETIME;

-- The last use of its access is the only sign of a phone or script. It goes to
-- the device, because tokens and sessions that have expired are swept.
UPDATE mesh_nodes SET last_seen = used.at
FROM (
    SELECT node_id AS id, max(last_used_at) AS at FROM (
        SELECT node_id, last_used_at FROM issued_tokens
        UNION ALL
        SELECT device_id, last_used_at FROM sessions WHERE device_id IS NOT NULL
    ) GROUP BY node_id
) AS used
WHERE used.id = mesh_nodes.id AND used.at IS NOT NULL
  AND (mesh_nodes.last_seen IS NULL OR mesh_nodes.last_seen < used.at);

-- What this gateway did by itself, in plain words. It outlives the devices.
CREATE TABLE activity (
    id        INTEGER  PRIMARY KEY,
    at        DATETIME NOT NULL,
    name      TEXT     NOT NULL,
    device_id TEXT     NOT NULL DEFAULT '',
    words     TEXT     NOT NULL
);
