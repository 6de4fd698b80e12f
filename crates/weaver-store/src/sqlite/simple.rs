//! Records that need nothing remembered.

use rusqlite::{Connection, params};
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::rows::{TENANT, execute, optional_payload, payload, uuid_bytes};
use crate::item::{Item, path_text};
use crate::record::{CacheEntry, Execution, ExecutionChange, WorkflowVersion};
use crate::{ExecutionId, Lane};

type Outcome = Result<(), Fault>;

pub(super) fn version(connection: &Connection, version: &WorkflowVersion) -> Outcome {
    execute(
        connection,
        "INSERT OR IGNORE INTO workflow_versions VALUES (?1, ?2, ?3, ?4, ?5)",
        params![TENANT, &version.hash.0[..], version.file, version.source, version.created.0],
    )
}

pub(super) fn execution(connection: &Connection, execution: &Execution) -> Outcome {
    let input = payload(connection, &execution.input)?;
    let error = optional_payload(connection, execution.error.as_deref())?;
    let usage = execution.totals.usage;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO executions (tenant_id, id, parent, thread, version, status, input,
                input_blob, started_at, ended_at, error, error_blob, tokens_input,
                tokens_cached_read, tokens_cached_write, tokens_output, tokens_reasoning,
                cost_micros)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                ?18)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            TENANT,
            uuid_bytes(&execution.id.0),
            execution.parent.as_ref().map(|id| uuid_bytes(&id.0)),
            execution.thread,
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

pub(super) fn execution_change(connection: &Connection, change: &ExecutionChange) -> Outcome {
    let error = optional_payload(connection, change.error.as_deref())?;
    let usage = change.totals.usage;
    let changed = connection
        .prepare_cached(
            "UPDATE executions SET status = ?3, ended_at = ?4, error = ?5, error_blob = ?6,
                tokens_input = ?7, tokens_cached_read = ?8, tokens_cached_write = ?9,
                tokens_output = ?10, tokens_reasoning = ?11, cost_micros = ?12
             WHERE tenant_id = ?1 AND id = ?2",
        )?
        .execute(params![
            TENANT,
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

pub(super) fn pin(connection: &Connection, id: ExecutionId, version: Hash) -> Outcome {
    let changed = connection
        .prepare_cached("UPDATE executions SET version = ?3 WHERE tenant_id = ?1 AND id = ?2")?
        .execute(params![TENANT, uuid_bytes(&id.0), version.0])?;
    if changed == 0 {
        return Err(Fault::conflict(format!("there is no execution {id}")));
    }
    Ok(())
}

pub(super) fn answer(
    connection: &Connection,
    lane: i64,
    lane_name: &Lane,
    interrupt: &str,
    answer: &[u8],
    time: Timestamp,
) -> Outcome {
    let stored = payload(connection, answer)?;
    let changed = connection
        .prepare_cached(
            "UPDATE interrupts SET answer = ?4, answer_blob = ?5, answered_at = ?6
             WHERE tenant_id = ?1 AND lane = ?2 AND id = ?3 AND answered_at IS NULL",
        )?
        .execute(params![TENANT, lane, interrupt, stored.inline, stored.blob, time.0])?;
    if changed == 0 {
        return Err(Fault::conflict(format!(
            "nothing waits under `{interrupt}` in {lane_name}, or it has its answer"
        )));
    }
    Ok(())
}

pub(super) fn item(connection: &Connection, item: &Item) -> Outcome {
    execute(
        connection,
        "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET value = ?4, updated_at = ?6, expires_at = ?7",
        params![
            TENANT,
            path_text(&item.key.namespace)?,
            item.key.key,
            item.value.to_json(),
            item.created.0,
            item.updated.0,
            item.expires.map(|time| time.0),
        ],
    )
}

pub(super) fn forget_item(connection: &Connection, path: &str, key: &str) -> Outcome {
    execute(
        connection,
        "DELETE FROM items WHERE tenant_id = ?1 AND namespace = ?2 AND key = ?3",
        params![TENANT, path, key],
    )
}

pub(super) fn cache(connection: &Connection, entry: &CacheEntry) -> Outcome {
    let stored = payload(connection, &entry.payload)?;
    execute(
        connection,
        "INSERT OR REPLACE INTO node_cache VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            TENANT,
            &entry.key.0[..],
            stored.inline,
            stored.blob,
            entry.expires.map(|time| time.0)
        ],
    )
}

pub(super) fn clear_cache(connection: &Connection) -> Outcome {
    execute(connection, "DELETE FROM node_cache WHERE tenant_id = ?1", [TENANT])
}

pub(super) fn forget_thread(connection: &Connection, thread: &str) -> Outcome {
    const LANES: &str = "(SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2)";
    for table in ["pending_writes", "effects", "interrupts", "checkpoints"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND lane IN {LANES}");
        connection.execute(&sql, params![TENANT, thread])?;
    }
    const EXECUTIONS: &str = "(SELECT number FROM executions WHERE tenant_id = ?1 AND thread = ?2)";
    for table in ["entries", "entry_blobs"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND execution IN {EXECUTIONS}");
        connection.execute(&sql, params![TENANT, thread])?;
    }
    for table in ["executions", "lanes"] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND thread = ?2");
        connection.execute(&sql, params![TENANT, thread])?;
    }
    Ok(())
}
