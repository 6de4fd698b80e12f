//! [`Books`] on PostgreSQL.

use tokio_postgres::types::ToSql;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::load;
use super::queue_columns::{dead_at, reservation_at, schedule_at, select_schedules};
use super::queue_tx::{DATABASE_TIME, PgRows, limit};
use super::value::{Time, count_at, hash_at, some_time_at, text_at, word_at};
use crate::encode::encode;
use crate::pack::Pack;
use crate::queue::{Books, StoredReservation};
use crate::{
    Budget, BudgetKey, Cancel, DeadLetter, ExecutionId, ExecutionStatus, Idempotency,
    IdempotencyKey, Reservation, Schedule, ScheduleKey, TenantId, WorkKey, hash,
};

type Read<T> = Result<T, Fault>;

impl Books for PgRows<'_> {
    async fn now(&mut self) -> Read<Timestamp> {
        if let Some(now) = self.clock.stopped() {
            return Ok(now);
        }
        if let Some(now) = self.now {
            return Ok(now);
        }
        let row = self.first(DATABASE_TIME, &[]).await?;
        let row = row.ok_or_else(|| Fault::unreadable("the server gives no time"))?;
        let now = self.clock.shifted(some_time_at(&row, 0)?);
        self.now = Some(now);
        Ok(now)
    }

    async fn put_dead(&mut self, letter: &DeadLetter) -> Read<()> {
        self.act(letter.key.tenant).await?;
        self.execute(
            "INSERT INTO dead_letters VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant_id, execution, task) DO UPDATE SET reason = EXCLUDED.reason,
                deliveries = EXCLUDED.deliveries, time = EXCLUDED.time",
            &[
                &letter.key.tenant.0,
                &letter.key.execution.0,
                &&*letter.key.task,
                &&*letter.route,
                &&*letter.reason,
                &i64::from(letter.deliveries),
                &Time(letter.time),
            ],
        )
        .await
        .map(drop)
    }

    async fn remove_dead(&mut self, key: &WorkKey) -> Read<()> {
        self.act(key.tenant).await?;
        let sql = "DELETE FROM dead_letters WHERE tenant_id = $1 AND execution = $2 AND task = $3";
        self.execute(sql, &[&key.tenant.0, &key.execution.0, &&*key.task]).await.map(drop)
    }

    async fn dead(&mut self, tenant: TenantId, count: usize) -> Read<Vec<DeadLetter>> {
        self.see(tenant);
        let sql = "SELECT execution, task, route, reason, deliveries, time FROM dead_letters
             WHERE tenant_id = $1 ORDER BY time DESC, execution DESC, task DESC LIMIT $2";
        let rows = self.query(sql, &[&tenant.0, &limit(count)]).await?;
        rows.iter().map(|row| dead_at(row, tenant)).collect()
    }

    async fn status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Read<Option<ExecutionStatus>> {
        self.see(tenant);
        let sql = "SELECT status FROM executions WHERE tenant_id = $1 AND id = $2";
        let row = self.first(sql, &[&tenant.0, &execution.0]).await?;
        row.map(|row| word_at(&row, 0, ExecutionStatus::parse)).transpose()
    }

    async fn set_status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        status: ExecutionStatus,
    ) -> Read<()> {
        self.see(tenant);
        self.later(
            "UPDATE executions SET status = $3, ended_at = NULL
             WHERE tenant_id = $1 AND id = $2
                AND status NOT IN ('completed', 'failed', 'cancelled')",
            vec![Box::new(tenant.0), Box::new(execution.0), Box::new(status.as_str())],
        );
        Ok(())
    }

    async fn fence(&mut self, tenant: TenantId, execution: ExecutionId) -> Read<u64> {
        if self.has_begun(tenant, execution) {
            return Ok(0);
        }
        self.see(tenant);
        let sql = "SELECT fence FROM executions WHERE tenant_id = $1 AND id = $2";
        match self.first(sql, &[&tenant.0, &execution.0]).await? {
            Some(row) => count_at(&row, 0),
            None => Err(Fault::conflict(format!("there is no execution {execution}"))),
        }
    }

    async fn open_tree(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Read<Vec<ExecutionId>> {
        self.see(tenant);
        let rows = self
            .query(
                "WITH RECURSIVE tree (id) AS (
                    SELECT $2::uuid
                    UNION
                    SELECT e.id FROM tree
                    JOIN executions e ON e.tenant_id = $1 AND e.parent = tree.id)
                 SELECT e.id FROM tree JOIN executions e ON e.tenant_id = $1 AND e.id = tree.id
                 WHERE e.status NOT IN ('completed', 'failed', 'cancelled') ORDER BY e.id",
                &[&tenant.0, &execution.0],
            )
            .await?;
        rows.iter().map(|row| Ok(ExecutionId(row.try_get(0)?))).collect()
    }

    async fn cancel(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        cancel: &Cancel,
    ) -> Read<()> {
        self.see(tenant);
        let sql = "UPDATE executions SET status = 'cancelled', ended_at = $3, fence = fence + 1,
                error = NULL, error_blob = NULL, lease_owner = NULL, lease_until = NULL
             WHERE tenant_id = $1 AND id = $2";
        self.execute(sql, &[&tenant.0, &execution.0, &Time(cancel.time)]).await?;
        let heads = load::heads(self.connection, tenant, &[execution.0]).await?;
        let (sequence, last) = heads.first().map_or((0, hash::ROOT), |head| (head.1, head.2));
        let entry = cancel.entry(execution, sequence + 1);
        let mut pack = Pack::default();
        pack.push(&entry, None);
        let hash = hash::entry(last, &entry, Hash::of(&entry.payload));
        let values: [&(dyn ToSql + Sync); 5] =
            [&tenant.0, &execution.0, &(entry.sequence as i64), &encode(&pack.bytes), &&hash.0[..]];
        self.execute("INSERT INTO entries VALUES ($1, $2, $3, $3, $4, $5)", &values).await.map(drop)
    }

    async fn schedule(&mut self, key: &ScheduleKey) -> Read<Option<Schedule>> {
        self.act(key.tenant).await?;
        let sql = select_schedules!("WHERE tenant_id = $1 AND name = $2");
        let row = self.first(sql, &[&key.tenant.0, &&*key.name]).await?;
        row.as_ref().map(schedule_at).transpose()
    }

    async fn put_schedule(&mut self, schedule: &Schedule) -> Read<()> {
        self.act(schedule.key.tenant).await?;
        self.execute(
            "INSERT INTO schedules VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (tenant_id, name) DO UPDATE SET cron = EXCLUDED.cron,
                zone = EXCLUDED.zone, missed = EXCLUDED.missed, payload = EXCLUDED.payload,
                enabled = EXCLUDED.enabled, next_at = EXCLUDED.next_at",
            &[
                &schedule.key.tenant.0,
                &&*schedule.key.name,
                &&*schedule.cron,
                &&*schedule.zone,
                &schedule.missed.as_str(),
                &schedule.payload,
                &schedule.enabled,
                &schedule.next.map(Time),
            ],
        )
        .await
        .map(drop)
    }

    async fn remove_schedule(&mut self, key: &ScheduleKey) -> Read<()> {
        self.act(key.tenant).await?;
        let sql = "DELETE FROM schedules WHERE tenant_id = $1 AND name = $2";
        self.execute(sql, &[&key.tenant.0, &&*key.name]).await.map(drop)
    }

    async fn schedules(&mut self, tenant: TenantId) -> Read<Vec<Schedule>> {
        self.see(tenant);
        let sql = select_schedules!("WHERE tenant_id = $1 ORDER BY name");
        self.query(sql, &[&tenant.0]).await?.iter().map(schedule_at).collect()
    }

    async fn due_schedules(&mut self, now: Timestamp, count: usize) -> Read<Vec<Schedule>> {
        let sql =
            select_schedules!("WHERE enabled AND next_at <= $1 ORDER BY next_at, name LIMIT $2");
        let rows = self.query_all(sql, &[&Time(now), &limit(count)]).await?;
        rows.iter().map(schedule_at).collect()
    }

    async fn budget(&mut self, key: BudgetKey) -> Read<Option<Budget>> {
        self.see(key.tenant);
        let sql = match self.reads() {
            true => {
                "SELECT limit_micros, settled_micros, reserved_micros, unconfirmed_micros
                 FROM budgets WHERE tenant_id = $1 AND root = $2"
            }
            false => {
                "SELECT limit_micros, settled_micros, reserved_micros, unconfirmed_micros
                 FROM budgets WHERE tenant_id = $1 AND root = $2 FOR UPDATE"
            }
        };
        let row = self.first(sql, &[&key.tenant.0, &key.root.0]).await?;
        row.as_ref().map(budget_at).transpose()
    }

    async fn put_budget(&mut self, key: BudgetKey, budget: &Budget) -> Read<()> {
        self.see(key.tenant);
        self.execute(
            "INSERT INTO budgets VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant_id, root) DO UPDATE SET limit_micros = EXCLUDED.limit_micros,
                settled_micros = EXCLUDED.settled_micros,
                reserved_micros = EXCLUDED.reserved_micros,
                unconfirmed_micros = EXCLUDED.unconfirmed_micros",
            &[
                &key.tenant.0,
                &key.root.0,
                &(budget.limit_micros as i64),
                &(budget.settled_micros as i64),
                &(budget.reserved_micros as i64),
                &(budget.unconfirmed_micros as i64),
            ],
        )
        .await
        .map(drop)
    }

    async fn reservation(&mut self, wanted: &Reservation) -> Read<Option<StoredReservation>> {
        let budget = wanted.budget;
        self.see(budget.tenant);
        let sql = "SELECT id, execution, fence, amount_micros, closed FROM reservations
             WHERE tenant_id = $1 AND root = $2 AND id = $3";
        let row = self.first(sql, &[&budget.tenant.0, &budget.root.0, &wanted.id]).await?;
        let Some(row) = row else { return Ok(None) };
        let reservation = reservation_at(&row, budget)?;
        Ok(Some(StoredReservation { reservation, closed: row.try_get(4)? }))
    }

    async fn put_reservation(&mut self, stored: &StoredReservation) -> Read<()> {
        let StoredReservation { reservation, closed } = stored;
        self.see(reservation.budget.tenant);
        self.execute(
            "INSERT INTO reservations VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant_id, root, id) DO UPDATE SET closed = EXCLUDED.closed",
            &[
                &reservation.budget.tenant.0,
                &reservation.budget.root.0,
                &reservation.id,
                &reservation.execution.0,
                &(reservation.fence as i64),
                &(reservation.amount_micros as i64),
                closed,
            ],
        )
        .await
        .map(drop)
    }

    async fn budgets(&mut self, tenant: TenantId) -> Read<Vec<(BudgetKey, Budget)>> {
        self.see(tenant);
        let sql = "SELECT limit_micros, settled_micros, reserved_micros, unconfirmed_micros, root
             FROM budgets WHERE tenant_id = $1 ORDER BY root";
        let rows = self.query(sql, &[&tenant.0]).await?;
        let read = |row| Ok((key_at(row, tenant)?, budget_at(row)?));
        rows.iter().map(read).collect()
    }

    async fn reservations(&mut self, tenant: TenantId) -> Read<Vec<StoredReservation>> {
        self.see(tenant);
        let sql = "SELECT id, execution, fence, amount_micros, root FROM reservations
             WHERE tenant_id = $1 AND NOT closed ORDER BY root, id";
        let rows = self.query(sql, &[&tenant.0]).await?;
        let read = |row| {
            let reservation = reservation_at(row, key_at(row, tenant)?)?;
            Ok(StoredReservation { reservation, closed: false })
        };
        rows.iter().map(read).collect()
    }

    async fn forget_money(&mut self, tenant: TenantId) -> Read<u64> {
        self.see(tenant);
        let closed = "DELETE FROM reservations r WHERE tenant_id = $1 AND (closed
                OR substr(r.root::text, 15, 1) <> '8' AND NOT EXISTS
                (SELECT 1 FROM executions e WHERE e.tenant_id = $1 AND e.id = r.root))";
        let closed = self.execute(closed, &[&tenant.0]).await?;
        let budgets = "DELETE FROM budgets b WHERE tenant_id = $1
                AND substr(b.root::text, 15, 1) <> '8' AND NOT EXISTS
                (SELECT 1 FROM executions e WHERE e.tenant_id = $1 AND e.id = b.root)";
        Ok(closed + self.execute(budgets, &[&tenant.0]).await?)
    }

    async fn requests(&mut self, tenant: TenantId) -> Read<Vec<Idempotency>> {
        self.see(tenant);
        let sql = "SELECT caller, route, key, body, answer, time FROM idempotency_keys
             WHERE tenant_id = $1 ORDER BY caller, route, key";
        let read = |row: &tokio_postgres::Row| {
            let (caller, route) = (text_at(row, 0)?, text_at(row, 1)?);
            let key = IdempotencyKey { caller, route, key: text_at(row, 2)? };
            let (body, time) = (hash_at(row, 3)?, some_time_at(row, 5)?);
            Ok(Idempotency { key, body, answer: row.try_get(4)?, time })
        };
        self.query(sql, &[&tenant.0]).await?.iter().map(read).collect()
    }

    async fn forget_requests(&mut self, tenant: TenantId, before: Timestamp) -> Read<u64> {
        self.see(tenant);
        let sql = "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND time < $2";
        self.execute(sql, &[&tenant.0, &Time(before)]).await
    }

    async fn open_reservations(
        &mut self,
        key: BudgetKey,
        execution: ExecutionId,
        before_fence: u64,
    ) -> Read<Vec<Reservation>> {
        self.see(key.tenant);
        let sql = "SELECT id, execution, fence, amount_micros FROM reservations
             WHERE tenant_id = $1 AND root = $2 AND execution = $3 AND NOT closed AND fence < $4
             ORDER BY id";
        let values: [&(dyn ToSql + Sync); 4] =
            [&key.tenant.0, &key.root.0, &execution.0, &(before_fence as i64)];
        let rows = self.query(sql, &values).await?;
        rows.iter().map(|row| reservation_at(row, key)).collect()
    }
}

/// The budget that a row is about, of the root in its last column.
fn key_at(row: &tokio_postgres::Row, tenant: TenantId) -> Read<BudgetKey> {
    Ok(BudgetKey { tenant, root: ExecutionId(row.try_get(4)?) })
}

fn budget_at(row: &tokio_postgres::Row) -> Read<Budget> {
    Ok(Budget {
        limit_micros: count_at(row, 0)?,
        settled_micros: count_at(row, 1)?,
        reserved_micros: count_at(row, 2)?,
        unconfirmed_micros: count_at(row, 3)?,
    })
}
