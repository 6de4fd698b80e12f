-- Processes outside that pull tasks. `secret` is a hash; `about` is the writer's.
CREATE TABLE workers (
    tenant_id     INTEGER NOT NULL REFERENCES tenants,
    id            BLOB NOT NULL,
    name          TEXT NOT NULL,
    secret        BLOB NOT NULL,
    about         BLOB NOT NULL,
    draining      INTEGER NOT NULL,
    running       INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
