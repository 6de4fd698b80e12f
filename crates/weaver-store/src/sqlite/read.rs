//! Reading executions, their logs, and checkpoints.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, ToSql, params};
use uuid::Uuid;
use weaver_core::event::Usage;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::rows::{Db, limit_or, optional_payload_at, payload_at, uuid_bytes, word};
use crate::pack::{self, Packed};
use crate::query::{Chain, CheckpointInfo, ExecutionQuery, Head, Standing, ThreadInfo};
use crate::record::{Entry, Execution, ExecutionStatus, Lease, Source, Totals, WorkflowVersion};
use crate::{CheckpointId, ExecutionId, Idempotency, IdempotencyKey, Lane, TenantId, hash};

type Read<T> = Result<T, Fault>;

/// A payload column, or the content of the blob that its `_blob` column names.
macro_rules! payload_sql {
    ($table:literal, $column:literal) => {
        concat!(
            "coalesce(",
            $table,
            ".",
            $column,
            ", (SELECT content FROM blobs WHERE tenant_id = ",
            $table,
            ".tenant_id AND hash = ",
            $table,
            ".",
            $column,
            "_blob))"
        )
    };
}
pub(super) use payload_sql;

pub(super) fn version(db: Db<'_>, hash: Hash) -> Read<Option<WorkflowVersion>> {
    let found = db
        .prepare_cached(
            "SELECT file, source, created_at FROM workflow_versions
             WHERE tenant_id = ?1 AND hash = ?2",
        )?
        .query_row(params![db.tenant, &hash.0[..]], |row| {
            Ok(WorkflowVersion {
                hash,
                file: row.get(0)?,
                source: row.get(1)?,
                created: Timestamp(row.get(2)?),
            })
        });
    Ok(found.optional()?)
}

pub(super) fn tenants(db: Db<'_>) -> Read<Vec<TenantId>> {
    let tenants = db
        .prepare_cached("SELECT uuid FROM tenants")?
        .query_map([], |row| Ok(TenantId(Uuid::from_bytes(row.get(0)?))))?
        .collect::<Result<_, _>>()?;
    Ok(tenants)
}

pub(super) fn lease(db: Db<'_>, id: ExecutionId) -> Read<Option<Lease>> {
    let found = db
        .prepare_cached(
            "SELECT lease_owner, lease_until, fence FROM executions
             WHERE tenant_id = ?1 AND id = ?2",
        )?
        .query_row(params![db.tenant, uuid_bytes(&id.0)], |row| {
            Ok(Lease {
                owner: row.get(0)?,
                until: row.get::<_, Option<_>>(1)?.map(Timestamp),
                fence: row.get::<_, i64>(2)? as u64,
            })
        });
    Ok(found.optional()?)
}

pub(super) const EXECUTION: &str = concat!(
    "SELECT e.id, e.parent, e.thread, e.workflow, e.version, e.status, ",
    payload_sql!("e", "input"),
    ", e.started_at, e.ended_at, ",
    payload_sql!("e", "error"),
    ", e.tokens_input, e.tokens_cached_read, e.tokens_cached_write, e.tokens_output,
       e.tokens_reasoning, e.cost_micros
     FROM executions e WHERE e.tenant_id = ?1"
);

pub(super) fn execution_row(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let tokens = |column| row.get::<_, i64>(column).map(|n| n as u64);
    Ok(Execution {
        id: ExecutionId(Uuid::from_bytes(row.get(0)?)),
        parent: row.get::<_, Option<_>>(1)?.map(|bytes| ExecutionId(Uuid::from_bytes(bytes))),
        thread: row.get(2)?,
        workflow: row.get(3)?,
        version: row.get::<_, Option<_>>(4)?.map(Hash),
        status: word(row, 5, ExecutionStatus::parse)?,
        input: payload_at(row, 6)?,
        started: Timestamp(row.get(7)?),
        ended: row.get::<_, Option<_>>(8)?.map(Timestamp),
        error: optional_payload_at(row, 9)?,
        totals: Totals {
            usage: Usage {
                input: tokens(10)?,
                cached_read: tokens(11)?,
                cached_write: tokens(12)?,
                output: tokens(13)?,
                reasoning: tokens(14)?,
            },
            cost_micros: tokens(15)?,
        },
    })
}

pub(super) fn execution(db: Db<'_>, id: ExecutionId) -> Read<Option<Execution>> {
    let found = db
        .prepare_cached(&format!("{EXECUTION} AND e.id = ?2"))?
        .query_row(params![db.tenant, uuid_bytes(&id.0)], execution_row);
    Ok(found.optional()?)
}

pub(super) fn executions(db: Db<'_>, query: &ExecutionQuery) -> Read<Vec<Execution>> {
    let mut conditions = String::new();
    let mut values: Vec<&dyn ToSql> = vec![&db.tenant];
    let mut only = |condition: &str, value| {
        values.push(value);
        conditions.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    let status = query.status.map(ExecutionStatus::as_str);
    if let Some(thread) = &query.thread {
        only("e.thread =", thread);
    }
    if let Some(workflow) = &query.workflow {
        only("e.workflow =", workflow);
    }
    if let Some(status) = &status {
        only("e.status =", status);
    }
    let before = query.before.map(|id| id.0.into_bytes());
    if let Some(before) = &before {
        only("e.number < (SELECT number FROM executions WHERE tenant_id = ?1 AND id =", before);
        conditions.push(')');
    }
    let page = format!("ORDER BY e.number DESC LIMIT {}", limit_or(query.limit, 100));
    let sql = match (&query.thread, &query.workflow, query.status) {
        (None, Some(_), None) => each_status(&conditions, &page),
        _ => format!("{EXECUTION}{conditions} {page}"),
    };
    let executions =
        db.prepare_cached(&sql)?.query_map(&*values, execution_row)?.collect::<Result<_, _>>()?;
    Ok(executions)
}

/// The newest of the newest in each status: the index of a workflow is by status.
fn each_status(conditions: &str, page: &str) -> String {
    let newest = |status: ExecutionStatus| {
        let status = status.as_str();
        format!(
            "SELECT * FROM (SELECT e.number FROM executions e
                WHERE e.tenant_id = ?1{conditions} AND e.status = '{status}' {page})"
        )
    };
    let numbers = ExecutionStatus::ALL.map(newest).join(" UNION ALL ");
    format!("{EXECUTION} AND e.number IN ({numbers}) {page}")
}

pub(super) fn idempotency(db: Db<'_>, key: IdempotencyKey) -> Read<Option<Idempotency>> {
    let found = db
        .prepare_cached(
            "SELECT body, answer, time FROM idempotency_keys
             WHERE tenant_id = ?1 AND caller = ?2 AND route = ?3 AND key = ?4",
        )?
        .query_row(params![db.tenant, key.caller, key.route, key.key], |row| {
            let (body, time) = (Hash(row.get(0)?), Timestamp(row.get(2)?));
            Ok(Idempotency { key: key.clone(), body, answer: row.get(1)?, time })
        });
    Ok(found.optional()?)
}

pub(super) fn threads(db: Db<'_>, limit: usize) -> Read<Vec<ThreadInfo>> {
    let threads = db
        .prepare_cached(
            // Backwards from the newest execution, stopping at those that are the last of
            // their thread: what came long ago is not looked at.
            "SELECT e.thread, (SELECT count(*) FROM executions o
                    WHERE o.tenant_id = ?1 AND o.thread = e.thread), e.id, e.status, e.started_at
             FROM executions e WHERE e.tenant_id = ?1 AND e.number =
                    (SELECT max(o.number) FROM executions o
                     WHERE o.tenant_id = ?1 AND o.thread = e.thread)
             ORDER BY e.number DESC LIMIT ?2",
        )?
        .query_map(params![db.tenant, limit_or(limit, 100)], |row| {
            Ok(ThreadInfo {
                thread: row.get(0)?,
                executions: row.get::<_, i64>(1)? as u64,
                last_execution: ExecutionId(Uuid::from_bytes(row.get(2)?)),
                status: word(row, 3, ExecutionStatus::parse)?,
                started: Timestamp(row.get(4)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(threads)
}

pub(super) fn idle_threads(
    db: Db<'_>,
    before: Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Read<Vec<Arc<str>>> {
    let threads = db
        .prepare_cached(
            "SELECT DISTINCT e.thread FROM executions e
             WHERE e.tenant_id = ?1 AND e.ended_at < ?2 AND (?3 IS NULL OR e.thread > ?3)
                AND NOT EXISTS (
                    SELECT 1 FROM executions o WHERE o.tenant_id = ?1 AND o.thread = e.thread
                        AND (o.ended_at IS NULL OR o.ended_at >= ?2))
             ORDER BY e.thread LIMIT ?4",
        )?
        .query_map(params![db.tenant, before.0, after, limit_or(limit, 0)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(threads)
}

pub(super) fn head(db: Db<'_>, execution: ExecutionId) -> Read<Head> {
    let found = db
        .prepare_cached(
            "SELECT n.last_sequence, n.hash FROM entries n
             WHERE n.tenant_id = ?1 AND n.execution =
                (SELECT number FROM executions WHERE tenant_id = ?1 AND id = ?2)
             ORDER BY n.last_sequence DESC LIMIT 1",
        )?
        .query_row(params![db.tenant, uuid_bytes(&execution.0)], |row| {
            Ok(Head { sequence: row.get::<_, i64>(0)? as u64, hash: Hash(row.get(1)?) })
        })
        .optional()?;
    Ok(found.unwrap_or(Head { sequence: 0, hash: hash::ROOT }))
}

pub(super) fn standing(db: Db<'_>, id: ExecutionId) -> Read<Option<Standing>> {
    let Some(execution) = execution(db, id)? else { return Ok(None) };
    let latest = checkpoint(db, &Lane::root(execution.thread.clone()), None)?;
    Ok(Some(Standing { head: head(db, id)?, latest, execution }))
}

pub(super) fn entries(
    db: Db<'_>,
    execution: ExecutionId,
    after: u64,
    limit: usize,
) -> Read<Vec<Entry>> {
    let after_stored = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut statement = db.prepare_cached(
        "SELECT n.first_sequence, n.packed FROM entries n
         WHERE n.tenant_id = ?1 AND n.last_sequence > ?3 AND n.execution =
            (SELECT number FROM executions WHERE tenant_id = ?1 AND id = ?2)
         ORDER BY n.last_sequence",
    )?;
    let mut rows = statement.query(params![db.tenant, uuid_bytes(&execution.0), after_stored])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()?
        && entries.len() < limit
    {
        let first = row.get::<_, i64>(0)? as u64;
        for packed in pack::unpack(execution, first, &payload_at(row, 1)?)? {
            if packed.entry.sequence > after && entries.len() < limit {
                entries.push(with_blob(db, packed)?);
            }
        }
    }
    Ok(entries)
}

pub(super) fn with_blob(db: Db<'_>, packed: Packed) -> Read<Entry> {
    let Some(hash) = packed.blob else { return Ok(packed.entry) };
    let payload = db
        .prepare_cached("SELECT content FROM blobs WHERE tenant_id = ?1 AND hash = ?2")?
        .query_row(params![db.tenant, &hash.0[..]], |row| payload_at(row, 0))?;
    Ok(Entry { payload, ..packed.entry })
}

const CHECKPOINT: &str = "SELECT c.id, p.id, c.step, c.source, e.id, c.time, c.meta, c.hash,
        c.number
     FROM checkpoints c
     LEFT JOIN checkpoints p ON p.number = c.parent
     JOIN executions e ON e.number = c.execution
     WHERE c.tenant_id = ?1 AND c.lane =
        (SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2 AND namespace = ?3)";

fn checkpoint_row(lane: &Lane, row: &Row<'_>) -> rusqlite::Result<CheckpointInfo> {
    Ok(CheckpointInfo {
        lane: lane.clone(),
        id: CheckpointId(Uuid::from_bytes(row.get(0)?)),
        parent: row.get::<_, Option<_>>(1)?.map(|bytes| CheckpointId(Uuid::from_bytes(bytes))),
        step: row.get(2)?,
        source: word(row, 3, Source::parse)?,
        execution: ExecutionId(Uuid::from_bytes(row.get(4)?)),
        time: Timestamp(row.get(5)?),
        meta: row.get(6)?,
        hash: Hash(row.get(7)?),
    })
}

pub(super) fn checkpoint(
    db: Db<'_>,
    lane: &Lane,
    id: Option<CheckpointId>,
) -> Read<Option<CheckpointInfo>> {
    Ok(numbered_checkpoint(db, lane, id)?.map(|(_, checkpoint)| checkpoint))
}

fn numbered_checkpoint(
    db: Db<'_>,
    lane: &Lane,
    id: Option<CheckpointId>,
) -> Read<Option<(i64, CheckpointInfo)>> {
    let (sql, id) = match &id {
        Some(id) => (format!("{CHECKPOINT} AND c.id = ?4"), Some(uuid_bytes(&id.0))),
        None => (format!("{CHECKPOINT} AND ?4 IS NULL ORDER BY c.number DESC LIMIT 1"), None),
    };
    let found = db
        .prepare_cached(&sql)?
        .query_row(params![db.tenant, lane.thread, lane.namespace, id], |row| {
            Ok((row.get(8)?, checkpoint_row(lane, row)?))
        });
    Ok(found.optional()?)
}

pub(super) fn checkpoints(
    db: Db<'_>,
    lane: &Lane,
    before: Option<CheckpointId>,
    limit: usize,
) -> Read<Vec<CheckpointInfo>> {
    let before = match before {
        Some(id) => match numbered_checkpoint(db, lane, Some(id))? {
            Some((number, _)) => number,
            None => return Ok(Vec::new()),
        },
        None => i64::MAX,
    };
    let sql = format!("{CHECKPOINT} AND c.number < ?4 ORDER BY c.number DESC LIMIT ?5");
    let values = params![db.tenant, lane.thread, lane.namespace, before, limit_or(limit, 0)];
    let checkpoints = db
        .prepare_cached(&sql)?
        .query_map(values, |row| checkpoint_row(lane, row))?
        .collect::<Result<_, _>>()?;
    Ok(checkpoints)
}

pub(super) fn chain(db: Db<'_>, lane: &Lane, id: Option<CheckpointId>) -> Read<Option<Chain>> {
    let Some((number, checkpoint)) = numbered_checkpoint(db, lane, id)? else {
        return Ok(None);
    };
    let sql = concat!(
        "SELECT c.is_full, ",
        payload_sql!("c", "state"),
        ", c.parent FROM checkpoints c WHERE c.number = ?1"
    );
    let mut statement = db.prepare_cached(sql)?;
    let (mut full, mut deltas, mut next) = (None, Vec::new(), Some(number));
    while let Some(number) = next {
        let (is_full, state, parent) = statement.query_row([number], |row| {
            Ok((row.get::<_, bool>(0)?, payload_at(row, 1)?, row.get(2)?))
        })?;
        if is_full {
            full = Some(state);
            break;
        }
        deltas.push(state);
        next = parent;
    }
    deltas.reverse();
    Ok(Some(Chain { checkpoint, full, deltas }))
}

pub(super) fn namespaces(db: Db<'_>, thread: &str) -> Read<Vec<Arc<str>>> {
    let namespaces = db
        .prepare_cached(
            "SELECT l.namespace FROM lanes l
             JOIN (SELECT lane, min(number) AS first FROM checkpoints
                   WHERE tenant_id = ?1 AND lane IN
                      (SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2)
                   GROUP BY lane) c ON c.lane = l.number
             ORDER BY c.first",
        )?
        .query_map(params![db.tenant, thread], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(namespaces)
}
