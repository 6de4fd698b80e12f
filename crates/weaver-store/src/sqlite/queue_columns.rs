//! From columns to what the queue keeps.

use std::sync::Arc;

use rusqlite::Row as SqlRow;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::rows::{unreadable, word};
use crate::queue::Row;
use crate::{
    ConcurrencyKey, DeadLetter, ExecutionId, Missed, Priority, Schedule, ScheduleKey, Scope,
    TenantId, WorkKey, WorkState,
};

/// Of `work_queue q` and `tenants t`, as [`row_at`] reads them.
pub(super) const ROW_COLUMNS: &str = "t.uuid, q.execution, q.task, q.route, q.priority, q.workflow,
    q.key, q.key_limit, q.state, q.rank, q.since, q.run_at, q.slots, q.held_on, q.deliveries,
    q.deliveries_max, q.fence, q.lease_owner, q.lease_until, q.paused, q.woken";

/// A row of the queue.
pub(super) fn row_at(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let concurrency = match row.get::<_, Option<Arc<str>>>(6)? {
        Some(name) => Some(ConcurrencyKey { name, limit: row.get(7)? }),
        None => None,
    };
    let held_on = match row.get::<_, Option<String>>(13)? {
        Some(_) => Some(word(row, 13, Scope::parse)?),
        None => None,
    };
    Ok(Row {
        key: key_at(row, TenantId(Uuid::from_bytes(row.get(0)?)), 1)?,
        route: row.get(3)?,
        priority: Priority::new(row.get(4)?).map_err(|error| unreadable(4, error))?,
        workflow: row.get(5)?,
        concurrency,
        state: word(row, 8, WorkState::parse)?,
        rank: row.get(9)?,
        since: Timestamp(row.get(10)?),
        run_at: time_at(row, 11)?,
        slots: row.get(12)?,
        held_on,
        deliveries: row.get(14)?,
        deliveries_max: row.get(15)?,
        fence: row.get::<_, i64>(16)? as u64,
        owner: row.get(17)?,
        until: time_at(row, 18)?,
        paused: row.get(19)?,
        woken: row.get(20)?,
    })
}

fn key_at(row: &SqlRow<'_>, tenant: TenantId, column: usize) -> rusqlite::Result<WorkKey> {
    let execution = ExecutionId(Uuid::from_bytes(row.get(column)?));
    Ok(WorkKey { tenant, execution, task: row.get(column + 1)? })
}

/// A time that may be absent.
fn time_at(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// Of `dead_letters`, as [`dead_at`] reads them.
pub(super) const DEAD_COLUMNS: &str = "execution, task, route, reason, deliveries, time";

/// A dead letter of a tenant.
pub(super) fn dead_at(row: &SqlRow<'_>, tenant: TenantId) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        key: key_at(row, tenant, 0)?,
        route: row.get(2)?,
        reason: row.get(3)?,
        deliveries: row.get(4)?,
        time: Timestamp(row.get(5)?),
    })
}

/// What to select, and from where, as [`schedule_at`] reads it.
pub(super) const SCHEDULE_COLUMNS: &str = "t.uuid, s.name, s.cron, s.zone, s.missed, s.payload,
    s.enabled, s.next_at FROM schedules s JOIN tenants t ON t.id = s.tenant_id";

/// A schedule.
pub(super) fn schedule_at(row: &SqlRow<'_>) -> rusqlite::Result<Schedule> {
    let tenant = TenantId(Uuid::from_bytes(row.get(0)?));
    Ok(Schedule {
        key: ScheduleKey { tenant, name: row.get(1)? },
        cron: row.get(2)?,
        zone: row.get(3)?,
        missed: word(row, 4, Missed::parse)?,
        payload: row.get(5)?,
        enabled: row.get(6)?,
        next: time_at(row, 7)?,
    })
}
