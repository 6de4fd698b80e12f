//! Checking the whole store, and freeing what nothing names.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::read::payload_sql;
use super::rows::{TENANT, word};
use crate::hash::{self, CheckpointParts};
use crate::query::{Garbage, Problem, Verification};
use crate::record::{Entry, Source};
use crate::{CheckpointId, ExecutionId, Lane};

/// Every column that names a blob.
const BLOB_COLUMNS: [(&str, &str); 10] = [
    ("executions", "input_blob"),
    ("executions", "error_blob"),
    ("entries", "payload_blob"),
    ("checkpoints", "state_blob"),
    ("pending_writes", "payload_blob"),
    ("effects", "result_blob"),
    ("interrupts", "value_blob"),
    ("interrupts", "snapshot_blob"),
    ("interrupts", "answer_blob"),
    ("node_cache", "payload_blob"),
];

pub(super) fn collect(connection: &Connection, now: Timestamp) -> Result<Garbage, Fault> {
    let over = |table: &str| {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ?1 AND expires_at <= ?2");
        connection.execute(&sql, params![TENANT, now.0])
    };
    let (items, cache_entries) = (over("items")? as u64, over("node_cache")? as u64);
    let named = BLOB_COLUMNS
        .map(|(table, column)| {
            format!("SELECT {column} FROM {table} WHERE tenant_id = ?1 AND {column} IS NOT NULL")
        })
        .join(" UNION ALL ");
    let unnamed = format!("FROM blobs WHERE tenant_id = ?1 AND hash NOT IN ({named})");
    let (blobs, blob_bytes): (i64, i64) = connection.query_row(
        &format!("SELECT count(*), coalesce(sum(length(content)), 0) {unnamed}"),
        [TENANT],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    connection.execute(&format!("DELETE {unnamed}"), [TENANT])?;
    Ok(Garbage { blobs: blobs as u64, blob_bytes: blob_bytes as u64, items, cache_entries })
}

pub(super) fn verify(connection: &Connection) -> Result<Verification, Fault> {
    let mut found = Verification::default();
    file(connection, &mut found)?;
    blobs(connection, &mut found)?;
    entries(connection, &mut found)?;
    checkpoints(connection, &mut found)?;
    Ok(found)
}

fn problem(found: &mut Verification, place: impl ToString, message: impl Into<String>) {
    found.problems.push(Problem { place: place.to_string(), message: message.into() });
}

fn file(connection: &Connection, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            problem(found, "file", line);
        }
    }
    Ok(())
}

fn blobs(connection: &Connection, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = connection.prepare("SELECT hash, content FROM blobs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.blobs += 1;
        let hash = Hash(row.get(0)?);
        if Hash::of(row.get_ref(1)?.as_blob().unwrap_or_default()) != hash {
            problem(found, format!("blob {hash}"), "the content does not have this hash");
        }
    }
    for (table, column) in BLOB_COLUMNS {
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE {column} IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM blobs b WHERE b.tenant_id = t.tenant_id AND b.hash = t.{column})"
        );
        let missing: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        if missing > 0 {
            problem(found, table, format!("{missing} rows name a blob that is missing"));
        }
    }
    Ok(())
}

fn entries(connection: &Connection, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = connection.prepare(concat!(
        "SELECT e.id, n.sequence, n.kind, l.namespace, n.step, n.time, ",
        payload_sql!("n", "payload"),
        ", n.hash
         FROM entries n
         LEFT JOIN executions e ON e.number = n.execution
         LEFT JOIN lanes l ON l.number = n.lane
         ORDER BY n.tenant_id, n.execution, n.sequence"
    ))?;
    let mut rows = statement.query([])?;
    let (mut current, mut sequence, mut previous) = (None, 0, hash::ROOT);
    while let Some(row) = rows.next()? {
        found.entries += 1;
        let (entry, stored) = match entry_row(row) {
            Ok(entry) => entry,
            Err(error) => {
                problem(found, "entries", format!("a row cannot be read: {error}"));
                continue;
            }
        };
        if current != Some(entry.execution) {
            found.executions += 1;
            (current, sequence, previous) = (Some(entry.execution), 0, hash::ROOT);
        }
        let place = format!("execution {}", entry.execution);
        if entry.sequence != sequence + 1 {
            let message = format!("entry {} follows entry {sequence}", entry.sequence);
            problem(found, &place, message);
        }
        let hash = hash::entry(previous, &entry, Hash::of(&entry.payload));
        if stored.is_some_and(|stored| stored != hash) {
            let message =
                format!("entry {}, or one just before, is not what was written", entry.sequence);
            problem(found, &place, message);
        }
        // Go on from the stored hash, so that one wrong entry is one problem.
        (sequence, previous) = (entry.sequence, stored.unwrap_or(hash));
    }
    Ok(())
}

fn entry_row(row: &Row<'_>) -> rusqlite::Result<(Entry, Option<Hash>)> {
    let entry = Entry {
        execution: ExecutionId(Uuid::from_bytes(row.get(0)?)),
        sequence: row.get::<_, i64>(1)? as u64,
        kind: row.get(2)?,
        namespace: row.get(3)?,
        step: row.get(4)?,
        time: Timestamp(row.get(5)?),
        payload: row.get(6)?,
    };
    Ok((entry, row.get::<_, Option<_>>(7)?.map(Hash)))
}

fn checkpoints(connection: &Connection, found: &mut Verification) -> Result<(), Fault> {
    let mut statement = connection.prepare(concat!(
        "SELECT c.number, c.parent, l.thread, l.namespace, c.id, c.step, c.source, e.id, c.time,
            c.meta, c.is_full, ",
        payload_sql!("c", "state"),
        ", c.hash
         FROM checkpoints c
         LEFT JOIN lanes l ON l.number = c.lane
         LEFT JOIN executions e ON e.number = c.execution
         ORDER BY c.number"
    ))?;
    let mut rows = statement.query([])?;
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
    let state: Vec<u8> = row.get(11)?;
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
