//! Reading everything, in the order in which it can be written again.

use rusqlite::{Row, params};
use tokio::sync::mpsc::Sender;
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::read::{self, payload_sql};
use super::read_tasks;
use super::rows::{Db, payload_at, word};
use crate::batch::Record;
use crate::pack;
use crate::record::{CacheEntry, Checkpoint, PendingWrite, Source, State, WorkflowVersion};
use crate::{CheckpointId, ExecutionId, Lane, Result as StoreResult};

/// Where records go; it may have been closed by who reads them.
type Out = Sender<StoreResult<Record>>;

/// Gives every record of a tenant. Stops early when nobody listens.
pub(super) fn everything(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    versions(db, out)?;
    rows(db, out, &format!("{} ORDER BY e.number", read::EXECUTION), |row| {
        Ok(read::execution_row(row)?.into())
    })?;
    entries(db, out)?;
    checkpoints(db, out)?;
    pending_writes(db, out)?;
    rows(db, out, &format!("{} ORDER BY f.number", read_tasks::ALL_EFFECTS), |row| {
        Ok(read_tasks::effect_row(row)?.into())
    })?;
    rows(db, out, &format!("{} ORDER BY i.number", read_tasks::ALL_INTERRUPTS), |row| {
        Ok(read_tasks::interrupt_row(row)?.into())
    })?;
    let items = "SELECT namespace, key, value, created_at, updated_at, expires_at FROM items
         WHERE tenant_id = ?1 ORDER BY namespace, key";
    rows(db, out, items, |row| Ok(read_tasks::item_row(row)?.into()))?;
    cache(db, out)
}

/// The rows of a statement whose one parameter is the tenant.
fn rows(
    db: Db<'_>,
    out: &Out,
    sql: &str,
    record: impl Fn(&Row<'_>) -> rusqlite::Result<Record>,
) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![db.tenant])?;
    while let Some(row) = rows.next()? {
        if out.blocking_send(Ok(record(row)?)).is_err() {
            break;
        }
    }
    Ok(())
}

fn versions(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    let sql = "SELECT hash, file, source, created_at FROM workflow_versions
         WHERE tenant_id = ?1 ORDER BY hash";
    rows(db, out, sql, |row| {
        Ok(WorkflowVersion {
            hash: Hash(row.get(0)?),
            file: row.get(1)?,
            source: row.get(2)?,
            created: Timestamp(row.get(3)?),
        }
        .into())
    })
}

fn entries(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "SELECT e.id, n.first_sequence, n.packed FROM entries n
         JOIN executions e ON e.number = n.execution
         WHERE n.tenant_id = ?1 ORDER BY n.execution, n.last_sequence",
    )?;
    let mut rows = statement.query(params![db.tenant])?;
    while let Some(row) = rows.next()? {
        let id = ExecutionId(Uuid::from_bytes(row.get(0)?));
        let first = row.get::<_, i64>(1)? as u64;
        for packed in pack::unpack(id, first, &payload_at(row, 2)?)? {
            let entry = read::with_blob(db, packed)?;
            if out.blocking_send(Ok(entry.into())).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn checkpoints(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    let sql = concat!(
        "SELECT l.thread, l.namespace, c.id, p.id, c.step, c.source, e.id, c.time, c.meta,
            c.is_full, ",
        payload_sql!("c", "state"),
        " FROM checkpoints c
         JOIN lanes l ON l.number = c.lane
         JOIN executions e ON e.number = c.execution
         LEFT JOIN checkpoints p ON p.number = c.parent
         WHERE c.tenant_id = ?1 ORDER BY c.number"
    );
    rows(db, out, sql, |row| {
        let (is_full, state) = (row.get(9)?, payload_at(row, 10)?);
        let parent: Option<[u8; 16]> = row.get(3)?;
        Ok(Checkpoint {
            lane: Lane { thread: row.get(0)?, namespace: row.get(1)? },
            id: CheckpointId(Uuid::from_bytes(row.get(2)?)),
            parent: parent.map(|bytes| CheckpointId(Uuid::from_bytes(bytes))),
            step: row.get(4)?,
            source: word(row, 5, Source::parse)?,
            execution: ExecutionId(Uuid::from_bytes(row.get(6)?)),
            time: Timestamp(row.get(7)?),
            meta: row.get(8)?,
            state: if is_full { State::Full(state) } else { State::Delta(state) },
            settles_parent: false,
        }
        .into())
    })
}

fn pending_writes(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    let sql = concat!(
        "SELECT l.thread, l.namespace, w.checkpoint, w.task, ",
        payload_sql!("w", "payload"),
        " FROM pending_writes w JOIN lanes l ON l.number = w.lane
         WHERE w.tenant_id = ?1 ORDER BY l.thread, l.namespace, w.checkpoint, w.task"
    );
    rows(db, out, sql, |row| {
        Ok(PendingWrite {
            lane: Lane { thread: row.get(0)?, namespace: row.get(1)? },
            checkpoint: CheckpointId(Uuid::from_bytes(row.get(2)?)),
            task: row.get(3)?,
            payload: payload_at(row, 4)?,
        }
        .into())
    })
}

fn cache(db: Db<'_>, out: &Out) -> Result<(), Fault> {
    let sql = concat!(
        "SELECT k.key, ",
        payload_sql!("k", "payload"),
        ", k.expires_at FROM node_cache k WHERE k.tenant_id = ?1 ORDER BY k.key"
    );
    rows(db, out, sql, |row| {
        Ok(CacheEntry {
            key: Hash(row.get(0)?),
            payload: payload_at(row, 1)?,
            expires: row.get::<_, Option<_>>(2)?.map(Timestamp),
        }
        .into())
    })
}
