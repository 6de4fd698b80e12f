-- Executions may be queued and paused; they know the workflow that they are of.
-- A CHECK cannot be changed, so the table is made anew. `executions_by_status` and
-- `executions_by_workflow` end in the row's number: a page of a list is one range
-- of one index, whatever the number of executions.
CREATE TABLE executions_new (
    number              INTEGER PRIMARY KEY,
    tenant_id           INTEGER NOT NULL REFERENCES tenants,
    id                  BLOB NOT NULL,
    parent              BLOB,
    thread              TEXT NOT NULL,
    workflow            TEXT,
    version             BLOB,
    status              TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'waiting', 'paused', 'completed', 'failed',
            'cancelled')),
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
    lease_owner         TEXT,
    lease_until         INTEGER,
    fence               INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, id)
) STRICT;
INSERT INTO executions_new
SELECT number, tenant_id, id, parent, thread, NULL, version, status, input, input_blob, started_at,
    ended_at, error, error_blob, tokens_input, tokens_cached_read, tokens_cached_write,
    tokens_output, tokens_reasoning, cost_micros, lease_owner, lease_until, fence
FROM executions;
DROP TABLE executions;
ALTER TABLE executions_new RENAME TO executions;
CREATE INDEX executions_by_thread ON executions (tenant_id, thread);
CREATE INDEX executions_by_status ON executions (tenant_id, status);
CREATE INDEX executions_by_workflow ON executions (tenant_id, workflow)
    WHERE workflow IS NOT NULL;
CREATE INDEX executions_by_parent ON executions (tenant_id, parent) WHERE parent IS NOT NULL;

-- What is to be done. Each row is in at most one of the indexes, that of its state,
-- so a change of state is one removal and one insert of some 60 bytes; a claim
-- reads the first rows of `work_ready` and nothing else, whatever else there is.
CREATE TABLE work_queue (
    tenant_id      INTEGER NOT NULL REFERENCES tenants,
    execution      BLOB NOT NULL,
    task           TEXT NOT NULL,
    route          TEXT NOT NULL,
    priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    workflow       TEXT,
    key            TEXT,
    key_limit      INTEGER,
    state          TEXT NOT NULL
        CHECK (state IN ('ready', 'delayed', 'held', 'leased', 'paused', 'dead')),
    rank           INTEGER NOT NULL,
    since          INTEGER NOT NULL,
    run_at         INTEGER,
    slots          INTEGER NOT NULL,
    held_on        TEXT,
    deliveries     INTEGER NOT NULL,
    deliveries_max INTEGER NOT NULL,
    fence          INTEGER NOT NULL,
    lease_owner    TEXT,
    lease_until    INTEGER,
    paused         INTEGER NOT NULL,
    woken          INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, execution, task)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_ready ON work_queue (route, priority, rank, execution, task)
    WHERE state = 'ready';
CREATE INDEX work_delayed ON work_queue (run_at, execution, task)
    WHERE state = 'delayed' AND run_at IS NOT NULL;
CREATE INDEX work_leased ON work_queue (lease_until, execution, task) WHERE state = 'leased';
CREATE INDEX work_held ON work_queue (tenant_id, held_on, priority, since, execution, task)
    WHERE state = 'held';

-- A tenant's last rank, and (without tenant) the rank claimed last.
CREATE TABLE queue_ranks (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    route     TEXT NOT NULL,
    priority  INTEGER NOT NULL,
    rank      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, route, priority)
) STRICT, WITHOUT ROWID;
CREATE TABLE queue_clocks (
    route    TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    PRIMARY KEY (route, priority)
) STRICT, WITHOUT ROWID;
CREATE TABLE queue_weights (
    tenant_id INTEGER PRIMARY KEY REFERENCES tenants,
    weight    INTEGER NOT NULL
) STRICT;

-- `scope` is a letter for the kind (key, workflow, tenant) and a name.
CREATE TABLE concurrency (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    scope     TEXT NOT NULL,
    slots     INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    fixed     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE rates (
    tenant_id       INTEGER NOT NULL REFERENCES tenants,
    scope           TEXT NOT NULL,
    interval_micros INTEGER NOT NULL,
    burst           INTEGER NOT NULL,
    next_at         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    execution  BLOB NOT NULL,
    task       TEXT NOT NULL,
    route      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, execution, task)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_time ON dead_letters (tenant_id, time);

CREATE TABLE schedules (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    name      TEXT NOT NULL,
    cron      TEXT NOT NULL,
    zone      TEXT NOT NULL,
    missed    TEXT NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    payload   BLOB NOT NULL,
    enabled   INTEGER NOT NULL,
    next_at   INTEGER,
    PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at) WHERE enabled = 1 AND next_at IS NOT NULL;

CREATE TABLE budgets (
    tenant_id          INTEGER NOT NULL REFERENCES tenants,
    root               BLOB NOT NULL,
    limit_micros       INTEGER NOT NULL,
    settled_micros     INTEGER NOT NULL,
    reserved_micros    INTEGER NOT NULL,
    unconfirmed_micros INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, root)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservations (
    tenant_id     INTEGER NOT NULL REFERENCES tenants,
    root          BLOB NOT NULL,
    id            BLOB NOT NULL,
    execution     BLOB NOT NULL,
    fence         INTEGER NOT NULL,
    amount_micros INTEGER NOT NULL,
    closed        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, root, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_open ON reservations (tenant_id, root, execution) WHERE closed = 0;

CREATE TABLE idempotency_keys (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    caller    TEXT NOT NULL,
    route     TEXT NOT NULL,
    key       TEXT NOT NULL,
    body      BLOB NOT NULL,
    answer    BLOB NOT NULL,
    time      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, caller, route, key)
) STRICT, WITHOUT ROWID;
