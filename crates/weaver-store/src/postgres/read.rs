//! Reading executions, their logs, and checkpoints.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::event::Usage;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::pipeline::both;
use super::pool::Tx;
use super::queue_columns::{row_at, select_rows};
use super::value::{
    Time, bytes_text_at, count_at, hash_at, limit_or, optional_payload_at, payload_at,
    some_time_at, text_at, time_at, word_at,
};
use crate::pack;
use crate::query::{Chain, CheckpointInfo, ExecutionQuery, Head, Overview, Standing, ThreadInfo};
use crate::queue::Row as QueueRow;
use crate::record::{Entry, Execution, ExecutionStatus, Lease, Source, Totals, WorkflowVersion};
use crate::{
    CheckpointId, ExecutionId, Idempotency, IdempotencyKey, Lane, TenantId, WorkInfo, hash,
};

type Read<T> = Result<T, Fault>;

/// A payload column, or the content of the blob that its `_blob` column names.
macro_rules! payload_sql {
    ($table:literal, $column:literal) => {
        concat!(
            "coalesce(",
            $table,
            ".",
            $column,
            ", (SELECT content FROM blobs b WHERE b.tenant_id = ",
            $table,
            ".tenant_id AND b.hash = ",
            $table,
            ".",
            $column,
            "_blob))"
        )
    };
}
pub(super) use payload_sql;

pub(super) async fn tenants(tx: &Tx) -> Read<Vec<TenantId>> {
    let rows = tx.query("SELECT id FROM tenants", &[]).await?;
    rows.iter().map(|row| Ok(TenantId(row.try_get(0)?))).collect()
}

pub(super) async fn version(tx: &Tx, hash: Hash) -> Read<Option<WorkflowVersion>> {
    let sql = "SELECT file, source, created_at FROM workflow_versions
         WHERE tenant_id = $1 AND hash = $2";
    let Some(row) = tx.first(sql, &[&tx.tenant.0, &&hash.0[..]]).await? else { return Ok(None) };
    Ok(Some(WorkflowVersion {
        hash,
        file: bytes_text_at(&row, 0)?,
        source: bytes_text_at(&row, 1)?,
        created: some_time_at(&row, 2)?,
    }))
}

/// The select and what follows the tenant in its condition; `from`, and all that follows
/// that.
macro_rules! execution_sql {
    (from $rest:expr) => {
        concat!(
            "SELECT e.id, e.parent, e.thread, e.workflow, e.version, e.status, ",
            payload_sql!("e", "input"),
            ", e.started_at, e.ended_at, ",
            payload_sql!("e", "error"),
            ", e.tokens_input, e.tokens_cached_read, e.tokens_cached_write, e.tokens_output,
               e.tokens_reasoning, e.cost_micros FROM ",
            $rest
        )
    };
    ($condition:expr) => {
        execution_sql!(from concat!("executions e WHERE e.tenant_id = $1", $condition))
    };
}

pub(super) use execution_sql;

/// The place of a page's first row is one number, whether a page came before or not: so it
/// bounds the index, also in a plan that is made for all values.
macro_rules! below {
    () => {
        " AND e.number < (SELECT CASE WHEN $4::uuid IS NULL THEN 9223372036854775807
            ELSE (SELECT number FROM executions WHERE tenant_id = $1 AND id = $4) END)
          ORDER BY e.number DESC LIMIT $5"
    };
}

/// A page of a list.
macro_rules! execution_page {
    ($filter:literal) => {
        execution_sql!(concat!($filter, below!()))
    };
}

/// A page of a workflow's executions: the newest of the newest in each status that is asked
/// for. The index is by status, so that one that none of them has costs nothing.
const WORKFLOW_PAGE: &str = execution_sql!(from concat!(
    "unnest(CASE WHEN $3::text IS NOT NULL THEN ARRAY[$3]
        ELSE '{queued,running,waiting,paused,completed,failed,cancelled}' END) AS s (status)
     CROSS JOIN LATERAL (SELECT * FROM executions e WHERE e.tenant_id = $1
        AND $2::text IS NULL AND e.workflow = $6 AND e.status = s.status",
    below!(),
    ") e ORDER BY e.number DESC LIMIT $5"
));

pub(super) fn execution_row(row: &Row) -> Read<Execution> {
    let version: Option<&[u8]> = row.try_get(4)?;
    Ok(Execution {
        id: ExecutionId(row.try_get(0)?),
        parent: row.try_get::<_, Option<_>>(1)?.map(ExecutionId),
        thread: text_at(row, 2)?,
        workflow: row.try_get::<_, Option<&str>>(3)?.map(Arc::from),
        version: version.map(|_| hash_at(row, 4)).transpose()?,
        status: word_at(row, 5, ExecutionStatus::parse)?,
        input: payload_at(row, 6)?,
        started: some_time_at(row, 7)?,
        ended: time_at(row, 8)?,
        error: optional_payload_at(row, 9)?,
        totals: Totals {
            usage: Usage {
                input: count_at(row, 10)?,
                cached_read: count_at(row, 11)?,
                cached_write: count_at(row, 12)?,
                output: count_at(row, 13)?,
                reasoning: count_at(row, 14)?,
            },
            cost_micros: count_at(row, 15)?,
        },
    })
}

pub(super) async fn execution(tx: &Tx, id: ExecutionId) -> Read<Option<Execution>> {
    let sql = execution_sql!(" AND e.id = $2");
    let row = tx.first(sql, &[&tx.tenant.0, &id.0]).await?;
    row.as_ref().map(execution_row).transpose()
}

pub(super) async fn queued(
    tx: &Tx,
    id: ExecutionId,
) -> Read<Option<(Execution, Option<WorkInfo>)>> {
    let sql = select_rows!("WHERE q.tenant_id = $1 AND q.execution = $2 AND q.task = ''");
    let values: [&(dyn ToSql + Sync); 2] = [&tx.tenant.0, &id.0];
    let (execution, work) = both(execution(tx, id), tx.first(sql, &values)).await;
    let work = work?.as_ref().map(row_at).transpose()?;
    Ok(execution?.map(|execution| (execution, work.map(QueueRow::into_info))))
}

/// All on their way at once.
pub(super) async fn overview(tx: &Tx, id: ExecutionId) -> Read<Option<Overview>> {
    let (queued, ends) = both(queued(tx, id), ends(tx, id)).await;
    let (Some((execution, work)), ends) = (queued?, ends?) else { return Ok(None) };
    Ok(Some(Overview { execution, work, ends }))
}

pub(super) async fn works(tx: &Tx, ids: &[ExecutionId]) -> Read<Vec<WorkInfo>> {
    // One look at the key for each: the queue may have grown by a million rows since the
    // server last counted them, and then it would rather read all.
    let sql = concat!(
        "SELECT w.* FROM unnest($2::uuid[]) k (execution) CROSS JOIN LATERAL (",
        select_rows!(
            "WHERE q.tenant_id = $1 AND q.execution = k.execution AND q.task = '' OFFSET 0"
        ),
        ") w"
    );
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = tx.query(sql, &[&tx.tenant.0, &ids]).await?;
    rows.iter().map(|row| Ok(row_at(row)?.into_info())).collect()
}

pub(super) async fn lease(tx: &Tx, id: ExecutionId) -> Read<Option<Lease>> {
    let sql = "SELECT lease_owner, lease_until, fence FROM executions
         WHERE tenant_id = $1 AND id = $2";
    let Some(row) = tx.first(sql, &[&tx.tenant.0, &id.0]).await? else { return Ok(None) };
    let owner: Option<&str> = row.try_get(0)?;
    Ok(Some(Lease {
        owner: owner.map(Arc::from),
        until: time_at(&row, 1)?,
        fence: count_at(&row, 2)?,
    }))
}

pub(super) async fn executions(tx: &Tx, query: &ExecutionQuery) -> Read<Vec<Execution>> {
    // A text for each kind of filter, so that its index is used; those that are not
    // given are told apart by a constant NULL.
    let sql = match (&query.thread, &query.workflow, query.status) {
        (Some(_), _, _) => execution_page!(
            " AND e.thread = $2 AND ($6::text IS NULL OR e.workflow = $6)
              AND ($3::text IS NULL OR e.status = $3)"
        ),
        (None, Some(_), _) => WORKFLOW_PAGE,
        (None, None, Some(_)) => {
            execution_page!(" AND $2::text IS NULL AND $6::text IS NULL AND e.status = $3")
        }
        (None, None, None) => {
            execution_page!(" AND $2::text IS NULL AND $6::text IS NULL AND $3::text IS NULL")
        }
    };
    let status = query.status.map(ExecutionStatus::as_str);
    let (before, limit) = (query.before.map(|id| id.0), limit_or(query.limit, 100));
    let (thread, workflow) = (query.thread.as_deref(), query.workflow.as_deref());
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &status, &before, &limit, &workflow]).await?;
    rows.iter().map(execution_row).collect()
}

pub(super) async fn idempotency(tx: &Tx, key: &IdempotencyKey) -> Read<Option<Idempotency>> {
    let sql = "SELECT body, answer, time FROM idempotency_keys
         WHERE tenant_id = $1 AND caller = $2 AND route = $3 AND key = $4";
    let names: (&str, &str, &str) = (&key.caller, &key.route, &key.key);
    let row = tx.first(sql, &[&tx.tenant.0, &names.0, &names.1, &names.2]).await?;
    let Some(row) = row else { return Ok(None) };
    let (body, time) = (hash_at(&row, 0)?, some_time_at(&row, 2)?);
    Ok(Some(Idempotency { key: key.clone(), body, answer: row.try_get(1)?, time }))
}

pub(super) async fn threads(tx: &Tx, limit: usize) -> Read<Vec<ThreadInfo>> {
    // Backwards from the newest execution, stopping at those that are the last of their
    // thread: what came long ago is not looked at.
    let sql = "SELECT e.thread, (SELECT count(*) FROM executions o
                WHERE o.tenant_id = $1 AND o.thread = e.thread), e.id, e.status, e.started_at
         FROM executions e WHERE e.tenant_id = $1 AND e.number =
                (SELECT max(o.number) FROM executions o
                 WHERE o.tenant_id = $1 AND o.thread = e.thread)
         ORDER BY e.number DESC LIMIT $2";
    let rows = tx.query(sql, &[&tx.tenant.0, &limit_or(limit, 100)]).await?;
    let thread = |row: &Row| {
        Ok(ThreadInfo {
            thread: text_at(row, 0)?,
            executions: count_at(row, 1)?,
            last_execution: ExecutionId(row.try_get(2)?),
            status: word_at(row, 3, ExecutionStatus::parse)?,
            started: some_time_at(row, 4)?,
        })
    };
    rows.iter().map(thread).collect()
}

pub(super) async fn idle_threads(
    tx: &Tx,
    before: Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Read<Vec<Arc<str>>> {
    let sql = "SELECT DISTINCT e.thread FROM executions e
         WHERE e.tenant_id = $1 AND e.ended_at < $2 AND ($3::text IS NULL OR e.thread > $3)
            AND NOT EXISTS (
                SELECT 1 FROM executions o WHERE o.tenant_id = $1 AND o.thread = e.thread
                    AND (o.ended_at IS NULL OR o.ended_at >= $2))
         ORDER BY e.thread LIMIT $4";
    let limit = limit_or(limit, 0);
    let rows = tx.query(sql, &[&tx.tenant.0, &Time(before), &after, &limit]).await?;
    rows.iter().map(|row| text_at(row, 0)).collect()
}

pub(super) async fn head(tx: &Tx, execution: ExecutionId) -> Read<Head> {
    let sql = "SELECT last_sequence, hash FROM entries
         WHERE tenant_id = $1 AND execution_id = $2 ORDER BY first_sequence DESC LIMIT 1";
    match tx.first(sql, &[&tx.tenant.0, &execution.0]).await? {
        Some(row) => Ok(Head { sequence: count_at(&row, 0)?, hash: hash_at(&row, 1)? }),
        None => Ok(Head { sequence: 0, hash: hash::ROOT }),
    }
}

/// The three questions are on their way at once.
pub(super) async fn standing(tx: &Tx, id: ExecutionId) -> Read<Option<Standing>> {
    let sql = "SELECT c.id, c.parent, c.step, c.source, c.execution_id, c.time, c.meta, c.hash
         FROM checkpoints c
         WHERE c.tenant_id = $1 AND c.namespace = '' AND c.thread =
            (SELECT thread FROM executions WHERE tenant_id = $1 AND id = $2)
         ORDER BY c.number DESC LIMIT 1";
    let tenant = tx.tenant.0;
    let values: [&(dyn ToSql + Sync); 2] = [&tenant, &id.0];
    let rest = both(head(tx, id), tx.first(sql, &values));
    let (execution, (head, latest)) = both(execution(tx, id), rest).await;
    let (Some(execution), head, latest) = (execution?, head?, latest?) else { return Ok(None) };
    let lane = Lane::root(execution.thread.clone());
    let latest = latest.as_ref().map(|row| checkpoint_row(&lane, row)).transpose()?;
    Ok(Some(Standing { execution, head, latest }))
}

/// The rows that hold the ends, the same twice if it is the only one.
pub(super) async fn ends(tx: &Tx, execution: ExecutionId) -> Read<Option<(Entry, Entry)>> {
    let sql = "(SELECT first_sequence, packed FROM entries
          WHERE tenant_id = $1 AND execution_id = $2 ORDER BY first_sequence LIMIT 1)
         UNION ALL
         (SELECT first_sequence, packed FROM entries
          WHERE tenant_id = $1 AND execution_id = $2 ORDER BY first_sequence DESC LIMIT 1)";
    let mut rows = tx.query(sql, &[&tx.tenant.0, &execution.0]).await?;
    rows.sort_by_key(|row| row.get::<_, i64>(0));
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let entries = |row: &Row| -> Read<_> {
        Ok(pack::unpack(execution, count_at(row, 0)?, &payload_at(row, 1)?)?)
    };
    let first = entries(first)?.into_iter().next();
    let last = entries(last)?.pop();
    let mut ends = with_blobs(tx, first.into_iter().chain(last).collect()).await?;
    let last = ends.pop();
    Ok(ends.pop().zip(last))
}

pub(super) async fn entries(
    tx: &Tx,
    execution: ExecutionId,
    after: u64,
    limit: usize,
) -> Read<Vec<Entry>> {
    // From the row that holds the first entry wanted; each row holds one at least.
    let sql = "SELECT first_sequence, packed FROM entries
         WHERE tenant_id = $1 AND execution_id = $2 AND last_sequence > $3
            AND first_sequence >= coalesce(
                (SELECT first_sequence FROM entries
                 WHERE tenant_id = $1 AND execution_id = $2 AND first_sequence <= $3 + 1
                 ORDER BY first_sequence DESC LIMIT 1), 0)
         ORDER BY first_sequence LIMIT $4";
    let after_stored = i64::try_from(after).unwrap_or(i64::MAX - 1);
    let values = (limit_or(limit, 0), if limit == 0 { usize::MAX } else { limit });
    let rows = tx.query(sql, &[&tx.tenant.0, &execution.0, &after_stored, &values.0]).await?;
    let mut packed = Vec::new();
    for row in &rows {
        let unpacked = pack::unpack(execution, count_at(row, 0)?, &payload_at(row, 1)?)?;
        packed.extend(unpacked.into_iter().filter(|packed| packed.entry.sequence > after));
    }
    packed.truncate(values.1);
    with_blobs(tx, packed).await
}

/// Entries with their payloads, also those that are in blobs.
pub(super) async fn with_blobs(tx: &Tx, packed: Vec<pack::Packed>) -> Read<Vec<Entry>> {
    let named: Vec<Hash> = packed.iter().filter_map(|packed| packed.blob).collect();
    let blobs = blobs(tx, &named).await?;
    let entry = |mut packed: pack::Packed| {
        if let Some(hash) = packed.blob {
            let content = blobs.get(&hash);
            packed.entry.payload =
                content.ok_or_else(|| Fault::unreadable("a blob is missing"))?.clone();
        }
        Ok(packed.entry)
    };
    packed.into_iter().map(entry).collect()
}

async fn blobs(tx: &Tx, hashes: &[Hash]) -> Read<HashMap<Hash, Vec<u8>>> {
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT hash, content FROM blobs WHERE tenant_id = $1 AND hash = ANY($2)";
    let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash.0[..]).collect();
    let rows = tx.query(sql, &[&tx.tenant.0, &hashes]).await?;
    rows.iter().map(|row| Ok((hash_at(row, 0)?, payload_at(row, 1)?))).collect()
}

/// The select and what follows the lane in its condition.
macro_rules! checkpoint_sql {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.parent, c.step, c.source, c.execution_id, c.time, c.meta, c.hash
             FROM checkpoints c
             WHERE c.tenant_id = $1 AND c.thread = $2 AND c.namespace = $3",
            $condition
        )
    };
}

fn checkpoint_row(lane: &Lane, row: &Row) -> Read<CheckpointInfo> {
    Ok(CheckpointInfo {
        lane: lane.clone(),
        id: CheckpointId(row.try_get(0)?),
        parent: row.try_get::<_, Option<_>>(1)?.map(CheckpointId),
        step: row.try_get(2)?,
        source: word_at(row, 3, Source::parse)?,
        execution: ExecutionId(row.try_get(4)?),
        time: some_time_at(row, 5)?,
        meta: row.try_get(6)?,
        hash: hash_at(row, 7)?,
    })
}

pub(super) async fn checkpoint(
    tx: &Tx,
    lane: &Lane,
    id: Option<CheckpointId>,
) -> Read<Option<CheckpointInfo>> {
    let (tenant, thread, namespace) = (tx.tenant.0, &*lane.thread, &*lane.namespace);
    let row = match id {
        Some(id) => {
            let sql = checkpoint_sql!(" AND c.id = $4");
            tx.first(sql, &[&tenant, &thread, &namespace, &id.0]).await?
        }
        None => {
            let sql = checkpoint_sql!(" ORDER BY c.number DESC LIMIT 1");
            tx.first(sql, &[&tenant, &thread, &namespace]).await?
        }
    };
    row.as_ref().map(|row| checkpoint_row(lane, row)).transpose()
}

pub(super) async fn checkpoints(
    tx: &Tx,
    lane: &Lane,
    before: Option<CheckpointId>,
    limit: usize,
) -> Read<Vec<CheckpointInfo>> {
    let sql = checkpoint_sql!(
        " AND c.number < (SELECT CASE WHEN $4::uuid IS NULL THEN 9223372036854775807
            ELSE (SELECT number FROM checkpoints
             WHERE tenant_id = $1 AND thread = $2 AND namespace = $3 AND id = $4) END)
         ORDER BY c.number DESC LIMIT $5"
    );
    let (thread, namespace) = (&*lane.thread, &*lane.namespace);
    let (before, limit) = (before.map(|id| id.0), limit_or(limit, 0));
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &namespace, &before, &limit]).await?;
    rows.iter().map(|row| checkpoint_row(lane, row)).collect()
}

pub(super) async fn chain(tx: &Tx, lane: &Lane, id: Option<CheckpointId>) -> Read<Option<Chain>> {
    let Some(checkpoint) = checkpoint(tx, lane, id).await? else { return Ok(None) };
    let sql = concat!(
        "WITH RECURSIVE chain AS (
            SELECT 1 AS depth, c.parent, c.is_full, ",
        payload_sql!("c", "state"),
        " AS state FROM checkpoints c
            WHERE c.tenant_id = $1 AND c.thread = $2 AND c.namespace = $3 AND c.id = $4
            UNION ALL
            SELECT chain.depth + 1, c.parent, c.is_full, ",
        payload_sql!("c", "state"),
        " FROM chain JOIN checkpoints c ON c.tenant_id = $1 AND c.thread = $2
                AND c.namespace = $3 AND c.id = chain.parent
            WHERE NOT chain.is_full
         )
         SELECT is_full, state FROM chain ORDER BY depth DESC"
    );
    let (thread, namespace) = (&*lane.thread, &*lane.namespace);
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &namespace, &checkpoint.id.0]).await?;
    let (mut full, mut deltas) = (None, Vec::with_capacity(rows.len()));
    for row in &rows {
        let state = payload_at(row, 1)?;
        match row.try_get(0)? {
            true => full = Some(state),
            false => deltas.push(state),
        }
    }
    Ok(Some(Chain { checkpoint, full, deltas }))
}

pub(super) async fn namespaces(tx: &Tx, thread: &str) -> Read<Vec<Arc<str>>> {
    let sql = "SELECT namespace FROM checkpoints WHERE tenant_id = $1 AND thread = $2
         GROUP BY namespace ORDER BY min(number)";
    let rows = tx.query(sql, &[&tx.tenant.0, &thread]).await?;
    rows.iter().map(|row| text_at(row, 0)).collect()
}
