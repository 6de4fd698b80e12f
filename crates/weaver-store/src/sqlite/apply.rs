//! From records to rows.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use weaver_core::Hash;

use super::encode::encode;
use super::fault::Fault;
use super::pack::{PACK_BYTES_MAX, Pack};
use super::rows::{Stored, TENANT, blob, execute, optional_payload, payload, uuid_bytes};
use crate::batch::{Batch, Record};
use crate::hash::{self, CheckpointParts};
use crate::item::path_text;
use crate::record::{Checkpoint, Effect, EffectStatus, Entry, Interrupt, PendingWrite, State};
use crate::{BLOB_BYTES_MIN, CheckpointId, ExecutionId, Lane, crash_point};

type Outcome<T = ()> = Result<T, Fault>;

/// Writes records and remembers what the next ones need (ends of logs, last
/// checkpoints), so that the hot path only inserts. What it remembers is true
/// inside the current transaction; after a rollback it must [`Applier::forget`].
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

/// How many executions and lanes are remembered between transactions.
const REMEMBERED_MAX: usize = 4096;

impl Applier {
    /// Writes a batch. Entries and pending writes wait for [`Applier::flush`].
    pub(super) fn apply(&mut self, connection: &Connection, batch: &Batch) -> Outcome {
        for record in &batch.records {
            self.record(connection, record)?;
            crash_point!("between_writes");
        }
        Ok(())
    }

    /// Writes the entries, packed, and the pending writes whose superstep has not
    /// ended in this transaction.
    pub(super) fn flush(&mut self, connection: &Connection) -> Outcome {
        for id in std::mem::take(&mut self.packing) {
            // It may have been forgotten with its thread.
            if let Some(execution) = self.executions.get_mut(&id) {
                execution.close_pack(connection)?;
            }
        }
        for write in std::mem::take(&mut self.pending) {
            let lane = self.lane(connection, &write.lane)?;
            lane.pending.insert(write.checkpoint);
            let lane = lane.number;
            let stored = payload(connection, &write.payload)?;
            execute(
                connection,
                "INSERT OR REPLACE INTO pending_writes VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    TENANT,
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

    /// Forgets everything: the transaction was rolled back.
    pub(super) fn forget(&mut self) {
        *self = Applier::default();
    }

    /// Forgets what is remembered if it is much.
    pub(super) fn trim(&mut self) {
        if self.executions.len() > REMEMBERED_MAX || self.lanes.len() > REMEMBERED_MAX {
            self.forget();
        }
    }

    fn record(&mut self, connection: &Connection, record: &Record) -> Outcome {
        match record {
            Record::Entry(entry) => self.entry(connection, entry),
            Record::Checkpoint(checkpoint) => self.checkpoint(connection, checkpoint),
            Record::PendingWrite(write) => {
                self.pending.push(write.clone());
                Ok(())
            }
            Record::DropPendingWrites(lane, checkpoint) => {
                self.drop_pending(connection, lane, *checkpoint)
            }
            Record::Effect(effect) => self.effect(connection, effect),
            Record::Interrupt(interrupt) => self.interrupt(connection, interrupt),
            Record::Answer { lane, interrupt, answer, time } => {
                let number = self.lane(connection, lane)?.number;
                super::simple::answer(connection, number, lane, interrupt, answer, *time)
            }
            Record::Version(version) => super::simple::version(connection, version),
            Record::Execution(execution) => super::simple::execution(connection, execution),
            Record::ExecutionChange(change) => super::simple::execution_change(connection, change),
            Record::Pin(id, version) => super::simple::pin(connection, *id, *version),
            Record::Item(item) => super::simple::item(connection, item),
            Record::ForgetItem(key) => {
                let path = path_text(&key.namespace)?;
                super::simple::forget_item(connection, &path, &key.key)
            }
            Record::Cache(entry) => super::simple::cache(connection, entry),
            Record::ClearCache => super::simple::clear_cache(connection),
            Record::ForgetThread(thread) => {
                self.pending.retain(|write| write.lane.thread != *thread);
                self.lanes.retain(|lane, _| lane.thread != *thread);
                self.executions.retain(|_, execution| execution.thread != *thread);
                super::simple::forget_thread(connection, thread)
            }
        }
    }

    fn entry(&mut self, connection: &Connection, entry: &Entry) -> Outcome {
        let execution = self.execution(connection, entry.execution)?;
        if entry.sequence != execution.sequence + 1 {
            return Err(Fault::conflict(format!(
                "entry {} of execution {} cannot follow entry {}",
                entry.sequence, entry.execution, execution.sequence
            )));
        }
        let payload = Hash::of(&entry.payload);
        let in_blob = entry.payload.len() >= BLOB_BYTES_MIN;
        if in_blob {
            blob(connection, payload, &entry.payload)?;
            execute(
                connection,
                "INSERT OR IGNORE INTO entry_blobs VALUES (?1, ?2, ?3)",
                params![TENANT, execution.number, &payload.0[..]],
            )?;
        }
        execution.hash = hash::entry(execution.hash, entry, payload);
        execution.sequence = entry.sequence;
        let new = execution.pack.bytes.is_empty();
        execution.pack.push(entry, in_blob.then_some(payload));
        if execution.pack.bytes.len() >= PACK_BYTES_MAX {
            execution.close_pack(connection)?;
        } else if new {
            self.packing.push(entry.execution);
        }
        Ok(())
    }

    fn checkpoint(&mut self, connection: &Connection, checkpoint: &Checkpoint) -> Outcome {
        let execution = self.execution_in(connection, checkpoint.execution, &checkpoint.lane)?;
        let parent = match checkpoint.parent {
            None => None,
            Some(id) => Some(self.parent(connection, &checkpoint.lane, id)?),
        };
        if let Some(id) = checkpoint.parent.filter(|_| checkpoint.settles_parent) {
            self.drop_pending(connection, &checkpoint.lane, id)?;
        }
        let (State::Delta(state) | State::Full(state)) = &checkpoint.state;
        let stored = payload(connection, state)?;
        let parts = CheckpointParts::of(checkpoint, stored.hash(state));
        let hash = parts.hash(parent.map_or(hash::ROOT, |(_, hash)| hash));
        let lane = self.lane(connection, &checkpoint.lane)?;
        execute(
            connection,
            "INSERT INTO checkpoints (tenant_id, lane, id, parent, step, source, execution, time,
                meta, is_full, state, state_blob, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                TENANT,
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
        lane.tip = Some((checkpoint.id, connection.last_insert_rowid(), hash));
        Ok(())
    }

    fn parent(
        &mut self,
        connection: &Connection,
        lane: &Lane,
        id: CheckpointId,
    ) -> Outcome<(i64, Hash)> {
        let state = self.lane(connection, lane)?;
        if let Some((tip, number, hash)) = state.tip
            && tip == id
        {
            return Ok((number, hash));
        }
        let found = connection
            .prepare_cached(
                "SELECT number, hash FROM checkpoints
                 WHERE tenant_id = ?1 AND lane = ?2 AND id = ?3",
            )?
            .query_row(params![TENANT, state.number, uuid_bytes(&id.0)], |row| {
                Ok((row.get(0)?, Hash(row.get(1)?)))
            })
            .optional()?;
        found.ok_or_else(|| Fault::conflict(format!("there is no checkpoint {id} in {lane}")))
    }

    fn drop_pending(
        &mut self,
        connection: &Connection,
        lane: &Lane,
        checkpoint: CheckpointId,
    ) -> Outcome {
        self.pending.retain(|write| write.checkpoint != checkpoint || write.lane != *lane);
        let state = self.lane(connection, lane)?;
        if !state.pending.remove(&checkpoint) {
            return Ok(());
        }
        execute(
            connection,
            "DELETE FROM pending_writes WHERE tenant_id = ?1 AND lane = ?2 AND checkpoint = ?3",
            params![TENANT, state.number, uuid_bytes(&checkpoint.0)],
        )
    }

    fn effect(&mut self, connection: &Connection, effect: &Effect) -> Outcome {
        let execution = self.execution_in(connection, effect.execution, &effect.lane)?;
        let lane = self.lane(connection, &effect.lane)?.number;
        let stored = payload(connection, &effect.result)?;
        let changed = connection
            .prepare_cached(
                "INSERT INTO effects (tenant_id, lane, task, ordinal, execution, step, kind,
                    request, key, status, result, result_blob, time)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                 ON CONFLICT DO UPDATE SET execution = ?5, step = ?6, kind = ?7, request = ?8,
                    key = ?9, status = ?10, result = ?11, result_blob = ?12, time = ?13
                 WHERE status <> 'done'",
            )?
            .execute(params![
                TENANT,
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

    fn interrupt(&mut self, connection: &Connection, interrupt: &Interrupt) -> Outcome {
        let execution = self.execution_in(connection, interrupt.execution, &interrupt.lane)?;
        let lane = self.lane(connection, &interrupt.lane)?.number;
        let value = payload(connection, &interrupt.value)?;
        let snapshot = optional_payload(connection, interrupt.snapshot.as_deref())?;
        let answer = interrupt.answer.as_ref();
        let answer_stored = optional_payload(connection, answer.map(|(bytes, _)| &**bytes))?;
        execute(
            connection,
            "INSERT OR REPLACE INTO interrupts (tenant_id, lane, id, checkpoint, task, execution,
                value, value_blob, snapshot, snapshot_blob, time, answer, answer_blob, answered_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                TENANT,
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
    fn execution_in(
        &mut self,
        connection: &Connection,
        id: ExecutionId,
        lane: &Lane,
    ) -> Outcome<i64> {
        let execution = self.execution(connection, id)?;
        if execution.thread != lane.thread {
            return Err(Fault::conflict(format!("execution {id} does not work on {lane}")));
        }
        Ok(execution.number)
    }

    fn execution(
        &mut self,
        connection: &Connection,
        id: ExecutionId,
    ) -> Outcome<&mut ExecutionState> {
        Ok(match self.executions.entry(id) {
            MapEntry::Occupied(state) => state.into_mut(),
            MapEntry::Vacant(place) => place.insert(load_execution(connection, id)?),
        })
    }

    fn lane(&mut self, connection: &Connection, lane: &Lane) -> Outcome<&mut LaneState> {
        if !self.lanes.contains_key(lane) {
            let state = load_lane(connection, lane)?;
            self.lanes.insert(lane.clone(), state);
        }
        Ok(self.lanes.get_mut(lane).expect("it was inserted above"))
    }
}

impl ExecutionState {
    /// Writes the entries that are in no row yet into one.
    fn close_pack(&mut self, connection: &Connection) -> Outcome {
        let pack = std::mem::take(&mut self.pack);
        if pack.bytes.is_empty() {
            return Ok(());
        }
        execute(
            connection,
            "INSERT INTO entries
                (tenant_id, execution, first_sequence, last_sequence, packed, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                TENANT,
                self.number,
                pack.first_sequence as i64,
                pack.last_sequence as i64,
                encode(&pack.bytes),
                &self.hash.0[..],
            ],
        )
    }
}

fn load_execution(connection: &Connection, id: ExecutionId) -> Outcome<ExecutionState> {
    let found = connection
        .prepare_cached("SELECT number, thread FROM executions WHERE tenant_id = ?1 AND id = ?2")?
        .query_row(params![TENANT, uuid_bytes(&id.0)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, thread)) = found else {
        return Err(Fault::conflict(format!("there is no execution {id}")));
    };
    let end = connection
        .prepare_cached(
            "SELECT last_sequence, hash FROM entries WHERE tenant_id = ?1 AND execution = ?2
             ORDER BY last_sequence DESC LIMIT 1",
        )?
        .query_row(params![TENANT, number], |row| {
            Ok((row.get::<_, i64>(0)? as u64, Hash(row.get(1)?)))
        })
        .optional()?;
    let (sequence, hash) = end.unwrap_or((0, hash::ROOT));
    Ok(ExecutionState { number, thread, sequence, hash, pack: Pack::default() })
}

fn load_lane(connection: &Connection, lane: &Lane) -> Outcome<LaneState> {
    let found = connection
        .prepare_cached(
            "SELECT number FROM lanes WHERE tenant_id = ?1 AND thread = ?2 AND namespace = ?3",
        )?
        .query_row(params![TENANT, lane.thread, lane.namespace], |row| row.get(0))
        .optional()?;
    let number = match found {
        Some(number) => number,
        None => {
            execute(
                connection,
                "INSERT INTO lanes (tenant_id, thread, namespace) VALUES (?1, ?2, ?3)",
                params![TENANT, lane.thread, lane.namespace],
            )?;
            return Ok(LaneState {
                number: connection.last_insert_rowid(),
                tip: None,
                pending: HashSet::new(),
            });
        }
    };
    let pending = connection
        .prepare_cached(
            "SELECT DISTINCT checkpoint FROM pending_writes WHERE tenant_id = ?1 AND lane = ?2",
        )?
        .query_map(params![TENANT, number], |row| {
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
