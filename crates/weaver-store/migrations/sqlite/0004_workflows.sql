-- Workflows as people keep them: a name, the newest text, where nodes stand on the
-- canvas. `version` counts every change, `revision` is the version that brought the
-- newest text.
CREATE TABLE workflows (
    tenant_id  INTEGER NOT NULL REFERENCES tenants,
    id         BLOB NOT NULL,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    file       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    layout     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- The texts that a workflow has had; never changed.
CREATE TABLE workflow_revisions (
    tenant_id INTEGER NOT NULL REFERENCES tenants,
    workflow  BLOB NOT NULL,
    version   INTEGER NOT NULL,
    file      TEXT NOT NULL,
    source    TEXT NOT NULL,
    script    TEXT,
    hash      BLOB NOT NULL,
    time      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, workflow, version)
) STRICT;
