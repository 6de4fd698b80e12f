//! [`Shelf`] on PostgreSQL.

use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::fault::Fault;
use super::queue_tx::{PgRows, limit};
use super::value::{Time, bytes_text_at, count_at, hash_at, some_time_at};
use crate::library::{Revision, Workflow, WorkflowKey, WorkflowText};
use crate::queue::Shelf;
use crate::{TenantId, WorkflowId};

type Read<T> = Result<T, Fault>;

/// The columns of `workflows` as [`workflow_at`] reads them.
macro_rules! select_workflows {
    ($condition:literal) => {
        concat!(
            "SELECT id, name, version, revision, file, hash, layout, created_at, updated_at
             FROM workflows ",
            $condition
        )
    };
}

impl Shelf for PgRows<'_> {
    type Error = Fault;

    async fn workflow(&mut self, key: &WorkflowKey) -> Read<Option<Workflow>> {
        self.see(key.tenant);
        // Of two who change it, the second sees what the first has done.
        let sql = match self.reads() {
            true => select_workflows!("WHERE tenant_id = $1 AND id = $2"),
            false => select_workflows!("WHERE tenant_id = $1 AND id = $2 FOR UPDATE"),
        };
        let row = self.first(sql, &[&key.tenant.0, &key.id.0]).await?;
        row.map(|row| workflow_at(&row, key.tenant)).transpose()
    }

    async fn put_workflow(&mut self, workflow: &Workflow) -> Read<()> {
        self.see(workflow.key.tenant);
        self.execute(
            "INSERT INTO workflows VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (tenant_id, id) DO UPDATE SET name = EXCLUDED.name,
                version = EXCLUDED.version, revision = EXCLUDED.revision, file = EXCLUDED.file,
                hash = EXCLUDED.hash, layout = EXCLUDED.layout, updated_at = EXCLUDED.updated_at",
            &[
                &workflow.key.tenant.0,
                &workflow.key.id.0,
                &workflow.name.as_bytes(),
                &(workflow.version as i64),
                &(workflow.revision as i64),
                &workflow.file.as_bytes(),
                &&workflow.hash.0[..],
                &workflow.layout,
                &Time(workflow.created),
                &Time(workflow.updated),
            ],
        )
        .await
        .map(drop)
    }

    async fn put_revision(&mut self, key: &WorkflowKey, revision: &Revision) -> Read<()> {
        self.see(key.tenant);
        self.execute(
            "INSERT INTO workflow_revisions VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &key.tenant.0,
                &key.id.0,
                &(revision.version as i64),
                &revision.text.file.as_bytes(),
                &revision.text.source.as_bytes(),
                &revision.text.script.as_ref().map(|script| script.as_bytes()),
                &&revision.hash.0[..],
                &Time(revision.time),
            ],
        )
        .await
        .map(drop)
    }

    async fn remove_workflow(&mut self, key: &WorkflowKey) -> Read<()> {
        self.see(key.tenant);
        let sql = "DELETE FROM workflows WHERE tenant_id = $1 AND id = $2";
        self.execute(sql, &[&key.tenant.0, &key.id.0]).await.map(drop)
    }

    async fn workflows(
        &mut self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        count: usize,
    ) -> Read<Vec<Workflow>> {
        self.see(tenant);
        let before = before.map_or(Uuid::max(), |before| before.0);
        let sql = select_workflows!("WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows = self.query(sql, &[&tenant.0, &before, &limit(count)]).await?;
        rows.iter().map(|row| workflow_at(row, tenant)).collect()
    }

    async fn revisions(
        &mut self,
        key: &WorkflowKey,
        before: Option<u64>,
        count: usize,
    ) -> Read<Vec<Revision>> {
        self.see(key.tenant);
        let before = before.map_or(i64::MAX, |before| before as i64);
        let sql = "SELECT version, file, source, script, hash, time FROM workflow_revisions
             WHERE tenant_id = $1 AND workflow = $2 AND version < $3
             ORDER BY version DESC LIMIT $4";
        let rows = self.query(sql, &[&key.tenant.0, &key.id.0, &before, &limit(count)]).await?;
        rows.iter().map(revision_at).collect()
    }
}

fn workflow_at(row: &SqlRow, tenant: TenantId) -> Read<Workflow> {
    Ok(Workflow {
        key: WorkflowKey { tenant, id: WorkflowId(row.try_get(0)?) },
        name: bytes_text_at(row, 1)?.into(),
        version: count_at(row, 2)?,
        revision: count_at(row, 3)?,
        file: bytes_text_at(row, 4)?.into(),
        hash: hash_at(row, 5)?,
        layout: row.try_get(6)?,
        created: some_time_at(row, 7)?,
        updated: some_time_at(row, 8)?,
    })
}

fn revision_at(row: &SqlRow) -> Read<Revision> {
    let script = row.try_get::<_, Option<&[u8]>>(3)?.is_some();
    Ok(Revision {
        version: count_at(row, 0)?,
        text: WorkflowText {
            file: bytes_text_at(row, 1)?.into(),
            source: bytes_text_at(row, 2)?.into(),
            script: script.then(|| bytes_text_at(row, 3)).transpose()?.map(Into::into),
        },
        hash: hash_at(row, 4)?,
        time: some_time_at(row, 5)?,
    })
}
