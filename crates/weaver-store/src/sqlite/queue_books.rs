//! [`Books`] on SQLite.

use rusqlite::{Row as SqlRow, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::queue_columns::{DEAD_COLUMNS, SCHEDULE_COLUMNS, dead_at, schedule_at};
use super::queue_rows::{SqliteRows, limit};
use super::rows::{Db, execute, uuid_bytes, word};
use super::simple;
use crate::queue::{Books, StoredReservation};
use crate::{
    Budget, BudgetKey, Cancel, DeadLetter, ExecutionId, ExecutionStatus, Idempotency,
    IdempotencyKey, Reservation, Schedule, ScheduleKey, TenantId, WorkKey,
};

type Read<T> = Result<T, Fault>;

impl Books for SqliteRows<'_> {
    async fn now(&mut self) -> Read<Timestamp> {
        Ok(self.clock.host_now())
    }

    async fn put_dead(&mut self, letter: &DeadLetter) -> Read<()> {
        let db = self.db(letter.key.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO dead_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                db.tenant,
                uuid_bytes(&letter.key.execution.0),
                letter.key.task,
                letter.route,
                letter.reason,
                letter.deliveries,
                letter.time.0,
            ],
        )
    }

    async fn remove_dead(&mut self, key: &WorkKey) -> Read<()> {
        let db = self.db(key.tenant)?;
        execute(
            db,
            "DELETE FROM dead_letters WHERE tenant_id = ?1 AND execution = ?2 AND task = ?3",
            params![db.tenant, uuid_bytes(&key.execution.0), key.task],
        )
    }

    async fn dead(&mut self, tenant: TenantId, count: usize) -> Read<Vec<DeadLetter>> {
        let number = self.number(tenant)?;
        self.all(
            &format!(
                "SELECT {DEAD_COLUMNS} FROM dead_letters WHERE tenant_id = ?1
                 ORDER BY time DESC, execution DESC, task DESC LIMIT ?2"
            ),
            params![number, limit(count)],
            |row| dead_at(row, tenant),
        )
    }

    async fn status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Read<Option<ExecutionStatus>> {
        let tenant = self.number(tenant)?;
        self.one(
            "SELECT status FROM executions WHERE tenant_id = ?1 AND id = ?2",
            params![tenant, uuid_bytes(&execution.0)],
            |row| word(row, 0, ExecutionStatus::parse),
        )
    }

    async fn set_status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        status: ExecutionStatus,
    ) -> Read<()> {
        let db = self.db(tenant)?;
        execute(
            db,
            "UPDATE executions SET status = ?3, ended_at = NULL
             WHERE tenant_id = ?1 AND id = ?2
               AND status NOT IN ('completed', 'failed', 'cancelled')",
            params![db.tenant, uuid_bytes(&execution.0), status.as_str()],
        )
    }

    async fn fence(&mut self, tenant: TenantId, execution: ExecutionId) -> Read<u64> {
        match simple::fence(Db::of(self.connection, tenant)?, execution)? {
            Some(fence) => Ok(fence),
            None => Err(Fault::conflict(format!("there is no execution {execution}"))),
        }
    }

    async fn open_tree(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Read<Vec<ExecutionId>> {
        let tenant = self.number(tenant)?;
        self.all(
            "WITH RECURSIVE tree (id) AS (
                SELECT ?2
                UNION
                SELECT e.id FROM tree JOIN executions e ON e.tenant_id = ?1 AND e.parent = tree.id)
             SELECT e.id FROM tree JOIN executions e ON e.tenant_id = ?1 AND e.id = tree.id
             WHERE e.status NOT IN ('completed', 'failed', 'cancelled')",
            params![tenant, uuid_bytes(&execution.0)],
            |row| Ok(ExecutionId(Uuid::from_bytes(row.get(0)?))),
        )
    }

    async fn cancel(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        cancel: &Cancel,
    ) -> Read<()> {
        let db = Db::made_for(self.connection, tenant)?;
        execute(
            db,
            "UPDATE executions SET status = 'cancelled', ended_at = ?3, fence = fence + 1,
                error = NULL, error_blob = NULL, lease_owner = NULL, lease_until = NULL
             WHERE tenant_id = ?1 AND id = ?2",
            params![db.tenant, uuid_bytes(&execution.0), cancel.time.0],
        )?;
        let applier = self.appliers.entry(tenant).or_default();
        let next = applier.last_sequence(db, execution)? + 1;
        applier.record(db, &cancel.entry(execution, next).into())
    }

    async fn schedule(&mut self, key: &ScheduleKey) -> Read<Option<Schedule>> {
        let number = self.number(key.tenant)?;
        self.one(
            &format!("SELECT {SCHEDULE_COLUMNS} WHERE s.tenant_id = ?1 AND s.name = ?2"),
            params![number, key.name],
            schedule_at,
        )
    }

    async fn put_schedule(&mut self, schedule: &Schedule) -> Read<()> {
        let db = self.db(schedule.key.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO schedules VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                db.tenant,
                schedule.key.name,
                schedule.cron,
                schedule.zone,
                schedule.missed.as_str(),
                schedule.payload,
                schedule.enabled,
                schedule.next.map(|time| time.0),
            ],
        )
    }

    async fn remove_schedule(&mut self, key: &ScheduleKey) -> Read<()> {
        let db = self.db(key.tenant)?;
        let sql = "DELETE FROM schedules WHERE tenant_id = ?1 AND name = ?2";
        execute(db, sql, params![db.tenant, key.name])
    }

    async fn schedules(&mut self, tenant: TenantId) -> Read<Vec<Schedule>> {
        let number = self.number(tenant)?;
        let sql = format!("SELECT {SCHEDULE_COLUMNS} WHERE s.tenant_id = ?1 ORDER BY s.name");
        self.all(&sql, [number], schedule_at)
    }

    async fn due_schedules(&mut self, now: Timestamp, count: usize) -> Read<Vec<Schedule>> {
        self.all(
            &format!(
                "SELECT {SCHEDULE_COLUMNS} WHERE s.enabled = 1 AND s.next_at <= ?1
                 ORDER BY s.next_at, s.name LIMIT ?2"
            ),
            params![now.0, limit(count)],
            schedule_at,
        )
    }

    async fn budget(&mut self, key: BudgetKey) -> Read<Option<Budget>> {
        let tenant = self.number(key.tenant)?;
        self.one(
            "SELECT limit_micros, settled_micros, reserved_micros, unconfirmed_micros
             FROM budgets WHERE tenant_id = ?1 AND root = ?2",
            params![tenant, uuid_bytes(&key.root.0)],
            budget_at,
        )
    }

    async fn put_budget(&mut self, key: BudgetKey, budget: &Budget) -> Read<()> {
        let db = self.db(key.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO budgets VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                db.tenant,
                uuid_bytes(&key.root.0),
                budget.limit_micros as i64,
                budget.settled_micros as i64,
                budget.reserved_micros as i64,
                budget.unconfirmed_micros as i64,
            ],
        )
    }

    async fn reservation(&mut self, wanted: &Reservation) -> Read<Option<StoredReservation>> {
        let tenant = self.number(wanted.budget.tenant)?;
        self.one(
            "SELECT id, execution, fence, amount_micros, closed FROM reservations
             WHERE tenant_id = ?1 AND root = ?2 AND id = ?3",
            params![tenant, uuid_bytes(&wanted.budget.root.0), uuid_bytes(&wanted.id)],
            |row| {
                let reservation = reservation_at(row, wanted.budget)?;
                Ok(StoredReservation { reservation, closed: row.get(4)? })
            },
        )
    }

    async fn put_reservation(&mut self, stored: &StoredReservation) -> Read<()> {
        let StoredReservation { reservation, closed } = stored;
        let db = self.db(reservation.budget.tenant)?;
        execute(
            db,
            "INSERT OR REPLACE INTO reservations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                db.tenant,
                uuid_bytes(&reservation.budget.root.0),
                uuid_bytes(&reservation.id),
                uuid_bytes(&reservation.execution.0),
                reservation.fence as i64,
                reservation.amount_micros as i64,
                closed,
            ],
        )
    }

    async fn budgets(&mut self, tenant: TenantId) -> Read<Vec<(BudgetKey, Budget)>> {
        let number = self.number(tenant)?;
        self.all(
            "SELECT limit_micros, settled_micros, reserved_micros, unconfirmed_micros, root
             FROM budgets WHERE tenant_id = ?1 ORDER BY root",
            [number],
            |row| {
                let root = ExecutionId(Uuid::from_bytes(row.get(4)?));
                Ok((BudgetKey { tenant, root }, budget_at(row)?))
            },
        )
    }

    async fn reservations(&mut self, tenant: TenantId) -> Read<Vec<StoredReservation>> {
        let number = self.number(tenant)?;
        self.all(
            "SELECT id, execution, fence, amount_micros, root FROM reservations
             WHERE tenant_id = ?1 AND closed = 0 ORDER BY root, id",
            [number],
            |row| {
                let root = ExecutionId(Uuid::from_bytes(row.get(4)?));
                let reservation = reservation_at(row, BudgetKey { tenant, root })?;
                Ok(StoredReservation { reservation, closed: false })
            },
        )
    }

    async fn forget_money(&mut self, tenant: TenantId) -> Read<u64> {
        let db = self.db(tenant)?;
        let closed = db.execute(
            "DELETE FROM reservations AS r WHERE r.tenant_id = ?1 AND (r.closed = 1
                OR hex(substr(r.root, 7, 1)) NOT LIKE '8%' AND NOT EXISTS
                (SELECT 1 FROM executions e WHERE e.tenant_id = ?1 AND e.id = r.root))",
            [db.tenant],
        )?;
        let budgets = db.execute(
            "DELETE FROM budgets AS b WHERE b.tenant_id = ?1
                AND hex(substr(b.root, 7, 1)) NOT LIKE '8%' AND NOT EXISTS
                (SELECT 1 FROM executions e WHERE e.tenant_id = ?1 AND e.id = b.root)",
            [db.tenant],
        )?;
        Ok((closed + budgets) as u64)
    }

    async fn requests(&mut self, tenant: TenantId) -> Read<Vec<Idempotency>> {
        let number = self.number(tenant)?;
        self.all(
            "SELECT caller, route, key, body, answer, time FROM idempotency_keys
             WHERE tenant_id = ?1 ORDER BY caller, route, key",
            [number],
            |row| {
                let text = |column| row.get::<_, String>(column).map(Into::into);
                let key = IdempotencyKey { caller: text(0)?, route: text(1)?, key: text(2)? };
                let (body, time) = (Hash(row.get(3)?), Timestamp(row.get(5)?));
                Ok(Idempotency { key, body, answer: row.get(4)?, time })
            },
        )
    }

    async fn forget_requests(&mut self, tenant: TenantId, before: Timestamp) -> Read<u64> {
        let db = self.db(tenant)?;
        let sql = "DELETE FROM idempotency_keys WHERE tenant_id = ?1 AND time < ?2";
        Ok(db.execute(sql, params![db.tenant, before.0])? as u64)
    }

    async fn open_reservations(
        &mut self,
        key: BudgetKey,
        execution: ExecutionId,
        before_fence: u64,
    ) -> Read<Vec<Reservation>> {
        let tenant = self.number(key.tenant)?;
        self.all(
            "SELECT id, execution, fence, amount_micros FROM reservations
             WHERE tenant_id = ?1 AND root = ?2 AND execution = ?3 AND closed = 0 AND fence < ?4
             ORDER BY id",
            params![tenant, uuid_bytes(&key.root.0), uuid_bytes(&execution.0), before_fence as i64],
            |row| reservation_at(row, key),
        )
    }
}

fn budget_at(row: &SqlRow<'_>) -> rusqlite::Result<Budget> {
    let micros = |column| row.get::<_, i64>(column).map(|micros| micros as u64);
    Ok(Budget {
        limit_micros: micros(0)?,
        settled_micros: micros(1)?,
        reserved_micros: micros(2)?,
        unconfirmed_micros: micros(3)?,
    })
}

fn reservation_at(row: &SqlRow<'_>, budget: BudgetKey) -> rusqlite::Result<Reservation> {
    Ok(Reservation {
        budget,
        id: Uuid::from_bytes(row.get(0)?),
        execution: ExecutionId(Uuid::from_bytes(row.get(1)?)),
        fence: row.get::<_, i64>(2)? as u64,
        amount_micros: row.get::<_, i64>(3)? as u64,
    })
}
