-- Executions may be queued and paused; they know the workflow that they are of.
-- Lists by status and workflow read one range of one index.
ALTER TABLE executions DROP CONSTRAINT executions_status_check;
ALTER TABLE executions ADD CONSTRAINT executions_status_check
    CHECK (status IN ('queued', 'running', 'waiting', 'paused', 'completed', 'failed',
        'cancelled')) NOT VALID;
ALTER TABLE executions ADD COLUMN workflow text COLLATE "C";
DROP INDEX executions_open;
CREATE INDEX executions_by_status ON executions (tenant_id, status, number);
CREATE INDEX executions_by_workflow ON executions (tenant_id, workflow, number)
    WHERE workflow IS NOT NULL;
CREATE INDEX executions_by_parent ON executions (tenant_id, parent) WHERE parent IS NOT NULL;

-- What is to be done. Each row is in at most one of the indexes, that of its state;
-- a claim reads the first rows of `work_ready` and nothing else, whatever else
-- there is. Done rows are deleted, and vacuumed early: a claim steps over what is
-- dead and not yet gone.
CREATE TABLE work_queue (
    tenant_id      uuid NOT NULL,
    execution      uuid NOT NULL,
    task           text COLLATE "C" NOT NULL,
    route          text COLLATE "C" NOT NULL,
    priority       bigint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    workflow       text COLLATE "C",
    key            text COLLATE "C",
    key_limit      bigint,
    state          text COLLATE "C" NOT NULL
        CHECK (state IN ('ready', 'delayed', 'held', 'leased', 'paused', 'dead')),
    rank           bigint NOT NULL,
    since          timestamptz NOT NULL,
    run_at         timestamptz,
    slots          bigint NOT NULL,
    held_on        text COLLATE "C",
    deliveries     bigint NOT NULL,
    deliveries_max bigint NOT NULL,
    fence          bigint NOT NULL,
    lease_owner    text COLLATE "C",
    lease_until    timestamptz,
    paused         boolean NOT NULL,
    woken          boolean NOT NULL,
    PRIMARY KEY (tenant_id, execution, task)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000
);
CREATE INDEX work_ready ON work_queue (route, priority, rank, execution, task)
    WHERE state = 'ready';
CREATE INDEX work_delayed ON work_queue (run_at, execution, task)
    WHERE state = 'delayed' AND run_at IS NOT NULL;
CREATE INDEX work_leased ON work_queue (lease_until, execution, task) WHERE state = 'leased';
CREATE INDEX work_held ON work_queue (tenant_id, held_on, priority, since, execution, task)
    WHERE state = 'held';

-- A tenant's last rank, and (without tenant) the rank claimed last.
CREATE TABLE queue_ranks (
    tenant_id uuid NOT NULL,
    route     text COLLATE "C" NOT NULL,
    priority  bigint NOT NULL,
    rank      bigint NOT NULL,
    PRIMARY KEY (tenant_id, route, priority)
) WITH (fillfactor = 50);
CREATE TABLE queue_clocks (
    route    text COLLATE "C" NOT NULL,
    priority bigint NOT NULL,
    rank     bigint NOT NULL,
    PRIMARY KEY (route, priority)
) WITH (fillfactor = 50);
CREATE TABLE queue_weights (
    tenant_id uuid PRIMARY KEY,
    weight    bigint NOT NULL
);

-- `scope` is a letter for the kind (key, workflow, tenant) and a name.
CREATE TABLE concurrency (
    tenant_id uuid NOT NULL,
    scope     text COLLATE "C" NOT NULL,
    slots     bigint NOT NULL,
    used      bigint NOT NULL,
    fixed     boolean NOT NULL,
    PRIMARY KEY (tenant_id, scope)
) WITH (fillfactor = 50);
CREATE TABLE rates (
    tenant_id       uuid NOT NULL,
    scope           text COLLATE "C" NOT NULL,
    interval_micros bigint NOT NULL,
    burst           bigint NOT NULL,
    next_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope)
);

CREATE TABLE dead_letters (
    tenant_id  uuid NOT NULL,
    execution  uuid NOT NULL,
    task       text COLLATE "C" NOT NULL,
    route      text COLLATE "C" NOT NULL,
    reason     text NOT NULL,
    deliveries bigint NOT NULL,
    time       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, execution, task)
);
CREATE INDEX dead_letters_by_time ON dead_letters (tenant_id, time);

CREATE TABLE schedules (
    tenant_id uuid NOT NULL,
    name      text COLLATE "C" NOT NULL,
    cron      text NOT NULL,
    zone      text NOT NULL,
    missed    text NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    payload   bytea NOT NULL,
    enabled   boolean NOT NULL,
    next_at   timestamptz,
    PRIMARY KEY (tenant_id, name)
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE enabled AND next_at IS NOT NULL;

CREATE TABLE budgets (
    tenant_id          uuid NOT NULL,
    root               uuid NOT NULL,
    limit_micros       bigint NOT NULL,
    settled_micros     bigint NOT NULL,
    reserved_micros    bigint NOT NULL,
    unconfirmed_micros bigint NOT NULL,
    PRIMARY KEY (tenant_id, root)
) WITH (fillfactor = 50);
CREATE TABLE reservations (
    tenant_id     uuid NOT NULL,
    root          uuid NOT NULL,
    id            uuid NOT NULL,
    execution     uuid NOT NULL,
    fence         bigint NOT NULL,
    amount_micros bigint NOT NULL,
    closed        boolean NOT NULL,
    PRIMARY KEY (tenant_id, root, id)
);
CREATE INDEX reservations_open ON reservations (tenant_id, root, execution) WHERE NOT closed;

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    caller    text COLLATE "C" NOT NULL,
    route     text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    body      bytea NOT NULL,
    answer    bytea NOT NULL,
    time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller, route, key)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'work_queue', 'queue_ranks', 'queue_weights', 'concurrency', 'rates', 'dead_letters',
        'schedules', 'budgets', 'reservations', 'idempotency_keys'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I USING
                (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)',
            name
        );
    END LOOP;
END
$$;

-- Claims, timers and schedules are of all tenants: a transaction that says so sees
-- the rows of the two tables that they start from, which hold no state of a run,
-- and may lock those of the queue. What it changes then, it changes as each tenant.
CREATE POLICY all_queues ON work_queue FOR SELECT
    USING (current_setting('app.queue', true) = 'all');
CREATE POLICY lock_queues ON work_queue FOR UPDATE
    USING (current_setting('app.queue', true) = 'all') WITH CHECK (false);
CREATE POLICY all_queues ON schedules FOR SELECT
    USING (current_setting('app.queue', true) = 'all');
