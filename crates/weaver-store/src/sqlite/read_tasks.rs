//! Reading what hangs on tasks (pending writes, effects, interrupts), long-term
//! memory and the node cache.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp, Value};

use super::fault::Fault;
use super::read::payload_sql;
use super::rows::{Db, limit_or, optional_payload_at, payload_at, unreadable, uuid_bytes, word};
use crate::item::{
    Item, ItemKey, ItemSearch, NamespaceSearch, cut_namespaces, path_parts, path_text,
};
use crate::record::{Effect, EffectStatus, Interrupt, PendingWrite};
use crate::{CheckpointId, ExecutionId, Lane};

type Read<T> = Result<T, Fault>;

pub(super) fn pending_writes(
    db: Db<'_>,
    lane: &Lane,
    checkpoint: CheckpointId,
) -> Read<Vec<PendingWrite>> {
    let sql = concat!(
        "SELECT w.task, ",
        payload_sql!("w", "payload"),
        " FROM pending_writes w
         WHERE w.tenant_id = ?1 AND w.checkpoint = ?4 AND w.lane =
            (SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2 AND namespace = ?3)
         ORDER BY w.task"
    );
    let values = params![db.tenant, lane.thread, lane.namespace, uuid_bytes(&checkpoint.0)];
    let writes = db
        .prepare_cached(sql)?
        .query_map(values, |row| {
            Ok(PendingWrite {
                lane: lane.clone(),
                checkpoint,
                task: row.get(0)?,
                payload: payload_at(row, 1)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(writes)
}

pub(super) const ALL_EFFECTS: &str = concat!(
    "SELECT l.thread, l.namespace, f.task, f.ordinal, e.id, f.step, f.kind, f.request, f.key,
        f.status, ",
    payload_sql!("f", "result"),
    ", f.time
     FROM effects f
     JOIN lanes l ON l.number = f.lane
     JOIN executions e ON e.number = f.execution
     WHERE f.tenant_id = ?1"
);

/// The tenant again, so that the index of lanes is used.
const OF_THREAD: &str = "l.tenant_id = ?1 AND l.thread = ?2";

pub(super) fn effect_row(row: &Row<'_>) -> rusqlite::Result<Effect> {
    Ok(Effect {
        lane: Lane { thread: row.get(0)?, namespace: row.get(1)? },
        task: row.get(2)?,
        ordinal: row.get(3)?,
        execution: ExecutionId(Uuid::from_bytes(row.get(4)?)),
        step: row.get(5)?,
        kind: row.get(6)?,
        request: Hash(row.get(7)?),
        key: row.get(8)?,
        status: word(row, 9, EffectStatus::parse)?,
        result: payload_at(row, 10)?,
        time: Timestamp(row.get(11)?),
    })
}

pub(super) fn effects(db: Db<'_>, lane: &Lane, task: &str) -> Read<Vec<Effect>> {
    let sql = format!(
        "{ALL_EFFECTS} AND {OF_THREAD} AND l.namespace = ?3 AND f.task = ?4 ORDER BY f.ordinal"
    );
    let effects = db
        .prepare_cached(&sql)?
        .query_map(params![db.tenant, lane.thread, lane.namespace, task], effect_row)?
        .collect::<Result<_, _>>()?;
    Ok(effects)
}

pub(super) fn open_effects(db: Db<'_>, thread: &str) -> Read<Vec<Effect>> {
    let sql = format!("{ALL_EFFECTS} AND {OF_THREAD} AND f.status = 'intent' ORDER BY f.number");
    let effects = db
        .prepare_cached(&sql)?
        .query_map(params![db.tenant, thread], effect_row)?
        .collect::<Result<_, _>>()?;
    Ok(effects)
}

pub(super) const ALL_INTERRUPTS: &str = concat!(
    "SELECT l.thread, l.namespace, i.id, i.checkpoint, i.task, e.id, ",
    payload_sql!("i", "value"),
    ", ",
    payload_sql!("i", "snapshot"),
    ", i.time, ",
    payload_sql!("i", "answer"),
    ", i.answered_at
     FROM interrupts i
     JOIN lanes l ON l.number = i.lane
     JOIN executions e ON e.number = i.execution
     WHERE i.tenant_id = ?1"
);

pub(super) fn interrupt_row(row: &Row<'_>) -> rusqlite::Result<Interrupt> {
    let answered: Option<i64> = row.get(10)?;
    Ok(Interrupt {
        lane: Lane { thread: row.get(0)?, namespace: row.get(1)? },
        id: row.get(2)?,
        checkpoint: CheckpointId(Uuid::from_bytes(row.get(3)?)),
        task: row.get(4)?,
        execution: ExecutionId(Uuid::from_bytes(row.get(5)?)),
        value: payload_at(row, 6)?,
        snapshot: optional_payload_at(row, 7)?,
        time: Timestamp(row.get(8)?),
        answer: match answered {
            Some(time) => Some((payload_at(row, 9)?, Timestamp(time))),
            None => None,
        },
    })
}

pub(super) fn interrupts(db: Db<'_>, thread: &str, open_only: bool) -> Read<Vec<Interrupt>> {
    let sql = format!(
        "{ALL_INTERRUPTS} AND {OF_THREAD} AND (i.answered_at IS NULL OR NOT ?3) ORDER BY i.number"
    );
    let interrupts = db
        .prepare_cached(&sql)?
        .query_map(params![db.tenant, thread, open_only], interrupt_row)?
        .collect::<Result<_, _>>()?;
    Ok(interrupts)
}

const ITEM: &str = "SELECT namespace, key, value, created_at, updated_at, expires_at FROM items
     WHERE tenant_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)";

pub(super) fn item_row(row: &Row<'_>) -> rusqlite::Result<Item> {
    let value: String = row.get(2)?;
    Ok(Item {
        key: ItemKey { namespace: path_parts(&row.get::<_, Arc<str>>(0)?), key: row.get(1)? },
        value: Value::from_json(&value).map_err(|error| unreadable(2, error))?,
        created: Timestamp(row.get(3)?),
        updated: Timestamp(row.get(4)?),
        expires: row.get::<_, Option<_>>(5)?.map(Timestamp),
    })
}

pub(super) fn item(db: Db<'_>, key: &ItemKey, now: Timestamp) -> Read<Option<Item>> {
    let path = path_text(&key.namespace)?;
    let found = db
        .prepare_cached(&format!("{ITEM} AND namespace = ?3 AND key = ?4"))?
        .query_row(params![db.tenant, now.0, path, key.key], item_row);
    Ok(found.optional()?)
}

pub(super) fn search_items(db: Db<'_>, search: &ItemSearch, now: Timestamp) -> Read<Vec<Item>> {
    let prefix = path_text(&search.prefix)?;
    // A path under the prefix is one between it and it with a greater last sign.
    let sql = format!(
        "{ITEM} AND namespace >= ?3 AND (?3 = '' OR namespace < ?4)
         ORDER BY updated_at DESC, namespace, key"
    );
    let (mut items, limit) = (Vec::new(), limit_or(search.limit, 10) as usize);
    let mut skip = search.offset;
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![db.tenant, now.0, prefix, prefix_end(&prefix)])?;
    while let Some(row) = rows.next()?
        && items.len() < limit
    {
        let item = item_row(row)?;
        if !search.filter.matches(&item.value) {
            continue;
        }
        if skip > 0 {
            skip -= 1;
        } else {
            items.push(item);
        }
    }
    Ok(items)
}

/// The least text above all that start with a stored path (which ends in U+001F).
fn prefix_end(prefix: &str) -> String {
    let mut end = prefix.to_string();
    if end.pop().is_some() {
        end.push('\u{20}');
    }
    end
}

pub(super) fn item_namespaces(
    db: Db<'_>,
    search: &NamespaceSearch,
    now: Timestamp,
) -> Read<Vec<Vec<String>>> {
    let namespaces = db
        .prepare_cached(
            "SELECT DISTINCT namespace FROM items
             WHERE tenant_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
        )?
        .query_map(params![db.tenant, now.0], |row| Ok(path_parts(&row.get::<_, Arc<str>>(0)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(cut_namespaces(search, namespaces))
}

pub(super) fn cached(db: Db<'_>, key: Hash, now: Timestamp) -> Read<Option<Vec<u8>>> {
    let sql = concat!(
        "SELECT ",
        payload_sql!("k", "payload"),
        " FROM node_cache k WHERE k.tenant_id = ?1 AND k.key = ?2
            AND (k.expires_at IS NULL OR k.expires_at > ?3)"
    );
    let found = db
        .prepare_cached(sql)?
        .query_row(params![db.tenant, &key.0[..], now.0], |row| payload_at(row, 0));
    Ok(found.optional()?)
}
