-- Times are microseconds since the Unix epoch, ids are 16-byte UUIDs, hashes are
-- 32-byte BLAKE3. A payload is in its column, or, from 64 KiB on, in `blobs`
-- under the hash in the column of the same name with `_blob`. Payloads, blobs and
-- packed entries start with a byte that says how they are encoded (encode.rs).
--
-- Big tables have a plain rowid, so that appending always goes to the right end
-- of the file's tree whatever the number of executions at work, and rows up to a
-- page need no overflow page. Secondary keys use the small `number`s of
-- executions and lanes instead of repeating their names.

CREATE TABLE tenants (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO tenants (id, name) VALUES (1, 'local');

CREATE TABLE blobs (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    hash      BLOB NOT NULL,
    content   BLOB NOT NULL,
    UNIQUE (tenant_id, hash)
) STRICT;

CREATE TABLE workflow_versions (
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    hash       BLOB NOT NULL,
    file       TEXT NOT NULL,
    source     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant_id, hash)
) STRICT;

CREATE TABLE executions (
    number              INTEGER PRIMARY KEY,
    tenant_id           INTEGER NOT NULL REFERENCES tenants,
    id                  BLOB NOT NULL,
    parent              BLOB,
    thread              TEXT NOT NULL,
    version             BLOB,
    status              TEXT NOT NULL
        CHECK (status IN ('running', 'waiting', 'completed', 'failed', 'cancelled')),
    input               BLOB,
    input_blob          BLOB,
    started_at          INTEGER NOT NULL,
    ended_at            INTEGER,
    error               BLOB,
    error_blob          BLOB,
    tokens_input        INTEGER NOT NULL,
    tokens_cached_read  INTEGER NOT NULL,
    tokens_cached_write INTEGER NOT NULL,
    tokens_output       INTEGER NOT NULL,
    tokens_reasoning    INTEGER NOT NULL,
    cost_micros         INTEGER NOT NULL,
    UNIQUE (tenant_id, id)
) STRICT;
CREATE INDEX executions_by_thread ON executions (tenant_id, thread);
CREATE INDEX executions_open ON executions (tenant_id, status)
    WHERE status IN ('running', 'waiting');

CREATE TABLE lanes (
    number    INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    thread    TEXT NOT NULL,
    namespace TEXT NOT NULL,
    UNIQUE (tenant_id, thread, namespace)
) STRICT;

-- Entries `first_sequence` to `last_sequence` of an execution, packed (pack.rs):
-- what is written in one transaction shares its rows, because lines of one
-- superstep repeat each other. `hash` is that of the last; the chain runs through
-- the others too, and follows from them.
CREATE TABLE entries (
    number         INTEGER PRIMARY KEY,
    tenant_id      INTEGER NOT NULL REFERENCES tenants,
    execution      INTEGER NOT NULL REFERENCES executions,
    first_sequence INTEGER NOT NULL,
    last_sequence  INTEGER NOT NULL,
    packed         BLOB NOT NULL,
    hash           BLOB NOT NULL,
    UNIQUE (tenant_id, execution, last_sequence)
) STRICT;

-- The blobs that packed entries name.
CREATE TABLE entry_blobs (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    execution INTEGER NOT NULL REFERENCES executions,
    hash      BLOB NOT NULL,
    PRIMARY KEY (tenant_id, execution, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    number     INTEGER PRIMARY KEY,
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    lane       INTEGER NOT NULL REFERENCES lanes,
    id         BLOB NOT NULL,
    parent     INTEGER REFERENCES checkpoints,
    step       INTEGER NOT NULL,
    source     TEXT NOT NULL CHECK (source IN ('input', 'loop', 'update', 'fork')),
    execution  INTEGER NOT NULL REFERENCES executions,
    time       INTEGER NOT NULL,
    meta       BLOB NOT NULL,
    is_full    INTEGER NOT NULL,
    state      BLOB,
    state_blob BLOB,
    hash       BLOB NOT NULL,
    UNIQUE (tenant_id, lane, id)
) STRICT;
CREATE INDEX checkpoints_by_lane ON checkpoints (tenant_id, lane);

CREATE TABLE pending_writes (
    tenant_id    INTEGER NOT NULL REFERENCES tenants,
    lane         INTEGER NOT NULL REFERENCES lanes,
    checkpoint   BLOB NOT NULL,
    task         TEXT NOT NULL,
    payload      BLOB,
    payload_blob BLOB,
    PRIMARY KEY (tenant_id, lane, checkpoint, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE effects (
    number      INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL REFERENCES tenants,
    lane        INTEGER NOT NULL REFERENCES lanes,
    task        TEXT NOT NULL,
    ordinal     INTEGER NOT NULL,
    execution   INTEGER NOT NULL REFERENCES executions,
    step        INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    request     BLOB NOT NULL,
    key         TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('intent', 'done', 'failed')),
    result      BLOB,
    result_blob BLOB,
    time        INTEGER NOT NULL,
    UNIQUE (tenant_id, lane, task, ordinal)
) STRICT;
CREATE INDEX effects_open ON effects (tenant_id, lane) WHERE status = 'intent';

CREATE TABLE interrupts (
    number        INTEGER PRIMARY KEY,
    tenant_id     INTEGER NOT NULL REFERENCES tenants,
    lane          INTEGER NOT NULL REFERENCES lanes,
    id            TEXT NOT NULL,
    checkpoint    BLOB NOT NULL,
    task          TEXT NOT NULL,
    execution     INTEGER NOT NULL REFERENCES executions,
    value         BLOB,
    value_blob    BLOB,
    snapshot      BLOB,
    snapshot_blob BLOB,
    time          INTEGER NOT NULL,
    answer        BLOB,
    answer_blob   BLOB,
    answered_at   INTEGER,
    UNIQUE (tenant_id, lane, id)
) STRICT;

-- `namespace` is the path's parts, each followed by U+001F.
CREATE TABLE items (
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    namespace  TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (tenant_id, namespace, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_cache (
    tenant_id    INTEGER NOT NULL REFERENCES tenants,
    key          BLOB NOT NULL,
    payload      BLOB,
    payload_blob BLOB,
    expires_at   INTEGER,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
