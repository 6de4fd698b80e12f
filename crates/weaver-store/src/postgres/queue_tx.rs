//! [`PgRows`]: the queue on PostgreSQL, inside the transaction that is under way.
//!
//! A transaction changes a tenant's queue only while it holds that tenant's lock,
//! and takes the locks of several in the order of their ids. With the lock it loads
//! what nearly all changes need ([`Needed`]). Claims take no such lock: they touch
//! rows that are ready, and skip what somebody else is at.
//!
//! What is written waits until something is asked, or for the end ([`PgRows::later`]),
//! and goes with that in one round trip. So a usual batch is two: one that locks and
//! reads, and one that writes and commits.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::connection::Connection;
use super::fault::Fault;
use super::pipeline::{Pipeline, both};
use super::queue_columns::{put, row_at, select_rows, small_at};
use super::turns::Turns;
use super::value::{some_time_at, text_at, word_at};
use super::write::Written;
use crate::queue::{Row, Slots};
use crate::{Clock, ExecutionId, Priority, Rate, Scope, TenantId, WorkKey};

type Read<T> = Result<T, Fault>;
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];
/// Values that a statement keeps until it is sent.
pub(super) type Parameters = Vec<Box<dyn ToSql + Sync + Send>>;

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
    /// Executions that began in this transaction.
    begun: HashSet<(TenantId, ExecutionId)>,
    /// All rows of these executions, as they are after what is still to be written.
    held: HashMap<(TenantId, ExecutionId), BTreeMap<Arc<str>, Row>>,
    /// What is still to be written, with the statements that it takes.
    unwritten: Pipeline<'a, Written>,
    statements: Vec<&'static str>,
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

/// What nearly every change of a tenant's queue needs, as it was read behind the lock.
pub(super) struct Needed {
    loaded: Loaded,
    clocks: HashMap<(Arc<str>, Priority), i64>,
    now: Timestamp,
    rows: Vec<Row>,
    /// The executions whose rows these are.
    executions: Vec<Uuid>,
}

/// Held until the end of the transaction by whoever changes a tenant's queue.
pub(super) fn lock_queue(tenant: TenantId) -> String {
    format!("SELECT pg_advisory_xact_lock(hashtextextended('queue {tenant}', 0))")
}
pub(super) const DATABASE_TIME: &str = "SELECT clock_timestamp()";
const REMOVE: &str = "DELETE FROM work_queue WHERE tenant_id = $1 AND execution = $2 AND task = $3";
pub(super) const SET_TENANT: &str = "SELECT set_config('app.tenant_id', $1, true)";
/// Gives the time, too.
const SEE_ALL: &str = "SELECT clock_timestamp(), set_config('app.queue', 'all', true)";
const SEE_OWN: &str = "SELECT set_config('app.queue', '', true)";
/// What nearly every change of a tenant's queue needs, in one answer: what it is, whose,
/// two numbers, a mark and a time. The slots are those of workflows and of the tenant,
/// which come after keys.
const BOOKS: &str = "SELECT 'rank', route, priority, rank, NULL::boolean, NULL::timestamptz
        FROM queue_ranks WHERE tenant_id = $1
     UNION ALL SELECT 'clock', route, priority, rank, NULL, NULL FROM queue_clocks
     UNION ALL SELECT 'weight', NULL, weight, NULL, NULL, NULL
        FROM queue_weights WHERE tenant_id = $1
     UNION ALL SELECT 'rate', scope, interval_micros, burst, NULL, next_at
        FROM rates WHERE tenant_id = $1
     UNION ALL SELECT 'slots', scope, slots, used, fixed, NULL
        FROM concurrency WHERE tenant_id = $1 AND scope >= 't'
     UNION ALL SELECT 'now', NULL, NULL, NULL, NULL, clock_timestamp()";
/// All rows of some executions. Locked in this order by whoever locks several.
const ROWS_OF: &str = select_rows!(
    "WHERE q.tenant_id = $1 AND q.execution = ANY($2) ORDER BY q.execution, q.task FOR UPDATE"
);
/// The statements of [`Needed`], to be prepared when a writer's connection is new.
pub(super) const NEEDED: [&str; 2] = [BOOKS, ROWS_OF];
pub(super) const SLOTS_OF: &str = "SELECT 'slots', scope, slots, used, fixed FROM concurrency
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
            held: HashMap::new(),
            unwritten: Pipeline::new(),
            statements: Vec::new(),
            wake: false,
        }
    }

    /// The same behind statements that are still to be sent, the last of them as `acting`,
    /// in a transaction in which executions have begun: nothing is known of them in the
    /// queue.
    pub(super) fn behind(
        mut self,
        unwritten: Pipeline<'a, Written>,
        acting: Option<TenantId>,
        begun: HashSet<(TenantId, ExecutionId)>,
    ) -> Self {
        self.unwritten = unwritten;
        self.acting = acting;
        self.held.extend(begun.iter().map(|key| (*key, BTreeMap::new())));
        self.begun = begun;
        self
    }

    /// Takes over what was read while the lock of the tenant's queue is held.
    pub(super) fn know(&mut self, tenant: TenantId, needed: Needed) {
        self.now.get_or_insert(self.clock.shifted(needed.now));
        self.clocks.extend(needed.clocks);
        for execution in needed.executions {
            self.held.entry((tenant, ExecutionId(execution))).or_default();
        }
        for row in needed.rows {
            let rows = self.held.entry((tenant, row.key.execution)).or_default();
            rows.insert(row.key.task.clone(), row);
        }
        self.tenants.insert(tenant, needed.loaded);
    }

    /// Whether an execution began in this transaction.
    pub(super) fn has_begun(&self, tenant: TenantId, execution: ExecutionId) -> bool {
        self.begun.contains(&(tenant, execution))
    }

    /// All rows of an execution, if they are known.
    pub(super) fn held(
        &self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Option<&BTreeMap<Arc<str>, Row>> {
        self.held.get(&(tenant, execution))
    }

    /// Known rows may not be as they were: they are read again.
    pub(super) fn forget_held(&mut self) {
        self.held.clear();
    }

    /// Writes a row; `sql` as for [`put`].
    pub(super) fn write(&mut self, row: &Row, sql: &'static str) {
        let (connection, row) = (self.connection, row.clone());
        if let Some(rows) = self.held.get_mut(&(row.key.tenant, row.key.execution)) {
            rows.insert(row.key.task.clone(), row.clone());
        }
        self.statements.push(sql);
        self.unwritten.push(async move { put(connection, &row, sql).await });
    }

    /// Forgets a row.
    pub(super) fn erase(&mut self, key: &WorkKey) {
        if let Some(rows) = self.held.get_mut(&(key.tenant, key.execution)) {
            rows.remove(&key.task);
        }
        let values: Parameters =
            vec![Box::new(key.tenant.0), Box::new(key.execution.0), Box::new(key.task.to_string())];
        self.later(REMOVE, values);
    }

    /// Has a statement run whose outcome nobody looks at, before anything else is asked.
    pub(super) fn later(&mut self, sql: &'static str, values: Parameters) {
        let connection = self.connection;
        self.statements.push(sql);
        self.unwritten.push(async move {
            let values: Vec<&(dyn ToSql + Sync)> =
                values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            connection.execute(sql, &values).await.map(drop)
        });
    }

    /// What is still to be written, ready to be sent.
    pub(super) async fn unwritten(&mut self) -> Read<Pipeline<'a, Written>> {
        // A statement that had to be prepared on the way would come after the last.
        self.connection.prepare(&std::mem::take(&mut self.statements)).await?;
        Ok(std::mem::take(&mut self.unwritten))
    }

    /// Sends what is still to be written, and something else behind it.
    pub(super) async fn with_unwritten<T>(
        &mut self,
        ask: impl Future<Output = Read<T>>,
    ) -> Read<T> {
        let unwritten = self.unwritten().await?;
        if unwritten.is_empty() {
            return ask.await;
        }
        let (written, answer) = both(unwritten.run(), ask).await;
        written.into_iter().collect::<Written>()?;
        answer
    }

    pub(super) fn reads(&self) -> bool {
        self.reads
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Vec<tokio_postgres::Row>> {
        let connection = self.connection;
        connection.prepare(&[sql]).await?;
        self.with_unwritten(connection.query(sql, values)).await
    }

    pub(super) async fn first(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Option<tokio_postgres::Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: Values<'_>) -> Read<u64> {
        let connection = self.connection;
        connection.prepare(&[sql]).await?;
        self.with_unwritten(connection.execute(sql, values)).await
    }

    /// The session acts as this tenant once what is about to be asked is answered.
    pub(super) fn acts_as(&mut self, tenant: Option<TenantId>) {
        self.acting = tenant.or(self.acting);
    }

    /// Acts as a tenant from here on, without the lock of its queue.
    pub(super) fn see(&mut self, tenant: TenantId) {
        if self.acting != Some(tenant) {
            self.later(SET_TENANT, vec![Box::new(tenant.to_string())]);
            self.acting = Some(tenant);
        }
    }

    /// Acts as a tenant from here on; with the lock of its queue, unless this only
    /// reads.
    pub(super) async fn act(&mut self, tenant: TenantId) -> Read<()> {
        self.see(tenant);
        if self.reads || self.tenants.contains_key(&tenant) {
            return Ok(());
        }
        let connection = self.connection;
        self.unwritten.push(async move { connection.batch(&lock_queue(tenant)).await });
        connection.prepare(&NEEDED).await?;
        let needed = self.with_unwritten(needed(connection, tenant, Vec::new())).await?;
        self.know(tenant, needed);
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
    /// commit, which the caller sends behind it.
    pub(super) async fn finish(&mut self) -> Read<Pipeline<'a, Written>> {
        for (tenant, mut loaded) in std::mem::take(&mut self.tenants) {
            for key in std::mem::take(&mut loaded.ranks_changed) {
                let rank = loaded.ranks[&key];
                self.see(tenant);
                self.later(
                    "INSERT INTO queue_ranks VALUES ($1, $2, $3, $4)
                     ON CONFLICT (tenant_id, route, priority) DO UPDATE SET rank = EXCLUDED.rank",
                    vec![
                        Box::new(tenant.0),
                        Box::new(key.0.to_string()),
                        Box::new(i64::from(key.1.level())),
                        Box::new(rank),
                    ],
                );
            }
            for scope in std::mem::take(&mut loaded.slots_changed) {
                self.see(tenant);
                self.write_slots(tenant, &scope, loaded.slots[&scope]);
            }
        }
        self.unwritten().await
    }

    fn write_slots(&mut self, tenant: TenantId, scope: &Scope, slots: Option<Slots>) {
        let mut values: Parameters = vec![Box::new(tenant.0), Box::new(scope.text())];
        let Some(Slots { limit, used, fixed }) = slots else {
            let sql = "DELETE FROM concurrency WHERE tenant_id = $1 AND scope = $2";
            return self.later(sql, values);
        };
        values.push(Box::new(i64::from(limit)));
        values.push(Box::new(i64::from(used)));
        values.push(Box::new(fixed));
        self.later(
            "INSERT INTO concurrency VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, scope) DO UPDATE SET slots = EXCLUDED.slots,
                used = EXCLUDED.used, fixed = EXCLUDED.fixed",
            values,
        );
    }

    /// Runs a query over the queues of all tenants, and asks for the time with it.
    pub(super) async fn query_all(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Read<Vec<tokio_postgres::Row>> {
        let connection = self.connection;
        connection.prepare(&[SEE_ALL, sql, SEE_OWN]).await?;
        let mut asked = Pipeline::new();
        asked.push(connection.query(SEE_ALL, &[]));
        asked.push(connection.query(sql, values));
        asked.push(connection.query(SEE_OWN, &[]));
        let answers = async { asked.run().await.into_iter().collect::<Read<Vec<_>>>() };
        let mut answers = self.with_unwritten(answers).await?;
        if let Some(now) = answers[0].first() {
            self.now.get_or_insert(self.clock.shifted(some_time_at(now, 0)?));
        }
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
}

/// Reads what nearly every change of a tenant's queue needs, and the rows of some
/// executions, in one round trip. Each statement sees what is committed when it begins:
/// behind the lock, all that was written under it before.
pub(super) async fn needed(
    connection: &Connection,
    tenant: TenantId,
    executions: Vec<Uuid>,
) -> Read<Needed> {
    let rows = async {
        match executions.is_empty() {
            true => Ok(Vec::new()),
            false => connection.query(ROWS_OF, &[&tenant.0, &executions]).await,
        }
    };
    let (books, rows) = both(connection.query(BOOKS, &[&tenant.0]), rows).await;
    let rows = rows?.iter().map(row_at).collect::<Read<_>>()?;
    let (mut loaded, mut clocks, mut now) = (Loaded::default(), HashMap::new(), None);
    for row in &books? {
        match row.try_get(0)? {
            "rank" => drop(loaded.ranks.insert(rank_key_at(row)?, row.try_get(3)?)),
            "clock" => drop(clocks.insert(rank_key_at(row)?, row.try_get(3)?)),
            "weight" => loaded.weight = Some(small_at(row, 2)?),
            "rate" => {
                let interval = Duration::from_micros(small_at(row, 2)?);
                let rate = (Rate { interval, burst: small_at(row, 3)? }, some_time_at(row, 5)?);
                loaded.rates.insert(word_at(row, 1, Scope::parse)?, rate);
            }
            "slots" => {
                let (scope, slots) = slots_at(row)?;
                loaded.slots.insert(scope, Some(slots));
            }
            _ => now = Some(some_time_at(row, 5)?),
        }
    }
    let now = now.ok_or_else(|| Fault::unreadable("the server gives no time"))?;
    Ok(Needed { loaded, clocks, now, rows, executions })
}

/// A route and a priority, from the second column on.
fn rank_key_at(row: &tokio_postgres::Row) -> Read<(Arc<str>, Priority)> {
    Ok((text_at(row, 1)?, Priority::new(small_at(row, 2)?)?))
}

/// A scope with its slots, from the second column on.
pub(super) fn slots_at(row: &tokio_postgres::Row) -> Read<(Scope, Slots)> {
    let slots = Slots { limit: small_at(row, 2)?, used: small_at(row, 3)?, fixed: row.try_get(4)? };
    Ok((word_at(row, 1, Scope::parse)?, slots))
}

/// Not all drivers of the queue ask for a sensible number.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
