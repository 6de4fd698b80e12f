-- Processes outside that pull tasks. `secret` is a hash; `about` is the writer's. A row is
-- written anew with each sign of life.
CREATE TABLE workers (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    name          text NOT NULL,
    secret        bytea NOT NULL,
    about         bytea NOT NULL,
    draining      boolean NOT NULL,
    running       bigint NOT NULL,
    registered_at timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 70);

ALTER TABLE workers ENABLE ROW LEVEL SECURITY;
ALTER TABLE workers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON workers USING
    (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
