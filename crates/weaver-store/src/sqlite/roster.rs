//! [`WorkerRows`] on SQLite.

use rusqlite::{Row, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::queue_rows::SqliteRows;
use super::rows::{execute, uuid_bytes};
use crate::queue::WorkerRows;
use crate::{TenantId, Worker};

type Read<T> = Result<T, Fault>;

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

impl WorkerRows for SqliteRows<'_> {
    async fn worker(&mut self, tenant: TenantId, id: Uuid) -> Read<Option<Worker>> {
        let number = self.number(tenant)?;
        let sql = select_workers!("WHERE tenant_id = ?1 AND id = ?2");
        let found =
            self.all(sql, params![number, uuid_bytes(&id)], |row| worker_at(row, tenant))?;
        Ok(found.into_iter().next())
    }

    async fn put_worker(&mut self, worker: &Worker) -> Read<()> {
        let db = self.db(worker.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO workers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                db.tenant,
                uuid_bytes(&worker.id),
                worker.name,
                &worker.secret.0[..],
                worker.about,
                worker.draining,
                worker.running,
                worker.registered.0,
                worker.seen.0,
            ],
        )
    }

    async fn remove_worker(&mut self, tenant: TenantId, id: Uuid) -> Read<()> {
        let db = self.db(tenant)?;
        let sql = "DELETE FROM workers WHERE tenant_id = ?1 AND id = ?2";
        execute(db, sql, params![db.tenant, uuid_bytes(&id)])
    }

    async fn forget_workers(&mut self, tenant: TenantId, before: Timestamp) -> Read<()> {
        let db = self.db(tenant)?;
        let sql = "DELETE FROM workers WHERE tenant_id = ?1 AND seen_at < ?2";
        execute(db, sql, params![db.tenant, before.0])
    }

    async fn workers(&mut self, tenant: TenantId, limit: usize) -> Read<Vec<Worker>> {
        let number = self.number(tenant)?;
        let sql = select_workers!("WHERE tenant_id = ?1 ORDER BY id DESC LIMIT ?2");
        self.all(sql, params![number, limit as i64], |row| worker_at(row, tenant))
    }
}

fn worker_at(row: &Row<'_>, tenant: TenantId) -> rusqlite::Result<Worker> {
    Ok(Worker {
        tenant,
        id: Uuid::from_bytes(row.get(0)?),
        name: row.get(1)?,
        secret: Hash(row.get(2)?),
        about: row.get(3)?,
        draining: row.get(4)?,
        running: row.get(5)?,
        registered: Timestamp(row.get(6)?),
        seen: Timestamp(row.get(7)?),
    })
}
