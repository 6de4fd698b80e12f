//! [`AccountRows`] on SQLite.

use std::sync::Arc;

use rusqlite::params;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::fault::Fault;
use super::queue_rows::SqliteRows;
use super::rows::{execute, uuid_bytes};
use crate::queue::AccountRows;
use crate::{Credential, Metric, Quota, Sealed, TenantId, TenantKey};

type Read<T> = Result<T, Fault>;

impl AccountRows for SqliteRows<'_> {
    async fn sealed(&mut self, tenant: TenantId) -> Read<Sealed> {
        let number = self.number(tenant)?;
        let keys = self.all(
            "SELECT version, master, sealed, created_at FROM tenant_keys
             WHERE tenant_id = ?1 ORDER BY version",
            [number],
            |row| {
                let (version, master) = (row.get(0)?, row.get(1)?);
                Ok(TenantKey {
                    version,
                    master,
                    sealed: row.get(2)?,
                    created: Timestamp(row.get(3)?),
                })
            },
        )?;
        let credentials = self.all(
            "SELECT provider, sealed, key_version, hint, updated_at FROM credentials
             WHERE tenant_id = ?1 ORDER BY provider",
            [number],
            |row| {
                Ok(Credential {
                    provider: row.get(0)?,
                    sealed: row.get(1)?,
                    key_version: row.get(2)?,
                    hint: row.get(3)?,
                    updated: Timestamp(row.get(4)?),
                })
            },
        )?;
        Ok(Sealed { keys, credentials })
    }

    async fn put_sealed(&mut self, tenant: TenantId, sealed: &Sealed) -> Read<()> {
        let db = self.db(tenant)?;
        execute(db, "DELETE FROM credentials WHERE tenant_id = ?1", [db.tenant])?;
        execute(db, "DELETE FROM tenant_keys WHERE tenant_id = ?1", [db.tenant])?;
        for key in &sealed.keys {
            execute(
                db,
                "INSERT INTO tenant_keys VALUES (?1, ?2, ?3, ?4, ?5)",
                params![db.tenant, key.version, key.master, key.sealed, key.created.0],
            )?;
        }
        for credential in &sealed.credentials {
            execute(
                db,
                "INSERT INTO credentials VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    db.tenant,
                    credential.provider,
                    credential.sealed,
                    credential.key_version,
                    credential.hint,
                    credential.updated.0,
                ],
            )?;
        }
        Ok(())
    }

    async fn put_metrics(&mut self, tenant: TenantId, metrics: &[Metric]) -> Read<()> {
        let db = self.db(tenant)?;
        for metric in metrics {
            execute(
                db,
                "INSERT OR REPLACE INTO usage_metrics VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    db.tenant,
                    metric.day,
                    metric.model,
                    metric.kind,
                    uuid_bytes(&metric.writer),
                    metric.value as i64,
                ],
            )?;
        }
        Ok(())
    }

    async fn metrics(&mut self, tenant: TenantId, from: u32, to: u32) -> Read<Vec<Metric>> {
        let number = self.number(tenant)?;
        self.all(
            "SELECT day, model, kind, writer, value FROM usage_metrics
             WHERE tenant_id = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day, model, kind, writer",
            params![number, from, to],
            |row| {
                Ok(Metric {
                    day: row.get(0)?,
                    model: row.get(1)?,
                    kind: row.get(2)?,
                    writer: Uuid::from_bytes(row.get(3)?),
                    value: row.get::<_, i64>(4)? as u64,
                })
            },
        )
    }

    async fn set_quota(
        &mut self,
        tenant: TenantId,
        kind: &Arc<str>,
        value: Option<u64>,
    ) -> Read<()> {
        let db = self.db(tenant)?;
        match value {
            Some(value) => execute(
                db,
                "INSERT OR REPLACE INTO tenant_quotas VALUES (?1, ?2, ?3)",
                params![db.tenant, kind, value as i64],
            ),
            None => execute(
                db,
                "DELETE FROM tenant_quotas WHERE tenant_id = ?1 AND kind = ?2",
                params![db.tenant, kind],
            ),
        }
    }

    async fn quotas(&mut self, tenant: TenantId) -> Read<Vec<Quota>> {
        let number = self.number(tenant)?;
        self.all(
            "SELECT kind, value FROM tenant_quotas WHERE tenant_id = ?1 ORDER BY kind",
            [number],
            |row| Ok(Quota { kind: row.get(0)?, value: row.get::<_, i64>(1)? as u64 }),
        )
    }
}
