//! Records that need nothing remembered.

use rusqlite::{OptionalExtension, params};
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::rows::{Db, execute, optional_payload, payload, uuid_bytes};
use crate::item::{Item, path_text};
use crate::record::{CacheEntry, Execution, ExecutionChange, LeaseChange, WorkflowVersion};
use crate::{ExecutionId, Idempotency, IdempotencyKey, Lane};

type Outcome = Result<(), Fault>;

pub(super) fn version(db: Db<'_>, version: &WorkflowVersion) -> Outcome {
    execute(
        db,
        "INSERT OR IGNORE INTO workflow_versions VALUES (?1, ?2, ?3, ?4, ?5)",
        params![db.tenant, &version.hash.0[..], version.file, version.source, version.created.0],
    )
}

pub(super) fn execution(db: Db<'_>, execution: &Execution) -> Outcome {
    let input = payload(db, &execution.input)?;
    let error = optional_payload(db, execution.error.as_deref())?;
    let usage = execution.totals.usage;
    let inserted = db
        .prepare_cached(
            "INSERT INTO executions (tenant_id, id, parent, thread, workflow, version, status, input,
                input_blob, started_at, ended_at, error, error_blob, tokens_input,
                tokens_cached_read, tokens_cached_write, tokens_output, tokens_reasoning,
                cost_micros)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                ?18, ?19)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            db.tenant,
            uuid_bytes(&execution.id.0),
            execution.parent.as_ref().map(|id| uuid_bytes(&id.0)),
            execution.thread,
            execution.workflow,
            execution.version.map(|hash| hash.0),
            execution.status.as_str(),
            input.inline,
            input.blob,
            execution.started.0,
            execution.ended.map(|time| time.0),
            error.inline,
            error.blob,
            usage.input as i64,
            usage.cached_read as i64,
            usage.cached_write as i64,
            usage.output as i64,
            usage.reasoning as i64,
            execution.totals.cost_micros as i64,
        ])?;
    if inserted == 0 {
        return Err(Fault::conflict(format!("execution {} exists already", execution.id)));
    }
    Ok(())
}

pub(super) fn execution_change(db: Db<'_>, change: &ExecutionChange) -> Outcome {
    let error = optional_payload(db, change.error.as_deref())?;
    let usage = change.totals.usage;
    let changed = db
        .prepare_cached(
            "UPDATE executions SET status = ?3, ended_at = ?4, error = ?5, error_blob = ?6,
                tokens_input = ?7, tokens_cached_read = ?8, tokens_cached_write = ?9,
                tokens_output = ?10, tokens_reasoning = ?11, cost_micros = ?12
             WHERE tenant_id = ?1 AND id = ?2",
        )?
        .execute(params![
            db.tenant,
            uuid_bytes(&change.id.0),
            change.status.as_str(),
            change.ended.map(|time| time.0),
            error.inline,
            error.blob,
            usage.input as i64,
            usage.cached_read as i64,
            usage.cached_write as i64,
            usage.output as i64,
            usage.reasoning as i64,
            change.totals.cost_micros as i64,
        ])?;
    if changed == 0 {
        return Err(Fault::conflict(format!("there is no execution {}", change.id)));
    }
    Ok(())
}

/// An execution goes on with another version of its source.
pub(super) fn pin(db: Db<'_>, id: ExecutionId, version: Hash) -> Outcome {
    let changed = db
        .prepare_cached("UPDATE executions SET version = ?3 WHERE tenant_id = ?1 AND id = ?2")?
        .execute(params![db.tenant, uuid_bytes(&id.0), version.0])?;
    if changed == 0 {
        return Err(Fault::conflict(format!("there is no execution {id}")));
    }
    Ok(())
}

/// Gives an execution another input.
pub(super) fn asked(db: Db<'_>, id: ExecutionId, input: &[u8]) -> Outcome {
    let input = payload(db, input)?;
    let changed = db
        .prepare_cached(
            "UPDATE executions SET input = ?3, input_blob = ?4 WHERE tenant_id = ?1 AND id = ?2",
        )?
        .execute(params![db.tenant, uuid_bytes(&id.0), input.inline, input.blob])?;
    if changed == 0 {
        return Err(Fault::conflict(format!("there is no execution {id}")));
    }
    Ok(())
}

/// Keeps a request that takes effect once.
pub(super) fn once(db: Db<'_>, once: &Idempotency) -> Outcome {
    let IdempotencyKey { caller, route, key } = &once.key;
    let inserted = db
        .prepare_cached(
            "INSERT INTO idempotency_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            db.tenant,
            caller,
            route,
            key,
            &once.body.0[..],
            once.answer,
            once.time.0
        ])?;
    if inserted == 0 {
        return Err(Fault::conflict(format!("the key `{key}` was used before")));
    }
    Ok(())
}

/// The fence of an execution, nothing when there is no such execution.
pub(super) fn fence(db: Db<'_>, id: ExecutionId) -> Result<Option<u64>, Fault> {
    let fence = db
        .prepare_cached("SELECT fence FROM executions WHERE tenant_id = ?1 AND id = ?2")?
        .query_row(params![db.tenant, uuid_bytes(&id.0)], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(fence.map(|fence| fence as u64))
}

pub(super) fn lease(db: Db<'_>, change: &LeaseChange) -> Outcome {
    let id = change.execution;
    let found =
        fence(db, id)?.ok_or_else(|| Fault::conflict(format!("there is no execution {id}")))?;
    change.check(found)?;
    execute(
        db,
        "UPDATE executions SET lease_owner = ?3, lease_until = ?4, fence = ?5
         WHERE tenant_id = ?1 AND id = ?2",
        params![
            db.tenant,
            uuid_bytes(&id.0),
            change.lease.owner,
            change.lease.until.map(|time| time.0),
            change.lease.fence as i64,
        ],
    )
}

pub(super) fn answer(
    db: Db<'_>,
    lane: i64,
    lane_name: &Lane,
    interrupt: &str,
    answer: &[u8],
    time: Timestamp,
) -> Outcome {
    let stored = payload(db, answer)?;
    let changed = db
        .prepare_cached(
            "UPDATE interrupts SET answer = ?4, answer_blob = ?5, answered_at = ?6
             WHERE tenant_id = ?1 AND lane = ?2 AND id = ?3 AND answered_at IS NULL",
        )?
        .execute(params![db.tenant, lane, interrupt, stored.inline, stored.blob, time.0])?;
    if changed == 0 {
        return Err(Fault::conflict(format!(
            "nothing waits under `{interrupt}` in {lane_name}, or it has its answer"
        )));
    }
    Ok(())
}

pub(super) fn item(db: Db<'_>, item: &Item) -> Outcome {
    execute(
        db,
        "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET value = ?4, updated_at = ?6, expires_at = ?7",
        params![
            db.tenant,
            path_text(&item.key.namespace)?,
            item.key.key,
            item.value.to_json(),
            item.created.0,
            item.updated.0,
            item.expires.map(|time| time.0),
        ],
    )
}

pub(super) fn forget_item(db: Db<'_>, path: &str, key: &str) -> Outcome {
    execute(
        db,
        "DELETE FROM items WHERE tenant_id = ?1 AND namespace = ?2 AND key = ?3",
        params![db.tenant, path, key],
    )
}

pub(super) fn cache(db: Db<'_>, entry: &CacheEntry) -> Outcome {
    let stored = payload(db, &entry.payload)?;
    execute(
        db,
        "INSERT OR REPLACE INTO node_cache VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            db.tenant,
            &entry.key.0[..],
            stored.inline,
            stored.blob,
            entry.expires.map(|time| time.0)
        ],
    )
}

pub(super) fn clear_cache(db: Db<'_>) -> Outcome {
    execute(db, "DELETE FROM node_cache WHERE tenant_id = ?1", [db.tenant])
}

/// Whether all executions of a thread have ended before a time.
pub(super) fn is_idle(db: Db<'_>, thread: &str, before: Timestamp) -> Result<bool, Fault> {
    let busy = db
        .prepare_cached(
            "SELECT 1 FROM executions WHERE tenant_id = ?1 AND thread = ?2
                AND (ended_at IS NULL OR ended_at >= ?3)",
        )?
        .exists(params![db.tenant, thread, before.0])?;
    Ok(!busy)
}

pub(super) fn forget_thread(db: Db<'_>, thread: &str) -> Outcome {
    const LANES: &str = "(SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2)";
    for table in ["pending_writes", "effects", "interrupts", "checkpoints"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND lane IN {LANES}");
        db.execute(&sql, params![db.tenant, thread])?;
    }
    const EXECUTIONS: &str = "(SELECT number FROM executions WHERE tenant_id = ?1 AND thread = ?2)";
    for table in ["entries", "entry_blobs"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND execution IN {EXECUTIONS}");
        db.execute(&sql, params![db.tenant, thread])?;
    }
    for table in ["executions", "lanes"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND thread = ?2");
        db.execute(&sql, params![db.tenant, thread])?;
    }
    Ok(())
}
