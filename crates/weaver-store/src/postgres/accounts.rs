//! [`AccountRows`] on PostgreSQL.

use std::sync::Arc;

use uuid::Uuid;

use super::fault::Fault;
use super::queue_columns::small_at;
use super::queue_tx::PgRows;
use super::value::{Time, count_at, some_time_at, text_at};
use crate::queue::AccountRows;
use crate::{Credential, Metric, Quota, Sealed, TenantId, TenantKey};

type Read<T> = Result<T, Fault>;

const TENANT: &str = "INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING";

impl AccountRows for PgRows<'_> {
    async fn sealed(&mut self, tenant: TenantId) -> Read<Sealed> {
        // With the tenant's lock, where it is read to be replaced.
        self.act(tenant).await?;
        let sql = "SELECT version, master, sealed, created_at FROM tenant_keys
             WHERE tenant_id = $1 ORDER BY version";
        let rows = self.query(sql, &[&tenant.0]).await?;
        let key = |row: &tokio_postgres::Row| {
            Ok(TenantKey {
                version: small_at(row, 0)?,
                master: text_at(row, 1)?,
                sealed: row.try_get(2)?,
                created: some_time_at(row, 3)?,
            })
        };
        let keys = rows.iter().map(key).collect::<Read<_>>()?;
        let sql = "SELECT provider, sealed, key_version, hint, updated_at FROM credentials
             WHERE tenant_id = $1 ORDER BY provider";
        let rows = self.query(sql, &[&tenant.0]).await?;
        let credential = |row: &tokio_postgres::Row| {
            Ok(Credential {
                provider: text_at(row, 0)?,
                sealed: row.try_get(1)?,
                key_version: small_at(row, 2)?,
                hint: text_at(row, 3)?,
                updated: some_time_at(row, 4)?,
            })
        };
        Ok(Sealed { keys, credentials: rows.iter().map(credential).collect::<Read<_>>()? })
    }

    async fn put_sealed(&mut self, tenant: TenantId, sealed: &Sealed) -> Read<()> {
        self.act(tenant).await?;
        self.execute(TENANT, &[&tenant.0]).await?;
        self.execute("DELETE FROM credentials WHERE tenant_id = $1", &[&tenant.0]).await?;
        self.execute("DELETE FROM tenant_keys WHERE tenant_id = $1", &[&tenant.0]).await?;
        for key in &sealed.keys {
            self.execute(
                "INSERT INTO tenant_keys VALUES ($1, $2, $3, $4, $5)",
                &[&tenant.0, &i64::from(key.version), &key.master, &key.sealed, &Time(key.created)],
            )
            .await?;
        }
        for credential in &sealed.credentials {
            self.execute(
                "INSERT INTO credentials VALUES ($1, $2, $3, $4, $5, $6)",
                &[
                    &tenant.0,
                    &&*credential.provider,
                    &credential.sealed,
                    &i64::from(credential.key_version),
                    &credential.hint,
                    &Time(credential.updated),
                ],
            )
            .await?;
        }
        Ok(())
    }

    async fn put_metrics(&mut self, tenant: TenantId, metrics: &[Metric]) -> Read<()> {
        self.see(tenant);
        self.execute(TENANT, &[&tenant.0]).await?;
        let days: Vec<i64> = metrics.iter().map(|metric| i64::from(metric.day)).collect();
        let models: Vec<&str> = metrics.iter().map(|metric| &*metric.model).collect();
        let kinds: Vec<&str> = metrics.iter().map(|metric| &*metric.kind).collect();
        let writers: Vec<Uuid> = metrics.iter().map(|metric| metric.writer).collect();
        let values: Vec<i64> = metrics.iter().map(|metric| metric.value as i64).collect();
        self.execute(
            "INSERT INTO usage_metrics
             SELECT $1, u.day, u.model, u.kind, u.writer, u.value
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bigint[])
                u (day, model, kind, writer, value)
             ON CONFLICT (tenant_id, day, model, kind, writer)
                DO UPDATE SET value = EXCLUDED.value",
            &[&tenant.0, &days, &models, &kinds, &writers, &values],
        )
        .await
        .map(drop)
    }

    async fn metrics(&mut self, tenant: TenantId, from: u32, to: u32) -> Read<Vec<Metric>> {
        self.see(tenant);
        let sql = "SELECT day, model, kind, writer, value FROM usage_metrics
             WHERE tenant_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day, model, kind, writer";
        let rows = self.query(sql, &[&tenant.0, &i64::from(from), &i64::from(to)]).await?;
        let metric = |row: &tokio_postgres::Row| {
            Ok(Metric {
                day: small_at(row, 0)?,
                model: text_at(row, 1)?,
                kind: text_at(row, 2)?,
                writer: row.try_get(3)?,
                value: count_at(row, 4)?,
            })
        };
        rows.iter().map(metric).collect()
    }

    async fn set_quota(
        &mut self,
        tenant: TenantId,
        kind: &Arc<str>,
        value: Option<u64>,
    ) -> Read<()> {
        self.see(tenant);
        let Some(value) = value else {
            let sql = "DELETE FROM tenant_quotas WHERE tenant_id = $1 AND kind = $2";
            return self.execute(sql, &[&tenant.0, &&**kind]).await.map(drop);
        };
        self.execute(TENANT, &[&tenant.0]).await?;
        self.execute(
            "INSERT INTO tenant_quotas VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, kind) DO UPDATE SET value = EXCLUDED.value",
            &[&tenant.0, &&**kind, &(value as i64)],
        )
        .await
        .map(drop)
    }

    async fn quotas(&mut self, tenant: TenantId) -> Read<Vec<Quota>> {
        self.see(tenant);
        let sql = "SELECT kind, value FROM tenant_quotas WHERE tenant_id = $1 ORDER BY kind";
        let rows = self.query(sql, &[&tenant.0]).await?;
        rows.iter()
            .map(|row| Ok(Quota { kind: text_at(row, 0)?, value: count_at(row, 1)? }))
            .collect()
    }
}
