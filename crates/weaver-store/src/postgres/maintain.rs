//! Checking all that a tenant has, and freeing what nothing names.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use super::pool::Tx;
use super::read::payload_sql;
use super::value::{Time, count_at, hash_at, payload_at, some_time_at, text_at, word_at};
use crate::hash::{self, CheckpointParts};
use crate::pack::{self, Packed};
use crate::query::{Garbage, Problem, Verification};
use crate::record::Source;
use crate::{CheckpointId, ExecutionId, Lane};

/// Everything that names a blob, in a larger statement.
macro_rules! with_named {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "(SELECT input_blob AS hash FROM executions WHERE tenant_id = $1
              UNION ALL SELECT error_blob FROM executions WHERE tenant_id = $1
              UNION ALL SELECT hash FROM entry_blobs WHERE tenant_id = $1
              UNION ALL SELECT state_blob FROM checkpoints WHERE tenant_id = $1
              UNION ALL SELECT payload_blob FROM pending_writes WHERE tenant_id = $1
              UNION ALL SELECT result_blob FROM effects WHERE tenant_id = $1
              UNION ALL SELECT value_blob FROM interrupts WHERE tenant_id = $1
              UNION ALL SELECT snapshot_blob FROM interrupts WHERE tenant_id = $1
              UNION ALL SELECT answer_blob FROM interrupts WHERE tenant_id = $1
              UNION ALL SELECT payload_blob FROM node_cache WHERE tenant_id = $1)",
            $after
        )
    };
}

pub(super) async fn collect(tx: &Tx, now: Timestamp) -> Result<Garbage, Fault> {
    let values: [&(dyn ToSql + Sync); 2] = [&tx.tenant.0, &Time(now)];
    let items = "DELETE FROM items WHERE tenant_id = $1 AND expires_at <= $2";
    let items = tx.execute(items, &values).await?;
    let cache = "DELETE FROM node_cache WHERE tenant_id = $1 AND expires_at <= $2";
    let cache_entries = tx.execute(cache, &values).await?;
    // Writers hold this lock while a blob that they found is not yet named by what
    // they write.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('blobs ' || $1::uuid::text, 0))";
    tx.execute(lock, &[&tx.tenant.0]).await?;
    let freed = tx.query(FREE, &[&tx.tenant.0]).await?;
    let blob_bytes = freed.iter().map(|row| count_at(row, 0)).sum::<Result<u64, Fault>>()?;
    Ok(Garbage { blobs: freed.len() as u64, blob_bytes, items, cache_entries })
}

const FREE: &str = with_named!(
    "DELETE FROM blobs b WHERE b.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM ",
    " named WHERE named.hash = b.hash) RETURNING length(b.content)::bigint"
);

const MISSING: &str = with_named!(
    "SELECT DISTINCT named.hash FROM ",
    " named WHERE named.hash IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM blobs b WHERE b.tenant_id = $1 AND b.hash = named.hash)"
);

/// How many rows are looked at in one go.
const ROWS: i64 = 500;

pub(super) async fn verify(tx: &Tx) -> Result<Verification, Fault> {
    tx.batch("SET LOCAL statement_timeout TO 0").await?;
    let mut found = Verification::default();
    blobs(tx, &mut found).await?;
    entries(tx, &mut found).await?;
    checkpoints(tx, &mut found).await?;
    Ok(found)
}

fn problem(found: &mut Verification, place: impl ToString, message: impl Into<String>) {
    found.problems.push(Problem { place: place.to_string(), message: message.into() });
}

async fn blobs(tx: &Tx, found: &mut Verification) -> Result<(), Fault> {
    let sql = "SELECT hash, content FROM blobs WHERE tenant_id = $1 AND hash > $2
         ORDER BY hash LIMIT $3";
    let mut after = Vec::new();
    loop {
        let rows = tx.query(sql, &[&tx.tenant.0, &after, &ROWS]).await?;
        for row in &rows {
            found.blobs += 1;
            let hash = hash_at(row, 0)?;
            if !payload_at(row, 1).is_ok_and(|content| Hash::of(&content) == hash) {
                problem(found, format!("blob {hash}"), "the content does not have this hash");
            }
            after = hash.0.to_vec();
        }
        if (rows.len() as i64) < ROWS {
            break;
        }
    }
    let missing = tx.query(MISSING, &[&tx.tenant.0]).await?;
    for row in &missing {
        let hash = hash_at(row, 0)?;
        problem(found, format!("blob {hash}"), "it is named and missing");
    }
    Ok(())
}

async fn entries(tx: &Tx, found: &mut Verification) -> Result<(), Fault> {
    let sql = "SELECT n.execution_id, n.first_sequence, n.last_sequence, n.packed, n.hash,
            EXISTS (SELECT 1 FROM executions e WHERE e.tenant_id = $1 AND e.id = n.execution_id)
         FROM entries n
         WHERE n.tenant_id = $1 AND (n.execution_id, n.first_sequence) > ($2, $3)
         ORDER BY n.execution_id, n.first_sequence LIMIT $4";
    let mut at = (Uuid::nil(), 0_i64);
    let (mut current, mut sequence, mut previous) = (None, 0, hash::ROOT);
    loop {
        let rows = tx.query(sql, &[&tx.tenant.0, &at.0, &at.1, &ROWS]).await?;
        for row in &rows {
            at = (row.try_get(0)?, row.try_get(1)?);
            let id = ExecutionId(at.0);
            if current != Some(id) {
                found.executions += 1;
                (current, sequence, previous) = (Some(id), 0, hash::ROOT);
                if !row.try_get::<_, bool>(5)? {
                    problem(found, format!("execution {id}"), "its log is there, it is not");
                }
            }
            let (first, last) = (count_at(row, 1)?, count_at(row, 2)?);
            let place = format!("execution {id}");
            if first != sequence + 1 {
                problem(found, &place, format!("entry {first} follows entry {sequence}"));
            }
            let stored = hash_at(row, 4)?;
            match chained(tx, id, previous, row).await {
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
        if (rows.len() as i64) < ROWS {
            return Ok(());
        }
    }
}

/// The hash of the last entry in a row, and how many there are. A payload in a
/// blob enters with the blob's hash; whether the blob has that hash, and is there,
/// is checked with the blobs.
async fn chained(
    tx: &Tx,
    id: ExecutionId,
    previous: Hash,
    row: &Row,
) -> Result<(Hash, u64), Fault> {
    let packed = pack::unpack(id, count_at(row, 1)?, &payload_at(row, 3)?)?;
    let mut hash = previous;
    for Packed { entry, blob } in &packed {
        if let Some(blob) = blob {
            let sql = "SELECT 1 FROM entry_blobs
                 WHERE tenant_id = $1 AND execution_id = $2 AND hash = $3";
            let named = tx.first(sql, &[&tx.tenant.0, &id.0, &&blob.0[..]]).await?;
            named.ok_or_else(|| Fault::unreadable("a blob is not named"))?;
        }
        hash = hash::entry(hash, entry, blob.unwrap_or_else(|| Hash::of(&entry.payload)));
    }
    Ok((hash, packed.len() as u64))
}

async fn checkpoints(tx: &Tx, found: &mut Verification) -> Result<(), Fault> {
    let sql = concat!(
        "SELECT c.number, c.parent, c.thread, c.namespace, c.id, c.step, c.source, c.execution_id,
            c.time, c.meta, c.is_full, ",
        payload_sql!("c", "state"),
        ", c.hash, p.hash
         FROM checkpoints c
         LEFT JOIN checkpoints p ON p.tenant_id = $1 AND p.thread = c.thread
            AND p.namespace = c.namespace AND p.id = c.parent
         WHERE c.tenant_id = $1 AND c.number > $2 ORDER BY c.number LIMIT $3"
    );
    let mut after = i64::MIN;
    loop {
        let rows = tx.query(sql, &[&tx.tenant.0, &after, &ROWS]).await?;
        for row in &rows {
            found.checkpoints += 1;
            after = row.try_get(0)?;
            let id = CheckpointId(row.try_get(4)?);
            let place = format!("checkpoint {id}");
            let has_parent = row.try_get::<_, Option<Uuid>>(1)?.is_some();
            let parent = match (has_parent, row.try_get::<_, Option<&[u8]>>(13)?) {
                (false, _) => hash::ROOT,
                (true, Some(_)) => hash_at(row, 13)?,
                (true, None) => {
                    problem(found, place, "its parent is missing");
                    continue;
                }
            };
            match checkpoint_hash(row, parent) {
                Ok(hash) if hash == hash_at(row, 12)? => {}
                Ok(_) => problem(found, place, "it does not have its hash"),
                Err(_) => problem(found, place, "it cannot be read"),
            }
        }
        if (rows.len() as i64) < ROWS {
            return Ok(());
        }
    }
}

fn checkpoint_hash(row: &Row, parent: Hash) -> Result<Hash, Fault> {
    let parts = CheckpointParts {
        lane: &Lane { thread: text_at(row, 2)?, namespace: text_at(row, 3)? },
        id: CheckpointId(row.try_get(4)?),
        step: row.try_get(5)?,
        source: word_at(row, 6, Source::parse)?,
        execution: ExecutionId(row.try_get(7)?),
        time: some_time_at(row, 8)?.0,
        meta: row.try_get(9)?,
        is_full: row.try_get(10)?,
        state: Hash::of(&payload_at(row, 11)?),
    };
    Ok(parts.hash(parent))
}
