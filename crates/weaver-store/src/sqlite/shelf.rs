//! [`Shelf`] on SQLite.

use rusqlite::{Row as SqlRow, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::queue_rows::{SqliteRows, limit};
use super::rows::{execute, uuid_bytes};
use crate::library::{Revision, Workflow, WorkflowKey, WorkflowText};
use crate::queue::Shelf;
use crate::{TenantId, WorkflowId};

type Read<T> = Result<T, Fault>;

/// Of `workflows`, as [`workflow_at`] reads them.
const COLUMNS: &str = "id, name, version, revision, file, hash, layout, created_at, updated_at";

impl Shelf for SqliteRows<'_> {
    type Error = Fault;

    async fn workflow(&mut self, key: &WorkflowKey) -> Read<Option<Workflow>> {
        let number = self.number(key.tenant)?;
        self.one(
            &format!("SELECT {COLUMNS} FROM workflows WHERE tenant_id = ?1 AND id = ?2"),
            params![number, uuid_bytes(&key.id.0)],
            |row| workflow_at(row, key.tenant),
        )
    }

    async fn put_workflow(&mut self, workflow: &Workflow) -> Read<()> {
        let db = self.db(workflow.key.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO workflows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                db.tenant,
                uuid_bytes(&workflow.key.id.0),
                workflow.name,
                workflow.version as i64,
                workflow.revision as i64,
                workflow.file,
                workflow.hash.0,
                workflow.layout,
                workflow.created.0,
                workflow.updated.0,
            ],
        )
    }

    async fn put_revision(&mut self, key: &WorkflowKey, revision: &Revision) -> Read<()> {
        let db = self.db(key.tenant)?;
        execute(
            db,
            "INSERT INTO workflow_revisions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                db.tenant,
                uuid_bytes(&key.id.0),
                revision.version as i64,
                revision.text.file,
                revision.text.source,
                revision.text.script,
                revision.hash.0,
                revision.time.0,
            ],
        )
    }

    async fn remove_workflow(&mut self, key: &WorkflowKey) -> Read<()> {
        let db = self.db(key.tenant)?;
        let values = params![db.tenant, uuid_bytes(&key.id.0)];
        let sql = "DELETE FROM workflow_revisions WHERE tenant_id = ?1 AND workflow = ?2";
        execute(db, sql, values)?;
        execute(db, "DELETE FROM workflows WHERE tenant_id = ?1 AND id = ?2", values)
    }

    async fn workflows(
        &mut self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        count: usize,
    ) -> Read<Vec<Workflow>> {
        let number = self.number(tenant)?;
        let before = before.unwrap_or(WorkflowId(Uuid::max()));
        self.all(
            &format!(
                "SELECT {COLUMNS} FROM workflows WHERE tenant_id = ?1 AND id < ?2
                 ORDER BY id DESC LIMIT ?3"
            ),
            params![number, uuid_bytes(&before.0), limit(count)],
            |row| workflow_at(row, tenant),
        )
    }

    async fn revisions(
        &mut self,
        key: &WorkflowKey,
        before: Option<u64>,
        count: usize,
    ) -> Read<Vec<Revision>> {
        let number = self.number(key.tenant)?;
        let before = before.map_or(i64::MAX, |before| before as i64);
        self.all(
            "SELECT version, file, source, script, hash, time FROM workflow_revisions
             WHERE tenant_id = ?1 AND workflow = ?2 AND version < ?3
             ORDER BY version DESC LIMIT ?4",
            params![number, uuid_bytes(&key.id.0), before, limit(count)],
            revision_at,
        )
    }
}

fn workflow_at(row: &SqlRow<'_>, tenant: TenantId) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        key: WorkflowKey { tenant, id: WorkflowId(Uuid::from_bytes(row.get(0)?)) },
        name: row.get(1)?,
        version: row.get::<_, i64>(2)? as u64,
        revision: row.get::<_, i64>(3)? as u64,
        file: row.get(4)?,
        hash: Hash(row.get(5)?),
        layout: row.get(6)?,
        created: Timestamp(row.get(7)?),
        updated: Timestamp(row.get(8)?),
    })
}

fn revision_at(row: &SqlRow<'_>) -> rusqlite::Result<Revision> {
    Ok(Revision {
        version: row.get::<_, i64>(0)? as u64,
        text: WorkflowText { file: row.get(1)?, source: row.get(2)?, script: row.get(3)? },
        hash: Hash(row.get(4)?),
        time: Timestamp(row.get(5)?),
    })
}
