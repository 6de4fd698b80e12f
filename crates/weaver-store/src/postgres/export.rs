//! Reading everything, in the order in which it can be written again.

use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;
use weaver_core::Hash;

use super::fault::Fault;
use super::pool::Tx;
use super::read::{self, execution_sql, payload_sql};
use super::read_tasks::{self, effect_sql, interrupt_sql};
use super::value::{bytes_text_at, hash_at, payload_at, some_time_at, text_at, time_at, word_at};
use crate::batch::Record;
use crate::pack::{self, Packed};
use crate::record::{CacheEntry, Checkpoint, PendingWrite, Source, State, WorkflowVersion};
use crate::{CheckpointId, ExecutionId, Lane, Result as StoreResult};

/// Where records go; it may have been closed by who reads them.
type Out = Sender<StoreResult<Record>>;

/// Gives every record of a tenant. Stops early when nobody listens.
pub(super) async fn everything(tx: &Tx, out: &Out) -> Result<(), Fault> {
    tx.batch("SET LOCAL statement_timeout TO 0").await?;
    rows(tx, out, VERSIONS, version).await?;
    let executions = execution_sql!(" ORDER BY e.number");
    rows(tx, out, executions, |row| Ok(read::execution_row(row)?.into())).await?;
    entries(tx, out).await?;
    rows(tx, out, CHECKPOINTS, checkpoint).await?;
    rows(tx, out, PENDING, pending).await?;
    let effects = effect_sql!(" ORDER BY f.number");
    rows(tx, out, effects, |row| Ok(read_tasks::effect_row(row)?.into())).await?;
    let interrupts = interrupt_sql!(" ORDER BY i.number");
    rows(tx, out, interrupts, |row| Ok(read_tasks::interrupt_row(row)?.into())).await?;
    let items = "SELECT namespace, key, value, created_at, updated_at, expires_at FROM items
         WHERE tenant_id = $1 ORDER BY namespace, key";
    rows(tx, out, items, |row| Ok(read_tasks::item_row(row)?.into())).await?;
    rows(tx, out, CACHE, cache).await
}

/// The rows of a statement whose one parameter is the tenant.
async fn rows(
    tx: &Tx,
    out: &Out,
    sql: &str,
    record: impl Fn(&Row) -> Result<Record, Fault>,
) -> Result<(), Fault> {
    tx.open_cursor(sql).await?;
    loop {
        let rows = tx.fetch().await?;
        if rows.is_empty() {
            return tx.close_cursor().await;
        }
        for row in &rows {
            if out.send(Ok(record(row)?)).await.is_err() {
                return tx.close_cursor().await;
            }
        }
    }
}

const VERSIONS: &str = "SELECT hash, file, source, created_at FROM workflow_versions
     WHERE tenant_id = $1 ORDER BY hash";

fn version(row: &Row) -> Result<Record, Fault> {
    Ok(WorkflowVersion {
        hash: hash_at(row, 0)?,
        file: bytes_text_at(row, 1)?,
        source: bytes_text_at(row, 2)?,
        created: some_time_at(row, 3)?,
    }
    .into())
}

async fn entries(tx: &Tx, out: &Out) -> Result<(), Fault> {
    tx.open_cursor(
        "SELECT n.execution_id, n.first_sequence, n.packed FROM entries n
         JOIN executions e ON e.tenant_id = $1 AND e.id = n.execution_id
         WHERE n.tenant_id = $1 ORDER BY e.number, n.first_sequence",
    )
    .await?;
    loop {
        let rows = tx.fetch().await?;
        if rows.is_empty() {
            return tx.close_cursor().await;
        }
        let mut packed: Vec<Packed> = Vec::new();
        for row in &rows {
            let first: i64 = row.try_get(1)?;
            let id = ExecutionId(row.try_get(0)?);
            packed.extend(pack::unpack(id, first as u64, &payload_at(row, 2)?)?);
        }
        for entry in read::with_blobs(tx, packed).await? {
            if out.send(Ok(entry.into())).await.is_err() {
                return tx.close_cursor().await;
            }
        }
    }
}

const CHECKPOINTS: &str = concat!(
    "SELECT c.thread, c.namespace, c.id, c.parent, c.step, c.source, c.execution_id, c.time,
        c.meta, c.is_full, ",
    payload_sql!("c", "state"),
    " FROM checkpoints c WHERE c.tenant_id = $1 ORDER BY c.number"
);

fn checkpoint(row: &Row) -> Result<Record, Fault> {
    let (is_full, state) = (row.try_get(9)?, payload_at(row, 10)?);
    Ok(Checkpoint {
        lane: Lane { thread: text_at(row, 0)?, namespace: text_at(row, 1)? },
        id: CheckpointId(row.try_get(2)?),
        parent: row.try_get::<_, Option<_>>(3)?.map(CheckpointId),
        step: row.try_get(4)?,
        source: word_at(row, 5, Source::parse)?,
        execution: ExecutionId(row.try_get(6)?),
        time: some_time_at(row, 7)?,
        meta: row.try_get(8)?,
        state: if is_full { State::Full(state) } else { State::Delta(state) },
        settles_parent: false,
    }
    .into())
}

const PENDING: &str = concat!(
    "SELECT w.thread, w.namespace, w.checkpoint, w.task, ",
    payload_sql!("w", "payload"),
    " FROM pending_writes w WHERE w.tenant_id = $1
     ORDER BY w.thread, w.namespace, w.checkpoint, w.task"
);

fn pending(row: &Row) -> Result<Record, Fault> {
    Ok(PendingWrite {
        lane: Lane { thread: text_at(row, 0)?, namespace: text_at(row, 1)? },
        checkpoint: CheckpointId(row.try_get(2)?),
        task: text_at(row, 3)?,
        payload: payload_at(row, 4)?,
    }
    .into())
}

const CACHE: &str = concat!(
    "SELECT k.key, ",
    payload_sql!("k", "payload"),
    ", k.expires_at FROM node_cache k WHERE k.tenant_id = $1 ORDER BY k.key"
);

fn cache(row: &Row) -> Result<Record, Fault> {
    let key: Hash = hash_at(row, 0)?;
    Ok(CacheEntry { key, payload: payload_at(row, 1)?, expires: time_at(row, 2)? }.into())
}
