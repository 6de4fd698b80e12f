//! From records to rows.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use weaver_core::Hash;

use super::fault::Fault;
use super::rows::{Db, Stored, blob, execute, optional_payload, payload, uuid_bytes};
use crate::batch::{Batch, Record};
use crate::encode::encode;
use crate::hash::{self, CheckpointParts};
use crate::item::path_text;
use crate::pack::{PACK_BYTES_MAX, Pack};
use crate::record::{Checkpoint, Effect, EffectStatus, Entry, Interrupt, PendingWrite, State};
use crate::{BLOB_BYTES_MIN, CheckpointId, Error, ExecutionId, Lane};

type Outcome<T = ()> = Result<T, Fault>;

/// Writes records and remembers what the next ones need (ends of logs, last
/// checkpoints), so that the hot path only inserts. What it remembers is true
/// inside the current transaction; after a rollback it is dropped.
#[derive(Default)]
pub(super) struct Applier {
    executions: HashMap<ExecutionId, ExecutionState>,
    lanes: HashMap<Lane, LaneState>,
    /// Written at the end of the transaction, unless their superstep ends first.
    pending: Vec<PendingWrite>,
    /// Executions with entries that are in no row yet.
    packing: Vec<ExecutionId>,
}

struct ExecutionState {
    number: i64,
    thread: Arc<str>,
    sequence: u64,
    hash: Hash,
    /// Entries that are in no row yet.
    pack: Pack,
}

struct LaneState {
    number: i64,
    /// The checkpoint written last, the usual parent of the next.
    tip: Option<(CheckpointId, i64, Hash)>,
    /// Checkpoints with stored pending writes.
    pending: HashSet<CheckpointId>,
}

impl Applier {
    /// Refuses a batch whose writer is not the execution's holder any more.
    pub(super) fn check(&self, db: Db<'_>, batch: &Batch) -> Outcome {
        batch.check()?;
        match (batch.execution, batch.fence) {
            (Some(execution), Some(held)) => check_fence(db, execution, held),
            _ => Ok(()),
        }
    }

    /// The sequence of the last entry of an execution.
    pub(super) fn last_sequence(&mut self, db: Db<'_>, id: ExecutionId) -> Outcome<u64> {
        Ok(self.execution(db, id)?.sequence)
    }

    /// Writes the entries, packed, and the pending writes whose superstep has not
    /// ended in this transaction.
    pub(super) fn flush(&mut self, db: Db<'_>) -> Outcome {
        for id in std::mem::take(&mut self.packing) {
            // It may have been forgotten with its thread.
            if let Some(execution) = self.executions.get_mut(&id) {
                execution.close_pack(db)?;
            }
        }
        for write in std::mem::take(&mut self.pending) {
            let lane = self.lane(db, &write.lane)?;
            lane.pending.insert(write.checkpoint);
            let lane = lane.number;
            let stored = payload(db, &write.payload)?;
            execute(
                db,
                "INSERT OR REPLACE INTO pending_writes VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    db.tenant,
                    lane,
                    uuid_bytes(&write.checkpoint.0),
                    write.task,
                    stored.inline,
                    stored.blob
                ],
            )?;
        }
        Ok(())
    }

    /// How many executions and lanes are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.executions.len() + self.lanes.len()
    }

    /// Writes a record that is not of the queue. Entries and pending writes wait for
    /// [`Applier::flush`].
    pub(super) fn record(&mut self, db: Db<'_>, record: &Record) -> Outcome {
        match record {
            Record::Entry(entry) => self.entry(db, entry),
            Record::Checkpoint(checkpoint) => self.checkpoint(db, checkpoint),
            Record::PendingWrite(write) => {
                self.pending.push(write.clone());
                Ok(())
            }
            Record::DropPendingWrites(lane, checkpoint) => self.drop_pending(db, lane, *checkpoint),
            Record::Effect(effect) => self.effect(db, effect),
            Record::Interrupt(interrupt) => self.interrupt(db, interrupt),
            Record::Answer { lane, interrupt, answer, time } => {
                let number = self.lane(db, lane)?.number;
                super::simple::answer(db, number, lane, interrupt, answer, *time)
            }
            Record::Version(version) => super::simple::version(db, version),
            Record::Execution(execution) => super::simple::execution(db, execution),
            Record::ExecutionChange(change) => super::simple::execution_change(db, change),
            Record::Pin(id, version) => super::simple::pin(db, *id, *version),
            Record::Asked(id, input) => super::simple::asked(db, *id, input),
            Record::Lease(change) => super::simple::lease(db, change),
            Record::Item(item) => super::simple::item(db, item),
            Record::ForgetItem(key) => {
                let path = path_text(&key.namespace)?;
                super::simple::forget_item(db, &path, &key.key)
            }
            Record::Cache(entry) => super::simple::cache(db, entry),
            Record::ClearCache => super::simple::clear_cache(db),
            Record::ForgetThread(thread) => self.forget_thread(db, thread),
            Record::ForgetIdleThread { thread, before } => {
                match super::simple::is_idle(db, thread, *before)? {
                    true => self.forget_thread(db, thread),
                    false => Ok(()),
                }
            }
            Record::Idempotency(once) => super::simple::once(db, once),
            Record::Work(_) => unreachable!("the queue is not a tenant's: see queue_rows.rs"),
        }
    }

    fn forget_thread(&mut self, db: Db<'_>, thread: &str) -> Outcome {
        self.pending.retain(|write| *write.lane.thread != *thread);
        self.lanes.retain(|lane, _| *lane.thread != *thread);
        self.executions.retain(|_, execution| *execution.thread != *thread);
        super::simple::forget_thread(db, thread)
    }

    fn entry(&mut self, db: Db<'_>, entry: &Entry) -> Outcome {
        let execution = self.execution(db, entry.execution)?;
        if entry.sequence != execution.sequence + 1 {
            return Err(Fault::conflict(format!(
                "entry {} of execution {} cannot follow entry {}",
                entry.sequence, entry.execution, execution.sequence
            )));
        }
        let payload = Hash::of(&entry.payload);
        let in_blob = entry.payload.len() >= BLOB_BYTES_MIN;
        if in_blob {
            blob(db, payload, &entry.payload)?;
            execute(
                db,
                "INSERT OR IGNORE INTO entry_blobs VALUES (?1, ?2, ?3)",
                params![db.tenant, execution.number, &payload.0[..]],
            )?;
        }
        execution.hash = hash::entry(execution.hash, entry, payload);
        execution.sequence = entry.sequence;
        let new = execution.pack.bytes.is_empty();
        execution.pack.push(entry, in_blob.then_some(payload));
        if execution.pack.bytes.len() >= PACK_BYTES_MAX {
            execution.close_pack(db)?;
        } else if new {
            self.packing.push(entry.execution);
        }
        Ok(())
    }

    fn checkpoint(&mut self, db: Db<'_>, checkpoint: &Checkpoint) -> Outcome {
        let execution = self.execution_in(db, checkpoint.execution, &checkpoint.lane)?;
        let parent = match checkpoint.parent {
            None => None,
            Some(id) => Some(self.parent(db, &checkpoint.lane, id)?),
        };
        if let Some(id) = checkpoint.parent.filter(|_| checkpoint.settles_parent) {
            self.drop_pending(db, &checkpoint.lane, id)?;
        }
        let (State::Delta(state) | State::Full(state)) = &checkpoint.state;
        let stored = payload(db, state)?;
        let parts = CheckpointParts::of(checkpoint, stored.hash(state));
        let hash = parts.hash(parent.map_or(hash::ROOT, |(_, hash)| hash));
        let lane = self.lane(db, &checkpoint.lane)?;
        execute(
            db,
            "INSERT INTO checkpoints (tenant_id, lane, id, parent, step, source, execution, time,
                meta, is_full, state, state_blob, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                db.tenant,
                lane.number,
                uuid_bytes(&checkpoint.id.0),
                parent.map(|(number, _)| number),
                checkpoint.step,
                checkpoint.source.as_str(),
                execution,
                checkpoint.time.0,
                checkpoint.meta,
                parts.is_full,
                stored.inline,
                stored.blob,
                &hash.0[..],
            ],
        )
        .map_err(|fault| match fault {
            Fault::Sql(error) if is_duplicate(&error) => Fault::conflict(format!(
                "checkpoint {} exists already in {}",
                checkpoint.id, checkpoint.lane
            )),
            fault => fault,
        })?;
        lane.tip = Some((checkpoint.id, db.last_insert_rowid(), hash));
        Ok(())
    }

    fn parent(&mut self, db: Db<'_>, lane: &Lane, id: CheckpointId) -> Outcome<(i64, Hash)> {
        let state = self.lane(db, lane)?;
        if let Some((tip, number, hash)) = state.tip
            && tip == id
        {
            return Ok((number, hash));
        }
        let found = db
            .prepare_cached(
                "SELECT number, hash FROM checkpoints
                 WHERE tenant_id = ?1 AND lane = ?2 AND id = ?3",
            )?
            .query_row(params![db.tenant, state.number, uuid_bytes(&id.0)], |row| {
                Ok((row.get(0)?, Hash(row.get(1)?)))
            })
            .optional()?;
        found.ok_or_else(|| Fault::conflict(format!("there is no checkpoint {id} in {lane}")))
    }

    fn drop_pending(&mut self, db: Db<'_>, lane: &Lane, checkpoint: CheckpointId) -> Outcome {
        self.pending.retain(|write| write.checkpoint != checkpoint || write.lane != *lane);
        let state = self.lane(db, lane)?;
        if !state.pending.remove(&checkpoint) {
            return Ok(());
        }
        execute(
            db,
            "DELETE FROM pending_writes WHERE tenant_id = ?1 AND lane = ?2 AND checkpoint = ?3",
            params![db.tenant, state.number, uuid_bytes(&checkpoint.0)],
        )
    }

    fn effect(&mut self, db: Db<'_>, effect: &Effect) -> Outcome {
        let execution = self.execution_in(db, effect.execution, &effect.lane)?;
        let lane = self.lane(db, &effect.lane)?.number;
        let stored = payload(db, &effect.result)?;
        let changed = db
            .prepare_cached(
                "INSERT INTO effects (tenant_id, lane, task, ordinal, execution, step, kind,
                    request, key, status, result, result_blob, time)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                 ON CONFLICT DO UPDATE SET execution = ?5, step = ?6, kind = ?7, request = ?8,
                    key = ?9, status = ?10, result = ?11, result_blob = ?12, time = ?13
                 WHERE status <> 'done'",
            )?
            .execute(params![
                db.tenant,
                lane,
                effect.task,
                effect.ordinal,
                execution,
                effect.step,
                effect.kind,
                &effect.request.0[..],
                effect.key,
                effect.status.as_str(),
                stored.inline,
                stored.blob,
                effect.time.0,
            ])?;
        if changed == 0 {
            let done = EffectStatus::Done.as_str();
            return Err(Fault::conflict(format!(
                "effect {} of task `{}` in {} is {done} already",
                effect.ordinal, effect.task, effect.lane
            )));
        }
        Ok(())
    }

    fn interrupt(&mut self, db: Db<'_>, interrupt: &Interrupt) -> Outcome {
        let execution = self.execution_in(db, interrupt.execution, &interrupt.lane)?;
        let lane = self.lane(db, &interrupt.lane)?.number;
        let value = payload(db, &interrupt.value)?;
        let snapshot = optional_payload(db, interrupt.snapshot.as_deref())?;
        let answer = interrupt.answer.as_ref();
        let answer_stored = optional_payload(db, answer.map(|(bytes, _)| &**bytes))?;
        execute(
            db,
            "INSERT OR REPLACE INTO interrupts (tenant_id, lane, id, checkpoint, task, execution,
                value, value_blob, snapshot, snapshot_blob, time, answer, answer_blob, answered_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                db.tenant,
                lane,
                interrupt.id,
                uuid_bytes(&interrupt.checkpoint.0),
                interrupt.task,
                execution,
                value.inline,
                value.blob,
                snapshot.inline,
                snapshot.blob,
                interrupt.time.0,
                answer_stored.inline,
                answer_stored.blob,
                answer.map(|(_, time)| time.0),
            ],
        )
    }

    /// The number of an execution, which must work on the lane's thread.
    fn execution_in(&mut self, db: Db<'_>, id: ExecutionId, lane: &Lane) -> Outcome<i64> {
        let execution = self.execution(db, id)?;
        if execution.thread != lane.thread {
            return Err(Fault::conflict(format!("execution {id} does not work on {lane}")));
        }
        Ok(execution.number)
    }

    fn execution(&mut self, db: Db<'_>, id: ExecutionId) -> Outcome<&mut ExecutionState> {
        Ok(match self.executions.entry(id) {
            MapEntry::Occupied(state) => state.into_mut(),
            MapEntry::Vacant(place) => place.insert(load_execution(db, id)?),
        })
    }

    fn lane(&mut self, db: Db<'_>, lane: &Lane) -> Outcome<&mut LaneState> {
        if !self.lanes.contains_key(lane) {
            let state = load_lane(db, lane)?;
            self.lanes.insert(lane.clone(), state);
        }
        Ok(self.lanes.get_mut(lane).expect("it was inserted above"))
    }
}

impl ExecutionState {
    /// Writes the entries that are in no row yet into one.
    fn close_pack(&mut self, db: Db<'_>) -> Outcome {
        let pack = std::mem::take(&mut self.pack);
        if pack.bytes.is_empty() {
            return Ok(());
        }
        execute(
            db,
            "INSERT INTO entries
                (tenant_id, execution, first_sequence, last_sequence, packed, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                db.tenant,
                self.number,
                pack.first_sequence as i64,
                pack.last_sequence as i64,
                encode(&pack.bytes),
                &self.hash.0[..],
            ],
        )
    }
}

fn check_fence(db: Db<'_>, execution: ExecutionId, held: u64) -> Outcome {
    match super::simple::fence(db, execution)? {
        Some(found) if found == held => Ok(()),
        Some(found) => Err(Error::Fenced { execution, held, found }.into()),
        None => Err(Fault::conflict(format!("there is no execution {execution}"))),
    }
}

fn load_execution(db: Db<'_>, id: ExecutionId) -> Outcome<ExecutionState> {
    let found = db
        .prepare_cached("SELECT number, thread FROM executions WHERE tenant_id = ?1 AND id = ?2")?
        .query_row(params![db.tenant, uuid_bytes(&id.0)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, thread)) = found else {
        return Err(Fault::conflict(format!("there is no execution {id}")));
    };
    let end = db
        .prepare_cached(
            "SELECT last_sequence, hash FROM entries WHERE tenant_id = ?1 AND execution = ?2
             ORDER BY last_sequence DESC LIMIT 1",
        )?
        .query_row(params![db.tenant, number], |row| {
            Ok((row.get::<_, i64>(0)? as u64, Hash(row.get(1)?)))
        })
        .optional()?;
    let (sequence, hash) = end.unwrap_or((0, hash::ROOT));
    Ok(ExecutionState { number, thread, sequence, hash, pack: Pack::default() })
}

fn load_lane(db: Db<'_>, lane: &Lane) -> Outcome<LaneState> {
    let found = db
        .prepare_cached(
            "SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2 AND namespace = ?3",
        )?
        .query_row(params![db.tenant, lane.thread, lane.namespace], |row| row.get(0))
        .optional()?;
    let number = match found {
        Some(number) => number,
        None => {
            execute(
                db,
                "INSERT INTO lanes (tenant_id, thread, namespace) VALUES (?1, ?2, ?3)",
                params![db.tenant, lane.thread, lane.namespace],
            )?;
            return Ok(LaneState {
                number: db.last_insert_rowid(),
                tip: None,
                pending: HashSet::new(),
            });
        }
    };
    let pending = db
        .prepare_cached(
            "SELECT DISTINCT checkpoint FROM pending_writes WHERE tenant_id = ?1 AND lane = ?2",
        )?
        .query_map(params![db.tenant, number], |row| {
            Ok(CheckpointId(uuid::Uuid::from_bytes(row.get(0)?)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(LaneState { number, tip: None, pending })
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

impl Stored {
    /// The payload's hash: that of its blob, or computed.
    fn hash(&self, payload: &[u8]) -> Hash {
        self.blob.map_or_else(|| Hash::of(payload), Hash)
    }
}
