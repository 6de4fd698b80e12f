//! [`WorkerRows`] on PostgreSQL.

use tokio_postgres::Row as SqlRow;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::fault::Fault;
use super::queue_columns::small_at;
use super::queue_tx::{PgRows, limit};
use super::value::{Time, hash_at, some_time_at, text_at};
use crate::queue::WorkerRows;
use crate::{TenantId, Worker};

type Read<T> = Result<T, Fault>;

const TENANT: &str = "INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING";

/// The columns of `workers` as [`worker_at`] reads them.
macro_rules! select_workers {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, secret, about, draining, running, registered_at, seen_at
             FROM workers ",
            $rest
        )
    };
}

impl WorkerRows for PgRows<'_> {
    async fn worker(&mut self, tenant: TenantId, id: Uuid) -> Read<Option<Worker>> {
        self.see(tenant);
        // Of two who change it, the second sees what the first has done.
        let sql = match self.reads() {
            true => select_workers!("WHERE tenant_id = $1 AND id = $2"),
            false => select_workers!("WHERE tenant_id = $1 AND id = $2 FOR UPDATE"),
        };
        let row = self.first(sql, &[&tenant.0, &id]).await?;
        row.map(|row| worker_at(&row, tenant)).transpose()
    }

    async fn put_worker(&mut self, worker: &Worker) -> Read<()> {
        self.see(worker.tenant);
        self.execute(TENANT, &[&worker.tenant.0]).await?;
        self.execute(
            "INSERT INTO workers VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (tenant_id, id) DO UPDATE SET name = EXCLUDED.name,
                secret = EXCLUDED.secret, about = EXCLUDED.about, draining = EXCLUDED.draining,
                running = EXCLUDED.running, seen_at = EXCLUDED.seen_at",
            &[
                &worker.tenant.0,
                &worker.id,
                &&*worker.name,
                &&worker.secret.0[..],
                &worker.about,
                &worker.draining,
                &i64::from(worker.running),
                &Time(worker.registered),
                &Time(worker.seen),
            ],
        )
        .await
        .map(drop)
    }

    async fn remove_worker(&mut self, tenant: TenantId, id: Uuid) -> Read<()> {
        self.see(tenant);
        let sql = "DELETE FROM workers WHERE tenant_id = $1 AND id = $2";
        self.execute(sql, &[&tenant.0, &id]).await.map(drop)
    }

    async fn forget_workers(&mut self, tenant: TenantId, before: Timestamp) -> Read<()> {
        self.see(tenant);
        let sql = "DELETE FROM workers WHERE tenant_id = $1 AND seen_at < $2";
        self.execute(sql, &[&tenant.0, &Time(before)]).await.map(drop)
    }

    async fn workers(&mut self, tenant: TenantId, count: usize) -> Read<Vec<Worker>> {
        self.see(tenant);
        let sql = select_workers!("WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2");
        let rows = self.query(sql, &[&tenant.0, &limit(count)]).await?;
        rows.iter().map(|row| worker_at(row, tenant)).collect()
    }
}

fn worker_at(row: &SqlRow, tenant: TenantId) -> Read<Worker> {
    Ok(Worker {
        tenant,
        id: row.try_get(0)?,
        name: text_at::<String>(row, 1)?.into(),
        secret: hash_at(row, 2)?,
        about: row.try_get(3)?,
        draining: row.try_get(4)?,
        running: small_at(row, 5)?,
        registered: some_time_at(row, 6)?,
        seen: some_time_at(row, 7)?,
    })
}
