//! Checking the whole store, and freeing what nothing names.

use std::collections::HashMap;

use rusqlite::{Row, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::read::payload_sql;
use super::rows::{Db, payload_at, word};
use crate::hash::{self, CheckpointParts};
use crate::pack::{self, Packed};
use crate::query::{Garbage, Problem, Verification};
use crate::record::Source;
use crate::{CheckpointId, ExecutionId, Lane};

/// Every column that names a blob.
const BLOB_COLUMNS: [(&str, &str); 10] = [
    ("executions", "input_blob"),
    ("executions", "error_blob"),
    ("entry_blobs", "hash"),
    ("checkpoints", "state_blob"),
    ("pending_writes", "payload_blob"),
    ("effects", "result_blob"),
    ("interrupts", "value_blob"),
    ("interrupts", "snapshot_blob"),
    ("interrupts", "answer_blob"),
    ("node_cache", "payload_blob"),
];

pub(super) fn collect(db: Db<'_>, now: Timestamp) -> Result<Garbage, Fault> {
    let over = |table: &str| {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND expires_at <= ?2");
        db.execute(&sql, params![db.tenant, now.0])
    };
    let (items, cache_entries) = (over("items")? as u64, over("node_cache")? as u64);
    let named = BLOB_COLUMNS
        .map(|(table, column)| {
            format!("SELECT {column} FROM {table} WHERE tenant_id = ?1 AND {column} IS NOT NULL")
        })
        .join(" UNION ALL ");
    let unnamed = format!("FROM blobs WHERE tenant_id = ?1 AND hash NOT IN ({named})");
    let (blobs, blob_bytes): (i64, i64) = db.query_row(
        &format!("SELECT count(*), coalesce(sum(length(content)), 0) {unnamed}"),
        [db.tenant],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    db.execute(&format!("DELETE {unnamed}"), [db.tenant])?;
    Ok(Garbage { blobs: blobs as u64, blob_bytes: blob_bytes as u64, items, cache_entries })
}

pub(super) fn verify(db: Db<'_>) -> Result<Verification, Fault> {
    let mut found = Verification::default();
    file(db, &mut found)?;
    blobs(db, &mut found)?;
    entries(db, &mut found)?;
    checkpoints(db, &mut found)?;
    Ok(found)
}

fn problem(found: &mut Verification, place: impl ToString, message: impl Into<String>) {
    found.problems.push(Problem { place: place.to_string(), message: message.into() });
}

fn file(db: Db<'_>, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = db.prepare("PRAGMA quick_check(20)")?;
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            problem(found, "file", line);
        }
    }
    Ok(())
}

fn blobs(db: Db<'_>, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT hash, content FROM blobs WHERE tenant_id = ?1")?;
    let mut rows = statement.query([db.tenant])?;
    while let Some(row) = rows.next()? {
        found.blobs += 1;
        let hash = Hash(row.get(0)?);
        if !payload_at(row, 1).is_ok_and(|content| Hash::of(&content) == hash) {
            problem(found, format!("blob {hash}"), "the content does not have this hash");
        }
    }
    for (table, column) in BLOB_COLUMNS {
        let sql = format!(
            "SELECT count(*) FROM {table} t
             WHERE tenant_id = ?1 AND {column} IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM blobs b WHERE b.tenant_id = t.tenant_id AND b.hash = t.{column})"
        );
        let missing: i64 = db.query_row(&sql, [db.tenant], |row| row.get(0))?;
        if missing > 0 {
            problem(found, table, format!("{missing} rows name a blob that is missing"));
        }
    }
    Ok(())
}

fn entries(db: Db<'_>, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = db.prepare(
        "SELECT e.id, n.first_sequence, n.last_sequence, n.packed, n.hash
         FROM entries n LEFT JOIN executions e ON e.number = n.execution
         WHERE n.tenant_id = ?1 ORDER BY n.execution, n.last_sequence",
    )?;
    let mut rows = statement.query([db.tenant])?;
    let (mut current, mut sequence, mut previous) = (None, 0, hash::ROOT);
    while let Some(row) = rows.next()? {
        let id = ExecutionId(Uuid::from_bytes(row.get(0)?));
        if current != Some(id) {
            found.executions += 1;
            (current, sequence, previous) = (Some(id), 0, hash::ROOT);
        }
        let (first, last) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        let place = format!("execution {id}");
        if first != sequence + 1 {
            problem(found, &place, format!("entry {first} follows entry {sequence}"));
        }
        let stored = Hash(row.get(4)?);
        match chained(db, id, previous, row) {
            Ok((hash, count)) if hash == stored && first + count == last + 1 => {
                found.entries += count;
            }
            Ok(_) => {
                let message = format!("entries {first} to {last} are not what was written");
                problem(found, &place, message);
            }
            Err(_) => {
                problem(found, &place, format!("entries {first} to {last} cannot be read"));
            }
        }
        // Go on from the stored hash, so that one wrong row is one problem.
        (sequence, previous) = (last, stored);
    }
    Ok(())
}

/// The hash of the last entry in a row, and how many there are. A payload in a
/// blob enters with the blob's hash; whether the blob has that hash, and is there,
/// is checked with the blobs.
fn chained(
    db: Db<'_>,
    id: ExecutionId,
    previous: Hash,
    row: &Row<'_>,
) -> Result<(Hash, u64), Fault> {
    let packed = pack::unpack(id, row.get::<_, i64>(1)? as u64, &payload_at(row, 3)?)?;
    let mut hash = previous;
    for Packed { entry, blob } in &packed {
        if let Some(blob) = blob {
            db.prepare_cached(
                "SELECT 1 FROM entry_blobs WHERE tenant_id = ?1 AND hash = ?2 LIMIT 1",
            )?
            .query_row(params![db.tenant, &blob.0[..]], |_| Ok(()))?;
        }
        hash = hash::entry(hash, entry, blob.unwrap_or_else(|| Hash::of(&entry.payload)));
    }
    Ok((hash, packed.len() as u64))
}

fn checkpoints(db: Db<'_>, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = db.prepare(concat!(
        "SELECT c.number, c.parent, l.thread, l.namespace, c.id, c.step, c.source, e.id, c.time,
            c.meta, c.is_full, ",
        payload_sql!("c", "state"),
        ", c.hash
         FROM checkpoints c
         LEFT JOIN lanes l ON l.number = c.lane
         LEFT JOIN executions e ON e.number = c.execution
         WHERE c.tenant_id = ?1 ORDER BY c.number"
    ))?;
    let mut rows = statement.query([db.tenant])?;
    let mut hashes: HashMap<i64, Hash> = HashMap::new();
    while let Some(row) = rows.next()? {
        found.checkpoints += 1;
        let parent: Option<i64> = row.get(1)?;
        let stored = Hash(row.get(12)?);
        hashes.insert(row.get(0)?, stored);
        let Some(parent) = parent.map_or(Some(hash::ROOT), |n| hashes.get(&n).copied()) else {
            problem(found, "checkpoints", format!("row {}: no parent", row.get::<_, i64>(0)?));
            continue;
        };
        match checkpoint_hash(row, parent) {
            Ok(hash) if hash == stored => {}
            Ok(_) => {
                let id = CheckpointId(Uuid::from_bytes(row.get(4)?));
                problem(found, format!("checkpoint {id}"), "it does not have its hash");
            }
            Err(error) => problem(found, "checkpoints", format!("a row cannot be read: {error}")),
        }
    }
    Ok(())
}

fn checkpoint_hash(row: &Row<'_>, parent: Hash) -> rusqlite::Result<Hash> {
    let meta: Vec<u8> = row.get(9)?;
    let state = payload_at(row, 11)?;
    let parts = CheckpointParts {
        lane: &Lane { thread: row.get(2)?, namespace: row.get(3)? },
        id: CheckpointId(Uuid::from_bytes(row.get(4)?)),
        step: row.get(5)?,
        source: word(row, 6, Source::parse)?,
        execution: ExecutionId(Uuid::from_bytes(row.get(7)?)),
        time: row.get(8)?,
        meta: &meta,
        is_full: row.get(10)?,
        state: Hash::of(&state),
    };
    Ok(parts.hash(parent))
}
