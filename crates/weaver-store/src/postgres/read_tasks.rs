//! Reading what hangs on tasks (pending writes, effects, interrupts), long-term
//! memory and the node cache.

use tokio_postgres::Row;
use weaver_core::{Hash, Timestamp, Value};

use super::fault::Fault;
use super::pool::Tx;
use super::read::payload_sql;
use super::value::{
    Time, bytes_text_at, hash_at, optional_payload_at, payload_at, some_time_at, text_at, time_at,
    word_at,
};
use crate::item::{
    Item, ItemKey, ItemSearch, NamespaceSearch, cut_namespaces, path_parts, path_text,
};
use crate::record::{Effect, EffectStatus, Interrupt, PendingWrite};
use crate::{CheckpointId, ExecutionId, Lane};

type Read<T> = Result<T, Fault>;

pub(super) async fn pending_writes(
    tx: &Tx,
    lane: &Lane,
    checkpoint: CheckpointId,
) -> Read<Vec<PendingWrite>> {
    let sql = concat!(
        "SELECT w.task, ",
        payload_sql!("w", "payload"),
        " FROM pending_writes w
         WHERE w.tenant_id = $1 AND w.thread = $2 AND w.namespace = $3 AND w.checkpoint = $4
         ORDER BY w.task"
    );
    let (thread, namespace) = (&*lane.thread, &*lane.namespace);
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &namespace, &checkpoint.0]).await?;
    let write = |row: &Row| {
        let (task, payload) = (text_at(row, 0)?, payload_at(row, 1)?);
        Ok(PendingWrite { lane: lane.clone(), checkpoint, task, payload })
    };
    rows.iter().map(write).collect()
}

/// The select and what follows the tenant in its condition.
macro_rules! effect_sql {
    ($condition:literal) => {
        concat!(
            "SELECT f.thread, f.namespace, f.task, f.ordinal, f.execution_id, f.step, f.kind,
                f.request, f.key, f.status, ",
            payload_sql!("f", "result"),
            ", f.time FROM effects f WHERE f.tenant_id = $1",
            $condition
        )
    };
}

pub(super) use effect_sql;

pub(super) fn effect_row(row: &Row) -> Read<Effect> {
    let ordinal: i64 = row.try_get(3)?;
    Ok(Effect {
        lane: Lane { thread: text_at(row, 0)?, namespace: text_at(row, 1)? },
        task: text_at(row, 2)?,
        ordinal: ordinal.try_into().map_err(|_| Fault::unreadable("an ordinal is too large"))?,
        execution: ExecutionId(row.try_get(4)?),
        step: row.try_get(5)?,
        kind: text_at(row, 6)?,
        request: hash_at(row, 7)?,
        key: text_at(row, 8)?,
        status: word_at(row, 9, EffectStatus::parse)?,
        result: payload_at(row, 10)?,
        time: some_time_at(row, 11)?,
    })
}

pub(super) async fn effects(tx: &Tx, lane: &Lane, task: &str) -> Read<Vec<Effect>> {
    let sql =
        effect_sql!(" AND f.thread = $2 AND f.namespace = $3 AND f.task = $4 ORDER BY f.ordinal");
    let (thread, namespace) = (&*lane.thread, &*lane.namespace);
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &namespace, &task]).await?;
    rows.iter().map(effect_row).collect()
}

pub(super) async fn open_effects(tx: &Tx, thread: &str) -> Read<Vec<Effect>> {
    let sql = effect_sql!(" AND f.thread = $2 AND f.status = 'intent' ORDER BY f.number");
    let rows = tx.query(sql, &[&tx.tenant.0, &thread]).await?;
    rows.iter().map(effect_row).collect()
}

/// The select and what follows the tenant in its condition.
macro_rules! interrupt_sql {
    ($condition:literal) => {
        concat!(
            "SELECT i.thread, i.namespace, i.id, i.checkpoint, i.task, i.execution_id, ",
            payload_sql!("i", "value"),
            ", ",
            payload_sql!("i", "snapshot"),
            ", i.time, ",
            payload_sql!("i", "answer"),
            ", i.answered_at FROM interrupts i WHERE i.tenant_id = $1",
            $condition
        )
    };
}
pub(super) use interrupt_sql;

pub(super) fn interrupt_row(row: &Row) -> Read<Interrupt> {
    let answered = time_at(row, 10)?;
    Ok(Interrupt {
        lane: Lane { thread: text_at(row, 0)?, namespace: text_at(row, 1)? },
        id: text_at(row, 2)?,
        checkpoint: CheckpointId(row.try_get(3)?),
        task: text_at(row, 4)?,
        execution: ExecutionId(row.try_get(5)?),
        value: payload_at(row, 6)?,
        snapshot: optional_payload_at(row, 7)?,
        time: some_time_at(row, 8)?,
        answer: match answered {
            Some(time) => Some((payload_at(row, 9)?, time)),
            None => None,
        },
    })
}

pub(super) async fn interrupts(tx: &Tx, thread: &str, open_only: bool) -> Read<Vec<Interrupt>> {
    let sql = interrupt_sql!(
        " AND i.thread = $2 AND (i.answered_at IS NULL OR NOT $3) ORDER BY i.number"
    );
    let rows = tx.query(sql, &[&tx.tenant.0, &thread, &open_only]).await?;
    rows.iter().map(interrupt_row).collect()
}

/// The select and what follows the end of its time in its condition.
macro_rules! item_sql {
    ($condition:literal) => {
        concat!(
            "SELECT namespace, key, value, created_at, updated_at, expires_at FROM items
             WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
            $condition
        )
    };
}

pub(super) fn item_row(row: &Row) -> Read<Item> {
    let value = bytes_text_at(row, 2)?;
    Ok(Item {
        key: ItemKey { namespace: path_parts(row.try_get(0)?), key: row.try_get(1)? },
        value: Value::from_json(&value).map_err(|error| Fault::unreadable(error.to_string()))?,
        created: some_time_at(row, 3)?,
        updated: some_time_at(row, 4)?,
        expires: time_at(row, 5)?,
    })
}

pub(super) async fn item(tx: &Tx, key: &ItemKey, now: Timestamp) -> Read<Option<Item>> {
    let path = path_text(&key.namespace)?;
    let sql = item_sql!(" AND namespace = $3 AND key = $4");
    let row = tx.first(sql, &[&tx.tenant.0, &Time(now), &path, &key.key]).await?;
    row.as_ref().map(item_row).transpose()
}

/// How many memories are looked at in one go: which of them pass the filter is
/// found out here.
const ITEMS_AT_ONCE: i64 = 500;

pub(super) async fn search_items(tx: &Tx, search: &ItemSearch, now: Timestamp) -> Read<Vec<Item>> {
    let prefix = path_text(&search.prefix)?;
    let sql = item_sql!(
        " AND starts_with(namespace, $3)
         ORDER BY updated_at DESC, namespace, key OFFSET $4 LIMIT $5"
    );
    let limit = if search.limit == 0 { 10 } else { search.limit };
    let (mut items, mut skip, mut from) = (Vec::new(), search.offset, 0_i64);
    loop {
        let values = (Time(now), ITEMS_AT_ONCE);
        let rows = tx.query(sql, &[&tx.tenant.0, &values.0, &prefix, &from, &values.1]).await?;
        for row in &rows {
            let item = item_row(row)?;
            if !search.filter.matches(&item.value) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
            } else if items.len() < limit {
                items.push(item);
            }
        }
        from += ITEMS_AT_ONCE;
        if items.len() == limit || (rows.len() as i64) < ITEMS_AT_ONCE {
            return Ok(items);
        }
    }
}

pub(super) async fn item_namespaces(
    tx: &Tx,
    search: &NamespaceSearch,
    now: Timestamp,
) -> Read<Vec<Vec<String>>> {
    let sql = "SELECT DISTINCT namespace FROM items
         WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > $2)";
    let rows = tx.query(sql, &[&tx.tenant.0, &Time(now)]).await?;
    let namespace = |row: &Row| Ok(path_parts(row.try_get(0)?));
    let namespaces: Vec<_> = rows.iter().map(namespace).collect::<Read<_>>()?;
    Ok(cut_namespaces(search, namespaces))
}

pub(super) async fn cached(tx: &Tx, key: Hash, now: Timestamp) -> Read<Option<Vec<u8>>> {
    let sql = concat!(
        "SELECT ",
        payload_sql!("k", "payload"),
        " FROM node_cache k WHERE k.tenant_id = $1 AND k.key = $2
            AND (k.expires_at IS NULL OR k.expires_at > $3)"
    );
    let row = tx.first(sql, &[&tx.tenant.0, &&key.0[..], &Time(now)]).await?;
    row.map(|row| payload_at(&row, 0)).transpose()
}
