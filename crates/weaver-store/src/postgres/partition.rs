//! Partitions of the log, one for each month of executions: an execution's id
//! begins with the time of its making, in milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::connection::Connection;
use super::fault::Fault;

/// A month of 30 days, so that bounds need no calendar.
const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// How many months are made ahead of time. What comes later still has a place,
/// in `entries_other`; it is only not apart.
const MONTHS_AHEAD: u64 = 12;

pub(super) fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Makes the partitions of this month and the next ones that are missing. One whose
/// executions are in `entries_other` already is left out.
pub(super) async fn make_ahead(connection: &Connection, now_ms: u64) -> Result<(), Fault> {
    let this_month = now_ms / MONTH_MS;
    for month in this_month..=this_month + MONTHS_AHEAD {
        let name = format!("entries_{month}");
        let exists = "SELECT to_regclass($1) IS NOT NULL";
        let exists: bool = connection.client.query_one(exists, &[&name]).await?.try_get(0)?;
        if exists {
            continue;
        }
        match connection.batch(&make(&name, month)).await {
            Ok(()) => {}
            // Its range is in use, somebody else made it, or the user may not.
            Err(Fault::Sql(error)) if error.as_db_error().is_some() => {
                connection.batch("ROLLBACK").await?;
                tracing::debug!(partition = name, %error, "not made");
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn make(name: &str, month: u64) -> String {
    let (from, to) = (first_of(month), first_of(month + 1));
    format!(
        "BEGIN;
         SET LOCAL lock_timeout TO '2s';
         CREATE TABLE {name} PARTITION OF entries FOR VALUES FROM ('{from}') TO ('{to}');
         ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE {name} FORCE ROW LEVEL SECURITY;
         CREATE POLICY own_tenant ON {name} USING
            (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
         COMMIT"
    )
}

/// The least id of a month: its time, then nothing.
fn first_of(month: u64) -> Uuid {
    Uuid::from_u128(u128::from(month * MONTH_MS) << 80)
}
