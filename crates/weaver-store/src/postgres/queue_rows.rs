//! [`Rows`] on PostgreSQL.

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::fault::Fault;
use super::pipeline::{Pipeline, both};
use super::queue_columns::{PUT, PUT_LEASED, row_at, select_rows};
use super::queue_tx::{PgRows, SET_TENANT, SLOTS_OF, limit, slots_at};
use super::value::{Time, some_time_at};
use crate::queue::{Books, Ranks, Row, Rows, Slots, bit};
use crate::{
    ClaimRequest, ExecutionId, Limit, Priority, Rate, Scope, TenantId, WorkKey, WorkState,
};

type Read<T> = Result<T, Fault>;

/// Leases rows that this transaction has locked, and raises the fences of their
/// executions; without those of executions that somebody else is at, as a claim waits for
/// nobody.
const LEASE: &str = "WITH asked AS (
        SELECT q.execution, q.task, q.fence + $6 AS fence FROM work_queue q
        JOIN unnest($2::uuid[], $3::text[]) k (execution, task)
            ON q.execution = k.execution AND q.task = k.task
        WHERE q.tenant_id = $1),
     free AS (
        SELECT id FROM executions
        WHERE tenant_id = $1 AND id IN (SELECT execution FROM asked WHERE task = '')
        ORDER BY id FOR UPDATE SKIP LOCKED),
     raised AS (
        UPDATE executions e SET fence = a.fence, lease_owner = NULL, lease_until = NULL
        FROM asked a JOIN free ON free.id = a.execution
        WHERE e.tenant_id = $1 AND e.id = a.execution AND a.task = '' RETURNING e.id)
     UPDATE work_queue q SET state = 'leased', lease_owner = $4, lease_until = $5,
        fence = a.fence, deliveries = deliveries + 1, woken = FALSE
     FROM asked a
     WHERE q.tenant_id = $1 AND q.execution = a.execution AND q.task = a.task
        AND (a.task <> '' OR a.execution IN (SELECT id FROM raised))
     RETURNING q.execution, q.task";

impl PgRows<'_> {
    /// Leases the rows of each tenant, all in one round trip; gives which were free.
    async fn lease_all(
        &mut self,
        by_tenant: &BTreeMap<TenantId, Vec<Row>>,
        (owner, until, raise): (&str, Time, i64),
    ) -> Read<Vec<Vec<tokio_postgres::Row>>> {
        let connection = self.connection;
        connection.prepare(&[SET_TENANT, LEASE]).await?;
        let mut asked = Pipeline::new();
        for (tenant, rows) in by_tenant {
            asked.push(async move {
                let executions: Vec<Uuid> = rows.iter().map(|row| row.key.execution.0).collect();
                let names: Vec<&str> = rows.iter().map(|row| &*row.key.task).collect();
                let acting: [&(dyn ToSql + Sync); 1] = [&tenant.to_string()];
                let values: [&(dyn ToSql + Sync); 6] =
                    [&tenant.0, &executions, &names, &owner, &until, &raise];
                let acts = connection.execute(SET_TENANT, &acting);
                let (acts, leased) = both(acts, connection.query(LEASE, &values)).await;
                acts.and(leased)
            });
        }
        self.acts_as(by_tenant.keys().last().copied());
        let leased = self.with_unwritten(async { Ok(asked.run().await) }).await?;
        leased.into_iter().collect()
    }
}

impl Rows for PgRows<'_> {
    async fn row(&mut self, key: &WorkKey) -> Read<Option<Row>> {
        if let Some(rows) = self.held(key.tenant, key.execution) {
            return Ok(rows.get(&key.task).cloned());
        }
        self.act(key.tenant).await?;
        let sql = match self.reads() {
            true => select_rows!("WHERE q.tenant_id = $1 AND q.execution = $2 AND q.task = $3"),
            false => select_rows!(
                "WHERE q.tenant_id = $1 AND q.execution = $2 AND q.task = $3 FOR UPDATE"
            ),
        };
        let found = self.first(sql, &[&key.tenant.0, &key.execution.0, &&*key.task]).await?;
        found.as_ref().map(row_at).transpose()
    }

    async fn rows_after(
        &mut self,
        tenant: TenantId,
        after: Option<&WorkKey>,
        count: usize,
    ) -> Read<Vec<Row>> {
        self.see(tenant);
        // No id is all zeros, so all rows come after it.
        let (execution, task) =
            after.map_or((Uuid::nil(), ""), |key| (key.execution.0, &*key.task));
        let sql = select_rows!(
            "WHERE q.tenant_id = $1 AND (q.execution, q.task) > ($2, $3)
             ORDER BY q.execution, q.task LIMIT $4"
        );
        let rows = self.query(sql, &[&tenant.0, &execution, &task, &limit(count)]).await?;
        rows.iter().map(row_at).collect()
    }

    async fn rows_of(&mut self, tenant: TenantId, execution: ExecutionId) -> Read<Vec<Row>> {
        if let Some(rows) = self.held(tenant, execution) {
            return Ok(rows.values().cloned().collect());
        }
        self.act(tenant).await?;
        let sql =
            select_rows!("WHERE q.tenant_id = $1 AND q.execution = $2 ORDER BY q.task FOR UPDATE");
        let rows = self.query(sql, &[&tenant.0, &execution.0]).await?;
        rows.iter().map(row_at).collect()
    }

    async fn put(&mut self, row: &Row) -> Read<()> {
        self.act(row.key.tenant).await?;
        self.write(row, PUT);
        Ok(())
    }

    async fn put_leased(&mut self, row: &Row) -> Read<()> {
        self.act(row.key.tenant).await?;
        self.write(row, PUT_LEASED);
        Ok(())
    }

    async fn remove(&mut self, key: &WorkKey) -> Read<()> {
        self.act(key.tenant).await?;
        self.erase(key);
        Ok(())
    }

    async fn queued_of(&mut self, tenant: TenantId, thread: &str) -> Read<Vec<ExecutionId>> {
        self.act(tenant).await?;
        let rows = self
            .query(
                "SELECT e.id FROM executions e JOIN work_queue q
                    ON q.tenant_id = e.tenant_id AND q.execution = e.id AND q.task = ''
                 WHERE e.tenant_id = $1 AND e.thread = $2 ORDER BY e.id",
                &[&tenant.0, &thread],
            )
            .await?;
        rows.iter().map(|row| Ok(ExecutionId(row.try_get(0)?))).collect()
    }

    async fn lease(&mut self, request: &ClaimRequest) -> Read<Vec<Row>> {
        let sql = select_rows!(
            "WHERE q.state = 'ready' AND q.route = $1
             ORDER BY q.priority, q.rank, q.execution, q.task LIMIT $2 FOR UPDATE SKIP LOCKED"
        );
        let found = self.query_all(sql, &[&&*request.route, &limit(request.count)]).await?;
        let mut by_tenant: BTreeMap<TenantId, Vec<Row>> = BTreeMap::new();
        for row in &found {
            let row = row_at(row)?;
            by_tenant.entry(row.key.tenant).or_default().push(row);
        }
        let until = self.now().await?.after(request.lease);
        let raise = fence_raise();
        let terms = (&*request.owner, Time(until), raise as i64);
        let all_free = self.lease_all(&by_tenant, terms).await?;
        let mut leased = Vec::with_capacity(found.len());
        for (mut rows, free) in by_tenant.into_values().zip(all_free) {
            let place = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
            let free: HashSet<(Uuid, String)> = free.iter().map(place).collect::<Read<_>>()?;
            rows.retain(|row| free.contains(&(row.key.execution.0, row.key.task.to_string())));
            rows.iter_mut().for_each(|row| row.lease_to(&request.owner, until, raise));
            leased.append(&mut rows);
        }
        leased.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok(leased)
    }

    async fn due(&mut self, now: Timestamp, count: usize) -> Read<Vec<Row>> {
        let sql = select_rows!(
            "WHERE q.state = 'delayed' AND q.run_at <= $1
             ORDER BY q.run_at, q.execution, q.task LIMIT $2"
        );
        let keys = keys(&self.query_all(sql, &[&Time(now), &limit(count)]).await?)?;
        let mut rows = self.locked(&keys).await?;
        let is_due = |row: &Row| row.run_at.is_some_and(|time| time <= now);
        rows.retain(|row| row.state == WorkState::Delayed && is_due(row));
        rows.sort_by(|a, b| (a.run_at, age(a)).cmp(&(b.run_at, age(b))));
        Ok(rows)
    }

    async fn next_due(&mut self) -> Read<Option<Timestamp>> {
        let sql = "SELECT run_at FROM work_queue WHERE state = 'delayed' AND run_at IS NOT NULL
             ORDER BY run_at LIMIT 1";
        let rows = self.query_all(sql, &[]).await?;
        rows.first().map(|row| some_time_at(row, 0)).transpose()
    }

    async fn expired(&mut self, now: Timestamp, count: usize) -> Read<Vec<Row>> {
        let sql = select_rows!(
            "WHERE q.state = 'leased' AND q.lease_until <= $1
             ORDER BY q.lease_until, q.execution, q.task LIMIT $2"
        );
        let keys = keys(&self.query_all(sql, &[&Time(now), &limit(count)]).await?)?;
        let mut rows = self.locked(&keys).await?;
        let is_over = |row: &Row| row.until.is_some_and(|time| time <= now);
        rows.retain(|row| row.state == WorkState::Leased && is_over(row));
        rows.sort_by(|a, b| (a.until, age(a)).cmp(&(b.until, age(b))));
        Ok(rows)
    }

    async fn ranks(&mut self, tenant: TenantId, route: &str, priority: Priority) -> Read<Ranks> {
        let key = (route.into(), priority);
        self.act(tenant).await?;
        let stored = self.clocks.get(&key).copied().unwrap_or(0);
        let clock = self.turns.latest(&key.0, priority, stored);
        let loaded = self.loaded(tenant).await?;
        let last = loaded.ranks.get(&key).copied().unwrap_or(0);
        Ok(Ranks { last, clock, weight: loaded.weight.unwrap_or(1) })
    }

    async fn set_last_rank(
        &mut self,
        tenant: TenantId,
        route: &str,
        priority: Priority,
        rank: i64,
    ) -> Read<()> {
        let loaded = self.loaded(tenant).await?;
        loaded.ranks.insert((route.into(), priority), rank);
        loaded.ranks_changed.insert((route.into(), priority));
        Ok(())
    }

    async fn advance_clock(&mut self, route: &str, priority: Priority, rank: i64) -> Read<()> {
        // Written after the commit: the row would be locked while this one waits for
        // the disk, and everybody who claims behind it.
        self.claimed.push((route.into(), priority, rank));
        Ok(())
    }

    async fn set_weight(&mut self, tenant: TenantId, weight: u32) -> Read<()> {
        self.act(tenant).await?;
        self.execute(
            "INSERT INTO queue_weights VALUES ($1, $2)
             ON CONFLICT (tenant_id) DO UPDATE SET weight = EXCLUDED.weight",
            &[&tenant.0, &i64::from(weight)],
        )
        .await
        .map(drop)
    }

    async fn slots(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<Slots>> {
        if let Some(known) = self.loaded(tenant).await?.slots.get(scope) {
            return Ok(*known);
        }
        // Those of workflows and the tenant were all loaded.
        let found = match scope {
            Scope::Key(_) => self.first(SLOTS_OF, &[&tenant.0, &scope.text()]).await?,
            _ => None,
        };
        let slots = found.as_ref().map(slots_at).transpose()?.map(|(_, slots)| slots);
        self.loaded(tenant).await?.slots.insert(scope.clone(), slots);
        Ok(slots)
    }

    async fn set_slots(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        slots: Option<Slots>,
    ) -> Read<()> {
        let loaded = self.loaded(tenant).await?;
        loaded.slots.insert(scope.clone(), slots);
        loaded.slots_changed.insert(scope.clone());
        Ok(())
    }

    async fn limits(&mut self, tenant: TenantId) -> Read<Vec<Limit>> {
        self.see(tenant);
        let sql = "SELECT 'slots', scope, slots, used, fixed FROM concurrency WHERE tenant_id = $1";
        let rows = self.query(sql, &[&tenant.0]).await?;
        let limit = |row| {
            let (scope, Slots { limit, used, .. }) = slots_at(row)?;
            Ok(Limit { tenant, scope, limit, used })
        };
        let mut limits: Vec<Limit> = rows.iter().map(limit).collect::<Read<_>>()?;
        limits.sort_by(|a, b| a.scope.cmp(&b.scope));
        Ok(limits)
    }

    async fn mark_holders(&mut self, tenant: TenantId, scope: &Scope) -> Read<u32> {
        self.act(tenant).await?;
        self.forget_held();
        let bit = i64::from(bit(scope));
        // What waits for a scope holds those before it: workflows come before the
        // tenant, keys before both.
        let count = match scope {
            Scope::Key(name) => {
                let sql = "UPDATE work_queue SET slots = slots | $2
                     WHERE tenant_id = $1 AND key = $3 AND (state IN ('ready', 'leased')
                        OR (state = 'held' AND held_on >= 't'))";
                self.execute(sql, &[&tenant.0, &bit, &&**name]).await?
            }
            Scope::Workflow(name) => {
                let sql = "UPDATE work_queue SET slots = slots | $2
                     WHERE tenant_id = $1 AND task = '' AND workflow = $3
                        AND (state IN ('ready', 'leased')
                            OR (state = 'held' AND held_on = 't'))";
                self.execute(sql, &[&tenant.0, &bit, &&**name]).await?
            }
            Scope::Tenant => {
                let sql = "UPDATE work_queue SET slots = slots | $2
                     WHERE tenant_id = $1 AND task = '' AND state IN ('ready', 'leased')";
                self.execute(sql, &[&tenant.0, &bit]).await?
            }
        };
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn first_held(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<Row>> {
        self.act(tenant).await?;
        let sql = select_rows!(
            "WHERE q.state = 'held' AND q.tenant_id = $1 AND q.held_on = $2
             ORDER BY q.priority, q.since, q.execution, q.task LIMIT 1 FOR UPDATE"
        );
        let found = self.first(sql, &[&tenant.0, &scope.text()]).await?;
        found.as_ref().map(row_at).transpose()
    }

    async fn rate(&mut self, tenant: TenantId, scope: &Scope) -> Read<Option<(Rate, Timestamp)>> {
        Ok(self.loaded(tenant).await?.rates.get(scope).copied())
    }

    async fn rates(&mut self, tenant: TenantId) -> Read<Vec<(Scope, Rate, Timestamp)>> {
        let all = self.loaded(tenant).await?.rates.iter();
        let mut rates: Vec<_> =
            all.map(|(scope, (rate, even))| (scope.clone(), *rate, *even)).collect();
        rates.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        Ok(rates)
    }

    async fn set_rate(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        rate: Option<(Rate, Timestamp)>,
    ) -> Read<()> {
        let rates = &mut self.loaded(tenant).await?.rates;
        let text = scope.text();
        let Some((Rate { interval, burst }, next)) = rate else {
            rates.remove(scope);
            let sql = "DELETE FROM rates WHERE tenant_id = $1 AND scope = $2";
            return self.execute(sql, &[&tenant.0, &text]).await.map(drop);
        };
        rates.insert(scope.clone(), (Rate { interval, burst }, next));
        let micros = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
        self.execute(
            "INSERT INTO rates VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, scope) DO UPDATE SET
                interval_micros = EXCLUDED.interval_micros, burst = EXCLUDED.burst,
                next_at = EXCLUDED.next_at",
            &[&tenant.0, &text, &micros, &i64::from(burst), &Time(next)],
        )
        .await
        .map(drop)
    }

    async fn wake(&mut self) -> Read<()> {
        self.wake = true;
        Ok(())
    }
}

fn keys(rows: &[tokio_postgres::Row]) -> Read<Vec<WorkKey>> {
    rows.iter().map(|row| row_at(row).map(|row| row.key)).collect()
}

/// By how much a claim raises fences: by chance, so that a claim that a crash of the server
/// took back and the next claim of the same row have different ones. 20 bits leave room for
/// thousands of millions of claims of one row in numbers that JSON has exactly.
fn fence_raise() -> u64 {
    1 + (Uuid::new_v4().as_u128() as u64 & 0xf_ffff)
}

fn age(row: &Row) -> (ExecutionId, &str) {
    (row.key.execution, &row.key.task)
}

fn place(row: &Row) -> (Priority, i64, (ExecutionId, &str)) {
    (row.priority, row.rank, age(row))
}
