//! Statements of one row, for what is written now and then.

use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::plan::Side;
use super::value::Time;
use super::write::{To, Written};

const INTERRUPT: &str =
    "INSERT INTO interrupts (tenant_id, thread, namespace, id, checkpoint, task,
        execution_id, value, value_blob, snapshot, snapshot_blob, time, answer, answer_blob,
        answered_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT (tenant_id, thread, namespace, id)
        DO UPDATE SET number = EXCLUDED.number, checkpoint = EXCLUDED.checkpoint,
            task = EXCLUDED.task, execution_id = EXCLUDED.execution_id, value = EXCLUDED.value,
            value_blob = EXCLUDED.value_blob, snapshot = EXCLUDED.snapshot,
            snapshot_blob = EXCLUDED.snapshot_blob, time = EXCLUDED.time,
            answer = EXCLUDED.answer, answer_blob = EXCLUDED.answer_blob,
            answered_at = EXCLUDED.answered_at";

const ANSWER: &str = "UPDATE interrupts SET answer = $5, answer_blob = $6, answered_at = $7
     WHERE tenant_id = $1 AND thread = $2 AND namespace = $3 AND id = $4
        AND answered_at IS NULL";

const ITEM: &str = "INSERT INTO items
        (tenant_id, namespace, key, value, created_at, updated_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant_id, namespace, key)
        DO UPDATE SET value = EXCLUDED.value, updated_at = EXCLUDED.updated_at,
            expires_at = EXCLUDED.expires_at";

const FORGET_ITEM: &str = "DELETE FROM items WHERE tenant_id = $1 AND namespace = $2 AND key = $3";

const CACHE: &str = "INSERT INTO node_cache (tenant_id, key, payload, payload_blob, expires_at)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, key)
        DO UPDATE SET payload = EXCLUDED.payload, payload_blob = EXCLUDED.payload_blob,
            expires_at = EXCLUDED.expires_at";

const ONCE: &str = "INSERT INTO idempotency_keys VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT DO NOTHING";

const PIN: &str = "UPDATE executions SET version = $3 WHERE tenant_id = $1 AND id = $2";

const ASKED: &str =
    "UPDATE executions SET input = $3, input_blob = $4 WHERE tenant_id = $1 AND id = $2";

const CLEAR_CACHE: &str = "DELETE FROM node_cache WHERE tenant_id = $1";

impl Side<'_> {
    pub(super) fn statement(&self) -> &'static str {
        match self {
            Side::Interrupt { .. } => INTERRUPT,
            Side::Answer { .. } => ANSWER,
            Side::Item { .. } => ITEM,
            Side::ForgetItem { .. } => FORGET_ITEM,
            Side::Cache { .. } => CACHE,
            Side::ClearCache => CLEAR_CACHE,
            Side::Once(_) => ONCE,
            Side::Pin { .. } => PIN,
            Side::Asked { .. } => ASKED,
        }
    }

    /// Whether it may change nothing and thereby be a refusal.
    pub(super) fn must_be_seen(&self) -> bool {
        matches!(self, Side::Answer { .. } | Side::Once(_))
    }
}

pub(super) async fn write(to: To<'_>, side: &Side<'_>) -> Written {
    let tenant = to.tenant.0;
    match side {
        Side::Interrupt { interrupt, value, snapshot, answer } => {
            let values: [&(dyn ToSql + Sync); 15] = [
                &tenant,
                &&*interrupt.lane.thread,
                &&*interrupt.lane.namespace,
                &&*interrupt.id,
                &interrupt.checkpoint.0,
                &&*interrupt.task,
                &interrupt.execution.0,
                &value.inline,
                &value.blob_bytes(),
                &snapshot.inline,
                &snapshot.blob_bytes(),
                &Time(interrupt.time),
                &answer.inline,
                &answer.blob_bytes(),
                &interrupt.answer.as_ref().map(|(_, time)| Time(*time)),
            ];
            to.run(INTERRUPT, &values).await?;
        }
        Side::Answer { lane, id, answer, time } => {
            let values: [&(dyn ToSql + Sync); 7] = [
                &tenant,
                &&*lane.thread,
                &&*lane.namespace,
                id,
                &answer.inline,
                &answer.blob_bytes(),
                &Time(*time),
            ];
            if to.run(ANSWER, &values).await? == 0 {
                let message = format!("nothing waits under `{id}` in {lane}, or it has its answer");
                return Err(Fault::conflict(message));
            }
        }
        Side::Item { item, path } => {
            let values: [&(dyn ToSql + Sync); 7] = [
                &tenant,
                path,
                &item.key.key,
                &item.value.to_json().into_bytes(),
                &Time(item.created),
                &Time(item.updated),
                &item.expires.map(Time),
            ];
            to.run(ITEM, &values).await?;
        }
        Side::ForgetItem { key, path } => {
            to.run(FORGET_ITEM, &[&tenant, path, &key.key]).await?;
        }
        Side::Cache { entry, payload } => {
            let values: [&(dyn ToSql + Sync); 5] = [
                &tenant,
                &&entry.key.0[..],
                &payload.inline,
                &payload.blob_bytes(),
                &entry.expires.map(Time),
            ];
            to.run(CACHE, &values).await?;
        }
        Side::Once(once) => {
            let values: [&(dyn ToSql + Sync); 7] = [
                &tenant,
                &&*once.key.caller,
                &&*once.key.route,
                &&*once.key.key,
                &&once.body.0[..],
                &once.answer,
                &Time(once.time),
            ];
            if to.run(ONCE, &values).await? == 0 {
                let message = format!("the key `{}` was used before", once.key.key);
                return Err(Fault::conflict(message));
            }
        }
        Side::Pin { execution, version } => {
            to.run(PIN, &[&tenant, &execution.0, &&version.0[..]]).await?;
        }
        Side::Asked { execution, input } => {
            let values: [&(dyn ToSql + Sync); 4] =
                [&tenant, &execution.0, &input.inline, &input.blob_bytes()];
            to.run(ASKED, &values).await?;
        }
        Side::ClearCache => {
            to.run(CLEAR_CACHE, &[&tenant]).await?;
        }
    }
    Ok(())
}
