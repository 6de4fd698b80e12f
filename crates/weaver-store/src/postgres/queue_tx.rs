//! [`PgRows`]: the queue on PostgreSQL, inside the transaction that is under way.
//!
//! A transaction changes a tenant's queue only while it holds that tenant's lock,
//! and takes the locks of several in the order of their ids. With the lock it loads
//! what nearly all changes need (ranks, rates, slots of workflows and the tenant)
//! and writes that back at its end. Claims take no such lock: they touch rows that
//! are ready, and skip what somebody else is at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::connection::Connection;
use super::fault::Fault;
use super::pipeline::{Pipeline, both};
use super::queue_columns::{PUT, put, row_at, select_rows, small_at};
use super::turns::Turns;
use super::value::{some_time_at, text_at, word_at};
use crate::queue::{Row, Slots};
use crate::{Clock, ExecutionId, Priority, Rate, Scope, TenantId, WorkKey};

type Read<T> = Result<T, Fault>;
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The queue as a transaction sees and changes it.
pub(super) struct PgRows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) clock: &'a Clock,
    pub(super) turns: &'a Turns,
    /// Whether it only reads.
    reads: bool,
    /// As whom the session acts now.
    acting: Option<TenantId>,
    /// The tenants whose lock is held, with what was loaded.
    tenants: BTreeMap<TenantId, Loaded>,
    /// The ranks claimed last, by route and priority, as the database has them.
    pub(super) clocks: HashMap<(Arc<str>, Priority), i64>,
    /// Ranks that were claimed in this transaction.
    pub(super) claimed: Vec<(Arc<str>, Priority, i64)>,
    /// The database's time when it was first asked for: one for all that happens at once.
    pub(super) now: Option<Timestamp>,
    /// Executions that began in this transaction and have no row yet.
    begun: HashSet<(TenantId, ExecutionId)>,
    /// Rows of the tenant as whom the session acts that are not written yet: many go in
    /// one round trip, before anything else is asked.
    unwritten: Vec<Row>,
    /// Whether somebody should look at the queue after the commit.
    pub(super) wake: bool,
}

/// What nearly every change of a tenant's queue needs.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) weight: Option<u32>,
    pub(super) ranks: HashMap<(Arc<str>, Priority), i64>,
    pub(super) ranks_changed: BTreeSet<(Arc<str>, Priority)>,
    pub(super) rates: HashMap<Scope, (Rate, Timestamp)>,
    pub(super) slots: HashMap<Scope, Option<Slots>>,
    pub(super) slots_changed: BTreeSet<Scope>,
}

/// Held until the end of the transaction by whoever changes a tenant's queue.
pub(super) const LOCK_QUEUE: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('queue ' || $1::uuid::text, 0))";
pub(super) const DATABASE_TIME: &str = "SELECT clock_timestamp()";
const SET_TENANT: &str = "SELECT set_config('app.tenant_id', $1, true)";
const SEE_ALL: &str = "SELECT set_config('app.queue', 'all', true)";
const SEE_OWN: &str = "SELECT set_config('app.queue', '', true)";
const RANKS: &str = "SELECT route, priority, rank FROM queue_ranks WHERE tenant_id = $1";
const CLOCKS: &str = "SELECT route, priority, rank FROM queue_clocks";
const WEIGHT: &str = "SELECT weight FROM queue_weights WHERE tenant_id = $1";
const RATES: &str = "SELECT scope, interval_micros, burst, next_at FROM rates WHERE tenant_id = $1";
/// Those of workflows and of the tenant: they come after keys.
const SLOTS: &str = "SELECT scope, slots, used, fixed FROM concurrency
     WHERE tenant_id = $1 AND scope >= 't'";
pub(super) const SLOTS_OF: &str = "SELECT scope, slots, used, fixed FROM concurrency
     WHERE tenant_id = $1 AND scope = $2";

impl<'a> PgRows<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        clock: &'a Clock,
        turns: &'a Turns,
        reads: bool,
    ) -> Self {
        PgRows {
            connection,
            clock,
            turns,
            reads,
            acting: None,
            tenants: BTreeMap::new(),
            clocks: HashMap::new(),
            claimed: Vec::new(),
            now: None,
            begun: HashSet::new(),
            unwritten: Vec::new(),
            wake: false,
        }
    }

    /// The same in a transaction in which executions have begun: nothing is known of them
    /// in the queue.
    pub(super) fn with_begun(mut self, begun: HashSet<(TenantId, ExecutionId)>) -> Self {
        self.begun = begun;
        self
    }

    pub(super) fn has_begun(&self, tenant: TenantId, execution: ExecutionId) -> bool {
        self.begun.contains(&(tenant, execution))
    }

    /// Writes a row, now or with others.
    pub(super) async fn write(&mut self, row: &Row) -> Read<()> {
        if self.begun.remove(&(row.key.tenant, row.key.execution)) {
            self.unwritten.push(row.clone());
            return Ok(());
        }
        self.settle().await?;
        put(self.connection, row).await
    }

    async fn settle(&mut self) -> Read<()> {
        let rows = std::mem::take(&mut self.unwritten);
        if rows.is_empty() {
            return Ok(());
        }
        // A statement that had to be prepared on the way would come after the last.
        self.connection.prepare(&[PUT]).await?;
        let mut pipeline = Pipeline::new();
        for row in &rows {
            pipeline.push(put(self.connection, row));
        }
        pipeline.run().await.into_iter().collect()
    }

    pub(super) fn reads(&self) -> bool {
        self.reads
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Vec<tokio_postgres::Row>> {
        self.settle().await?;
        self.connection.query(sql, values).await
    }

    pub(super) async fn first(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Option<tokio_postgres::Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: Values<'_>) -> Read<u64> {
        self.settle().await?;
        self.connection.execute(sql, values).await
    }

    /// Acts as a tenant from here on, without the lock of its queue.
    pub(super) async fn see(&mut self, tenant: TenantId) -> Read<()> {
        if self.acting != Some(tenant) {
            self.query(SET_TENANT, &[&tenant.to_string()]).await?;
            self.acting = Some(tenant);
        }
        Ok(())
    }

    /// Acts as a tenant from here on, and asks in the same round trip.
    pub(super) async fn query_as(
        &mut self,
        tenant: TenantId,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Vec<tokio_postgres::Row>> {
        if self.acting == Some(tenant) {
            return self.query(sql, values).await;
        }
        self.settle().await?;
        // A statement that had to be prepared on the way would come after the last.
        self.connection.prepare(&[SET_TENANT, sql]).await?;
        let name = tenant.to_string();
        let name: Values<'_> = &[&name];
        let connection = self.connection;
        let acts = connection.query(SET_TENANT, name);
        let (acts, rows) = both(acts, connection.query(sql, values)).await;
        acts?;
        self.acting = Some(tenant);
        rows
    }

    /// Acts as a tenant from here on; with the lock of its queue, unless this only
    /// reads.
    pub(super) async fn act(&mut self, tenant: TenantId) -> Read<()> {
        if self.reads || self.tenants.contains_key(&tenant) {
            return self.see(tenant).await;
        }
        self.settle().await?;
        let asked = [SET_TENANT, LOCK_QUEUE, RANKS, CLOCKS, WEIGHT, RATES, SLOTS, DATABASE_TIME];
        // A statement that had to be prepared on the way would come after the last.
        self.connection.prepare(&asked).await?;
        let (name, none): (_, Values<'_>) = (tenant.to_string(), &[]);
        let (name, id): (Values<'_>, Values<'_>) = (&[&name], &[&tenant.0]);
        let mut pipeline = Pipeline::new();
        for sql in asked {
            let values = match sql {
                SET_TENANT => name,
                CLOCKS | DATABASE_TIME => none,
                _ => id,
            };
            pipeline.push(self.connection.query(sql, values));
        }
        // Each statement sees what is committed when it begins: those behind the lock, all
        // that was written under it before.
        let answers: Vec<_> = pipeline.run().await.into_iter().collect::<Read<_>>()?;
        let [_, _, ranks, clocks, weight, rates, slots, now] = &answers[..] else {
            return Err(Fault::unreadable("an answer is missing"));
        };
        self.acting = Some(tenant);
        if let (None, Some(now)) = (self.now, now.first()) {
            self.now = Some(self.clock.shifted(some_time_at(now, 0)?));
        }
        let mut loaded = Loaded::default();
        for row in ranks {
            loaded.ranks.insert(rank_key_at(row)?, row.try_get(2)?);
        }
        for row in clocks {
            self.clocks.insert(rank_key_at(row)?, row.try_get(2)?);
        }
        loaded.weight = weight.first().map(|row| small_at(row, 0)).transpose()?;
        for row in rates {
            let interval = Duration::from_micros(small_at(row, 1)?);
            let rate = Rate { interval, burst: small_at(row, 2)? };
            let scope = word_at(row, 0, Scope::parse)?;
            loaded.rates.insert(scope, (rate, some_time_at(row, 3)?));
        }
        for row in slots {
            let (scope, slots) = slots_at(row)?;
            loaded.slots.insert(scope, Some(slots));
        }
        self.tenants.insert(tenant, loaded);
        Ok(())
    }

    pub(super) async fn loaded(&mut self, tenant: TenantId) -> Read<&mut Loaded> {
        self.act(tenant).await?;
        self.tenants.get_mut(&tenant).ok_or_else(|| {
            Fault::Store(crate::Error::Invalid(
                "a transaction that reads may change nothing".into(),
            ))
        })
    }

    /// Writes back what was loaded and has changed. The last thing to do before the
    /// commit.
    pub(super) async fn flush(&mut self) -> Read<()> {
        self.settle().await?;
        for (tenant, mut loaded) in std::mem::take(&mut self.tenants) {
            self.see(tenant).await?;
            for key in std::mem::take(&mut loaded.ranks_changed) {
                let rank = loaded.ranks[&key];
                let values: Values<'_> = &[&tenant.0, &&*key.0, &i64::from(key.1.level()), &rank];
                self.execute(
                    "INSERT INTO queue_ranks VALUES ($1, $2, $3, $4)
                     ON CONFLICT (tenant_id, route, priority) DO UPDATE SET rank = EXCLUDED.rank",
                    values,
                )
                .await?;
            }
            for scope in std::mem::take(&mut loaded.slots_changed) {
                self.write_slots(tenant, &scope, loaded.slots[&scope]).await?;
            }
        }
        Ok(())
    }

    async fn write_slots(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        slots: Option<Slots>,
    ) -> Read<()> {
        let text = scope.text();
        let Some(Slots { limit, used, fixed }) = slots else {
            let sql = "DELETE FROM concurrency WHERE tenant_id = $1 AND scope = $2";
            return self.execute(sql, &[&tenant.0, &text]).await.map(drop);
        };
        self.execute(
            "INSERT INTO concurrency VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, scope) DO UPDATE SET slots = EXCLUDED.slots,
                used = EXCLUDED.used, fixed = EXCLUDED.fixed",
            &[&tenant.0, &text, &i64::from(limit), &i64::from(used), &fixed],
        )
        .await
        .map(drop)
    }

    /// Runs a query over the queues of all tenants.
    pub(super) async fn query_all(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Vec<tokio_postgres::Row>> {
        self.settle().await?;
        // A statement that had to be prepared on the way would come after the last.
        self.connection.prepare(&[SEE_ALL, sql, SEE_OWN]).await?;
        let mut pipeline = Pipeline::new();
        pipeline.push(self.connection.query(SEE_ALL, &[]));
        pipeline.push(self.connection.query(sql, values));
        pipeline.push(self.connection.query(SEE_OWN, &[]));
        let mut answers: Vec<_> = pipeline.run().await.into_iter().collect::<Read<_>>()?;
        Ok(answers.swap_remove(1))
    }

    /// The rows of these keys as they are now that their tenants' locks are held,
    /// without those that somebody else is at.
    pub(super) async fn locked(&mut self, keys: &[WorkKey]) -> Read<Vec<Row>> {
        let mut by_tenant: BTreeMap<TenantId, Vec<&WorkKey>> = BTreeMap::new();
        for key in keys {
            by_tenant.entry(key.tenant).or_default().push(key);
        }
        let mut rows = Vec::with_capacity(keys.len());
        for (tenant, keys) in by_tenant {
            self.act(tenant).await?;
            let executions: Vec<Uuid> = keys.iter().map(|key| key.execution.0).collect();
            let tasks: Vec<&str> = keys.iter().map(|key| &*key.task).collect();
            let found = self
                .query(
                    select_rows!(
                        "JOIN unnest($2::uuid[], $3::text[]) k (execution, task)
                            ON q.execution = k.execution AND q.task = k.task
                         WHERE q.tenant_id = $1 FOR UPDATE OF q SKIP LOCKED"
                    ),
                    &[&tenant.0, &executions, &tasks],
                )
                .await?;
            for row in &found {
                rows.push(row_at(row)?);
            }
        }
        Ok(rows)
    }

    /// Raises the fences of executions, and says of which: somebody else is at the
    /// others, and a claim waits for nobody.
    pub(super) async fn raise_fences(
        &mut self,
        tenant: TenantId,
        rows: &[&Row],
        raise: u64,
    ) -> Read<Vec<Uuid>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.key.execution.0).collect();
        let fences: Vec<i64> = rows.iter().map(|row| (row.fence + raise) as i64).collect();
        let raised = self
            .query_as(
                tenant,
                "UPDATE executions e SET fence = u.fence, lease_owner = NULL, lease_until = NULL
                 FROM (SELECT id, u.fence FROM executions
                        JOIN unnest($2::uuid[], $3::bigint[]) u (execution, fence)
                            ON id = u.execution
                       WHERE tenant_id = $1 FOR UPDATE OF executions SKIP LOCKED) u
                 WHERE e.tenant_id = $1 AND e.id = u.id RETURNING e.id",
                &[&tenant.0, &ids, &fences],
            )
            .await?;
        raised.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn rank_key_at(row: &tokio_postgres::Row) -> Read<(Arc<str>, Priority)> {
    Ok((text_at(row, 0)?, Priority::new(small_at(row, 1)?)?))
}

pub(super) fn slots_at(row: &tokio_postgres::Row) -> Read<(Scope, Slots)> {
    let slots = Slots { limit: small_at(row, 1)?, used: small_at(row, 2)?, fixed: row.try_get(3)? };
    Ok((word_at(row, 0, Scope::parse)?, slots))
}

/// Not all drivers of the queue ask for a sensible number.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
