//! [`Rows`] on SQLite, inside the transaction that is under way.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Params, Row as SqlRow, params};
use uuid::Uuid;
use weaver_core::Timestamp;

use super::apply::Applier;
use super::fault::Fault;
use super::queue_columns::{ROW_COLUMNS, row_at};
use super::rows::{Db, execute, uuid_bytes, word};
use crate::queue::{self, Books, Ranks, Row, Rows, Slots, bit, now_or_never};
use crate::{
    Batch, ClaimRequest, Clock, ExecutionId, Limit, Priority, Rate, Record, Scope, TenantId,
    WorkKey, crash_point,
};

type Read<T> = Result<T, Fault>;

/// A transaction of the writer: what it changes, of any tenant.
pub(super) struct SqliteRows<'a> {
    pub(super) connection: &'a mut rusqlite::Connection,
    pub(super) appliers: &'a mut HashMap<TenantId, Applier>,
    pub(super) clock: &'a Clock,
    /// Whether somebody should look at the queue after the commit.
    pub(super) wake: bool,
}

impl SqliteRows<'_> {
    /// Writes a batch. Entries and pending writes wait for [`SqliteRows::flush`].
    pub(super) fn apply(&mut self, tenant: TenantId, batch: &Batch) -> Read<()> {
        let db = Db::made_for(self.connection, tenant)?;
        let number = db.tenant;
        self.appliers.entry(tenant).or_default().check(db, batch)?;
        for record in &batch.records {
            if let Record::Work(work) = record {
                now_or_never(queue::apply(self, tenant, work))?;
            } else {
                if let Record::ForgetThread(thread) = record {
                    now_or_never(queue::forget_thread(self, tenant, thread))?;
                }
                let db = Db { connection: self.connection, tenant: number };
                self.appliers.entry(tenant).or_default().record(db, record)?;
            }
            crash_point!("between_writes");
        }
        Ok(())
    }

    /// Writes what waited for the end of the transaction.
    pub(super) fn flush(&mut self) -> Read<()> {
        for (tenant, applier) in self.appliers.iter_mut() {
            applier.flush(Db::made_for(self.connection, *tenant)?)?;
        }
        Ok(())
    }

    /// For writing.
    pub(super) fn db(&self, tenant: TenantId) -> Read<Db<'_>> {
        Ok(Db::made_for(self.connection, tenant)?)
    }

    /// For reading: 0 for a tenant that has never written.
    pub(super) fn number(&self, tenant: TenantId) -> Read<i64> {
        Ok(Db::of(self.connection, tenant)?.tenant)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Read<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map(values, read)?.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Read<Option<T>> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// Rows of the queue by an index that is over all tenants.
    fn rows_where(&self, condition: &str, values: impl Params) -> Read<Vec<Row>> {
        self.all(
            &format!(
                "SELECT {ROW_COLUMNS} FROM work_queue q JOIN tenants t ON t.id = q.tenant_id
                 WHERE {condition}"
            ),
            values,
            row_at,
        )
    }
}

pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Rows for SqliteRows<'_> {
    async fn row(&mut self, key: &WorkKey) -> Read<Option<Row>> {
        let tenant = self.number(key.tenant)?;
        let found = self.rows_where(
            "q.tenant_id = ?1 AND q.execution = ?2 AND q.task = ?3",
            params![tenant, uuid_bytes(&key.execution.0), key.task],
        )?;
        Ok(found.into_iter().next())
    }

    async fn rows_after(
        &mut self,
        tenant: TenantId,
        after: Option<&WorkKey>,
        count: usize,
    ) -> Read<Vec<Row>> {
        let tenant = self.number(tenant)?;
        // No id is all zeros, so all rows come after it.
        let (execution, task) =
            after.map_or((Uuid::nil(), ""), |key| (key.execution.0, &*key.task));
        self.rows_where(
            "q.tenant_id = ?1 AND (q.execution, q.task) > (?2, ?3)
             ORDER BY q.execution, q.task LIMIT ?4",
            params![tenant, uuid_bytes(&execution), task, limit(count)],
        )
    }

    async fn rows_of(&mut self, tenant: TenantId, execution: ExecutionId) -> Read<Vec<Row>> {
        let tenant = self.number(tenant)?;
        self.rows_where(
            "q.tenant_id = ?1 AND q.execution = ?2 ORDER BY q.task",
            params![tenant, uuid_bytes(&execution.0)],
        )
    }

    async fn queued_of(&mut self, tenant: TenantId, thread: &str) -> Read<Vec<ExecutionId>> {
        let tenant = self.number(tenant)?;
        self.all(
            "SELECT e.id FROM executions e
             JOIN work_queue q ON q.tenant_id = e.tenant_id AND q.execution = e.id AND q.task = ''
             WHERE e.tenant_id = ?1 AND e.thread = ?2 ORDER BY e.number",
            params![tenant, thread],
            |row| Ok(ExecutionId(Uuid::from_bytes(row.get(0)?))),
        )
    }

    async fn put(&mut self, row: &Row) -> Read<()> {
        let db = self.db(row.key.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO work_queue VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
            params![
                db.tenant,
                uuid_bytes(&row.key.execution.0),
                row.key.task,
                row.route,
                row.priority.level(),
                row.workflow,
                row.concurrency.as_ref().map(|key| &key.name),
                row.concurrency.as_ref().map(|key| key.limit),
                row.state.as_str(),
                row.rank,
                row.since.0,
                row.run_at.map(|time| time.0),
                row.slots,
                row.held_on.as_ref().map(Scope::text),
                row.deliveries,
                row.deliveries_max,
                row.fence as i64,
                row.owner,
                row.until.map(|time| time.0),
                row.paused,
                row.woken,
            ],
        )
    }

    async fn put_leased(&mut self, row: &Row) -> Read<()> {
        self.put(row).await?;
        let db = self.db(row.key.tenant)?;
        execute(
            db,
            "UPDATE executions SET fence = ?3, lease_owner = NULL, lease_until = NULL
             WHERE tenant_id = ?1 AND id = ?2",
            params![db.tenant, uuid_bytes(&row.key.execution.0), row.fence as i64],
        )
    }

    async fn remove(&mut self, key: &WorkKey) -> Read<()> {
        let db = self.db(key.tenant)?;
        execute(
            db,
            "DELETE FROM work_queue WHERE tenant_id = ?1 AND execution = ?2 AND task = ?3",
            params![db.tenant, uuid_bytes(&key.execution.0), key.task],
        )
    }

    async fn lease(&mut self, request: &ClaimRequest) -> Read<Vec<Row>> {
        let now = self.now().await?;
        let mut rows = self.rows_where(
            "q.state = 'ready' AND q.route = ?1
             ORDER BY q.priority, q.rank, q.execution, q.task LIMIT ?2",
            params![request.route, limit(request.count)],
        )?;
        for row in &mut rows {
            row.lease_to(&request.owner, now.after(request.lease), 1);
            match row.key.is_execution() {
                true => self.put_leased(row).await?,
                false => self.put(row).await?,
            }
        }
        Ok(rows)
    }

    async fn due(&mut self, now: Timestamp, count: usize) -> Read<Vec<Row>> {
        self.rows_where(
            "q.state = 'delayed' AND q.run_at <= ?1
             ORDER BY q.run_at, q.execution, q.task LIMIT ?2",
            params![now.0, limit(count)],
        )
    }

    async fn next_due(&mut self) -> Read<Option<Timestamp>> {
        self.one(
            "SELECT run_at FROM work_queue WHERE state = 'delayed' AND run_at IS NOT NULL
             ORDER BY run_at LIMIT 1",
            [],
            |row| Ok(Timestamp(row.get(0)?)),
        )
    }

    async fn expired(&mut self, now: Timestamp, count: usize) -> Read<Vec<Row>> {
        self.rows_where(
            "q.state = 'leased' AND q.lease_until <= ?1
             ORDER BY q.lease_until, q.execution, q.task LIMIT ?2",
            params![now.0, limit(count)],
        )
    }

    async fn ranks(&mut self, tenant: TenantId, route: &str, priority: Priority) -> Read<Ranks> {
        let tenant = self.number(tenant)?;
        let found = self.one(
            "SELECT (SELECT rank FROM queue_ranks
                     WHERE tenant_id = ?1 AND route = ?2 AND priority = ?3),
                    (SELECT rank FROM queue_clocks WHERE route = ?2 AND priority = ?3),
                    (SELECT weight FROM queue_weights WHERE tenant_id = ?1)",
            params![tenant, route, priority.level()],
            |row| {
                Ok(Ranks {
                    last: row.get::<_, Option<i64>>(0)?.unwrap_or(0),
                    clock: row.get::<_, Option<i64>>(1)?.unwrap_or(0),
                    weight: row.get::<_, Option<u32>>(2)?.unwrap_or(1),
                })
            },
        )?;
        Ok(found.expect("a query without FROM gives a row"))
    }

    async fn set_last_rank(
        &mut self,
        tenant: TenantId,
        route: &str,
        priority: Priority,
        rank: i64,
    ) -> Read<()> {
        let db = self.db(tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO queue_ranks VALUES (?1, ?2, ?3, ?4)",
            params![db.tenant, route, priority.level(), rank],
        )
    }

    async fn advance_clock(&mut self, route: &str, priority: Priority, rank: i64) -> Read<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO queue_clocks VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET rank = max(rank, ?3)",
            )?
            .execute(params![route, priority.level(), rank])?;
        Ok(())
    }

    async fn set_weight(&mut self, tenant: TenantId, weight: u32) -> Read<()> {
        let db = self.db(tenant)?;
        let sql = "INSERT OR REPLACE INTO queue_weights VALUES (?1, ?2)";
        execute(db, sql, params![db.tenant, weight])
    }

    async fn slots(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<Slots>> {
        let tenant = self.number(tenant)?;
        self.one(
            "SELECT slots, used, fixed FROM concurrency WHERE tenant_id = ?1 AND scope = ?2",
            params![tenant, scope.text()],
            |row| Ok(Slots { limit: row.get(0)?, used: row.get(1)?, fixed: row.get(2)? }),
        )
    }

    async fn set_slots(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        slots: Option<Slots>,
    ) -> Read<()> {
        let db = self.db(tenant)?;
        match slots {
            Some(slots) => execute(
                db,
                "INSERT OR REPLACE INTO concurrency VALUES (?1, ?2, ?3, ?4, ?5)",
                params![db.tenant, scope.text(), slots.limit, slots.used, slots.fixed],
            ),
            None => execute(
                db,
                "DELETE FROM concurrency WHERE tenant_id = ?1 AND scope = ?2",
                params![db.tenant, scope.text()],
            ),
        }
    }

    async fn limits(&mut self, tenant: TenantId) -> Read<Vec<Limit>> {
        let number = self.number(tenant)?;
        let mut limits = self.all(
            "SELECT scope, slots, used FROM concurrency WHERE tenant_id = ?1",
            [number],
            |row| {
                let scope = word(row, 0, Scope::parse)?;
                Ok(Limit { tenant, scope, limit: row.get(1)?, used: row.get(2)? })
            },
        )?;
        limits.sort_by(|a, b| a.scope.cmp(&b.scope));
        Ok(limits)
    }

    async fn mark_holders(&mut self, tenant: TenantId, scope: &Scope) -> Read<u32> {
        let tenant = self.number(tenant)?;
        // What waits for a scope holds those before it: workflows come before the
        // tenant, keys before both.
        let (concerns, name, later) = match scope {
            Scope::Key(name) => ("key = ?3", Some(name), "held_on >= 't'"),
            Scope::Workflow(name) => ("task = '' AND workflow = ?3", Some(name), "held_on = 't'"),
            Scope::Tenant => ("task = '' AND ?3 IS NULL", None, "FALSE"),
        };
        let sql = format!(
            "UPDATE work_queue SET slots = slots | ?2
             WHERE tenant_id = ?1 AND {concerns}
               AND (state IN ('ready', 'leased') OR (state = 'held' AND {later}))"
        );
        let count =
            self.connection.prepare_cached(&sql)?.execute(params![tenant, bit(scope), name])?;
        Ok(count as u32)
    }

    async fn first_held(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<Row>> {
        let tenant = self.number(tenant)?;
        let found = self.rows_where(
            "q.state = 'held' AND q.tenant_id = ?1 AND q.held_on = ?2
             ORDER BY q.priority, q.since, q.execution, q.task LIMIT 1",
            params![tenant, scope.text()],
        )?;
        Ok(found.into_iter().next())
    }

    async fn rate(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<(Rate, Timestamp)>> {
        let tenant = self.number(tenant)?;
        self.one(
            "SELECT interval_micros, burst, next_at FROM rates
             WHERE tenant_id = ?1 AND scope = ?2",
            params![tenant, scope.text()],
            rate_at,
        )
    }

    async fn rates(&mut self, tenant: TenantId) -> Read<Vec<(Scope, Rate, Timestamp)>> {
        let tenant = self.number(tenant)?;
        let mut rates = self.all(
            "SELECT interval_micros, burst, next_at, scope FROM rates WHERE tenant_id = ?1",
            [tenant],
            |row| {
                let (rate, even) = rate_at(row)?;
                Ok((word(row, 3, Scope::parse)?, rate, even))
            },
        )?;
        rates.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        Ok(rates)
    }

    async fn set_rate(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        rate: Option<(Rate, Timestamp)>,
    ) -> Read<()> {
        let db = self.db(tenant)?;
        match rate {
            Some((rate, next)) => execute(
                db,
                "INSERT OR REPLACE INTO rates VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    db.tenant,
                    scope.text(),
                    i64::try_from(rate.interval.as_micros()).unwrap_or(i64::MAX),
                    rate.burst,
                    next.0
                ],
            ),
            None => execute(
                db,
                "DELETE FROM rates WHERE tenant_id = ?1 AND scope = ?2",
                params![db.tenant, scope.text()],
            ),
        }
    }

    async fn wake(&mut self) -> Read<()> {
        self.wake = true;
        Ok(())
    }
}

/// A rate, and when the next start would be due.
fn rate_at(row: &SqlRow<'_>) -> rusqlite::Result<(Rate, Timestamp)> {
    let interval = std::time::Duration::from_micros(row.get::<_, i64>(0)? as u64);
    Ok((Rate { interval, burst: row.get(1)? }, Timestamp(row.get(2)?)))
}
