-- Workflows as people keep them: a name, the newest text, where nodes stand on the
-- canvas. `version` counts every change, `revision` is the version that brought the
-- newest text. Texts may hold any character, NUL included: so they are bytes.
CREATE TABLE workflows (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    name       bytea NOT NULL,
    version    bigint NOT NULL,
    revision   bigint NOT NULL,
    file       bytea NOT NULL,
    hash       bytea NOT NULL,
    layout     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- The texts that a workflow has had; never changed.
CREATE TABLE workflow_revisions (
    tenant_id uuid NOT NULL,
    workflow  uuid NOT NULL,
    version   bigint NOT NULL,
    file      bytea NOT NULL,
    source    bytea NOT NULL,
    script    bytea,
    hash      bytea NOT NULL,
    time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, workflow, version),
    FOREIGN KEY (tenant_id, workflow) REFERENCES workflows ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflows', 'workflow_revisions'] LOOP
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
