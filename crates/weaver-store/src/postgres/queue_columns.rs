//! Between columns and what the queue keeps.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::fault::Fault;
use super::value::{Time, count_at, some_time_at, text_at, time_at, word_at};
use crate::queue::Row;
use crate::{
    BudgetKey, ConcurrencyKey, DeadLetter, ExecutionId, Missed, Priority, Reservation, Schedule,
    ScheduleKey, Scope, TenantId, WorkKey, WorkState,
};

type Read<T> = Result<T, Fault>;

/// The columns of `work_queue q` as [`row_at`] reads them.
macro_rules! select_rows {
    ($condition:literal) => {
        concat!(
            "SELECT q.tenant_id, q.execution, q.task, q.route, q.priority, q.workflow, q.key,
                q.key_limit, q.state, q.rank, q.since, q.run_at, q.slots, q.held_on, q.deliveries,
                q.deliveries_max, q.fence, q.lease_owner, q.lease_until, q.paused, q.woken
             FROM work_queue q ",
            $condition
        )
    };
}
pub(super) use select_rows;

/// A row of the queue.
pub(super) fn row_at(row: &SqlRow) -> Read<Row> {
    let concurrency = match row.try_get::<_, Option<&str>>(6)? {
        Some(name) => Some(ConcurrencyKey { name: name.into(), limit: small_at(row, 7)? }),
        None => None,
    };
    let held_on = match row.try_get::<_, Option<&str>>(13)? {
        Some(_) => Some(word_at(row, 13, Scope::parse)?),
        None => None,
    };
    Ok(Row {
        key: key_at(row, TenantId(row.try_get(0)?), 1)?,
        route: text_at(row, 3)?,
        priority: Priority::new(small_at(row, 4)?)?,
        workflow: row.try_get::<_, Option<&str>>(5)?.map(Into::into),
        concurrency,
        state: word_at(row, 8, WorkState::parse)?,
        rank: row.try_get(9)?,
        since: some_time_at(row, 10)?,
        run_at: time_at(row, 11)?,
        slots: small_at(row, 12)?,
        held_on,
        deliveries: small_at(row, 14)?,
        deliveries_max: small_at(row, 15)?,
        fence: count_at(row, 16)?,
        owner: row.try_get::<_, Option<&str>>(17)?.map(Into::into),
        until: time_at(row, 18)?,
        paused: row.try_get(19)?,
        woken: row.try_get(20)?,
    })
}

/// A number that is smaller than its column.
pub(super) fn small_at<T: TryFrom<i64>>(row: &SqlRow, column: usize) -> Read<T> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| Fault::unreadable(format!("{number} is out of its range")))
}

fn key_at(row: &SqlRow, tenant: TenantId, column: usize) -> Read<WorkKey> {
    let execution = ExecutionId(row.try_get(column)?);
    Ok(WorkKey { tenant, execution, task: text_at(row, column + 1)? })
}

/// A dead letter of a tenant: execution, task, route, reason, deliveries, time.
pub(super) fn dead_at(row: &SqlRow, tenant: TenantId) -> Read<DeadLetter> {
    Ok(DeadLetter {
        key: key_at(row, tenant, 0)?,
        route: text_at(row, 2)?,
        reason: text_at(row, 3)?,
        deliveries: small_at(row, 4)?,
        time: some_time_at(row, 5)?,
    })
}

/// The columns of `schedules` as [`schedule_at`] reads them.
macro_rules! select_schedules {
    ($condition:literal) => {
        concat!(
            "SELECT tenant_id, name, cron, zone, missed, payload, enabled, next_at FROM schedules ",
            $condition
        )
    };
}
pub(super) use select_schedules;

/// A schedule.
pub(super) fn schedule_at(row: &SqlRow) -> Read<Schedule> {
    Ok(Schedule {
        key: ScheduleKey { tenant: TenantId(row.try_get(0)?), name: text_at(row, 1)? },
        cron: text_at(row, 2)?,
        zone: text_at(row, 3)?,
        missed: word_at(row, 4, Missed::parse)?,
        payload: row.try_get(5)?,
        enabled: row.try_get(6)?,
        next: time_at(row, 7)?,
    })
}

/// A reservation: id, execution, fence, amount.
pub(super) fn reservation_at(row: &SqlRow, budget: BudgetKey) -> Read<Reservation> {
    Ok(Reservation {
        budget,
        id: row.try_get(0)?,
        execution: ExecutionId(row.try_get(1)?),
        fence: count_at(row, 2)?,
        amount_micros: count_at(row, 3)?,
    })
}

macro_rules! put_sql {
    ($before:literal) => {
        concat!(
            $before,
            "INSERT INTO work_queue VALUES
                ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                    $18, $19, $20, $21)
             ON CONFLICT (tenant_id, execution, task) DO UPDATE SET
                state = EXCLUDED.state, rank = EXCLUDED.rank, since = EXCLUDED.since,
                run_at = EXCLUDED.run_at, slots = EXCLUDED.slots, held_on = EXCLUDED.held_on,
                deliveries = EXCLUDED.deliveries, fence = EXCLUDED.fence,
                lease_owner = EXCLUDED.lease_owner, lease_until = EXCLUDED.lease_until,
                paused = EXCLUDED.paused, woken = EXCLUDED.woken"
        )
    };
}

/// What [`put`] asks.
pub(super) const PUT: &str = put_sql!("");

/// The same of an execution's row that was leased just now: its batches must have the row's
/// fence from now on.
pub(super) const PUT_LEASED: &str = put_sql!(
    "WITH raised AS (
        UPDATE executions SET fence = $17, lease_owner = NULL, lease_until = NULL
        WHERE tenant_id = $1 AND id = $2) "
);

/// Keeps a row, in place of the one with its key; `sql` is [`PUT`] or [`PUT_LEASED`].
pub(super) async fn put(
    connection: &Connection,
    row: &Row,
    sql: &'static str,
) -> Result<(), Fault> {
    let concurrency = row.concurrency.as_ref();
    let values: [&(dyn ToSql + Sync); 21] = [
        &row.key.tenant.0,
        &row.key.execution.0,
        &&*row.key.task,
        &&*row.route,
        &i64::from(row.priority.level()),
        &row.workflow.as_deref(),
        &concurrency.map(|key| &*key.name),
        &concurrency.map(|key| i64::from(key.limit)),
        &row.state.as_str(),
        &row.rank,
        &Time(row.since),
        &row.run_at.map(Time),
        &i64::from(row.slots),
        &row.held_on.as_ref().map(Scope::text),
        &i64::from(row.deliveries),
        &i64::from(row.deliveries_max),
        &(row.fence as i64),
        &row.owner.as_deref(),
        &row.until.map(Time),
        &row.paused,
        &row.woken,
    ];
    connection.execute(sql, &values).await.map(drop)
}
