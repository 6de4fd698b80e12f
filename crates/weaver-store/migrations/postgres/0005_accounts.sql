-- What a tenant keeps sealed. `tenant_keys` are sealed with a master key that is not
-- here, `credentials` with the tenant's key of that version.
CREATE TABLE tenant_keys (
    tenant_id  uuid NOT NULL,
    version    bigint NOT NULL,
    master     text COLLATE "C" NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);
CREATE TABLE credentials (
    tenant_id   uuid NOT NULL,
    provider    text COLLATE "C" NOT NULL,
    sealed      bytea NOT NULL,
    key_version bigint NOT NULL,
    hint        text NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider)
);

-- What was used on a day (since 1970, UTC). A writer puts its own sums of the day, so
-- that putting them twice counts once.
CREATE TABLE usage_metrics (
    tenant_id uuid NOT NULL,
    day       bigint NOT NULL,
    model     text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    writer    uuid NOT NULL,
    value     bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, model, kind, writer)
) WITH (fillfactor = 70);

CREATE TABLE tenant_quotas (
    tenant_id uuid NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    value     bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_keys', 'credentials', 'usage_metrics', 'tenant_quotas']
    LOOP
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
