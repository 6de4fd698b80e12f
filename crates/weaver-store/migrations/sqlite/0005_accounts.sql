-- What a tenant keeps sealed. `tenant_keys` are sealed with a master key that is not
-- here, `credentials` with the tenant's key of that version.
CREATE TABLE tenant_keys (
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    version    INTEGER NOT NULL,
    master     TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE credentials (
    tenant_id   INTEGER NOT NULL REFERENCES tenants,
    provider    TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    hint        TEXT NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, provider)
) STRICT, WITHOUT ROWID;

-- What was used on a day (since 1970, UTC). A writer puts its own sums of the day, so
-- that putting them twice counts once.
CREATE TABLE usage_metrics (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    day       INTEGER NOT NULL,
    model     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    writer    BLOB NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, day, model, kind, writer)
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant_quotas (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    kind      TEXT NOT NULL,
    value     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, kind)
) STRICT, WITHOUT ROWID;
