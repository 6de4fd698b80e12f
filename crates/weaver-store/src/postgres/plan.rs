//! From the batches of a group to statements of many rows.
//!
//! A batch is looked at by itself and in order, as if it were alone: what it needs
//! was loaded before (load.rs), what it does is kept in memory until all are
//! looked at. Statements of a stage are sent in the order of its tables, so a
//! record that could not be moved there ends the stage.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use super::load::{ExecutionState, Known, Locked, Tip};
use super::value::Stored;
use crate::batch::{Batch, Record};
use crate::encode::encode;
use crate::hash::{self, CheckpointParts};
use crate::item::path_text;
use crate::pack::{PACK_BYTES_MAX, Pack};
use crate::record::{
    CacheEntry, Checkpoint, Effect, EffectStatus, Entry, Execution, ExecutionChange, Interrupt,
    LeaseChange, PendingWrite, State, WorkflowVersion,
};
use crate::{CheckpointId, Error, ExecutionId, Idempotency, Item, ItemKey, Lane, Result};

/// What the batches of one tenant do, in order.
pub(super) struct Plan<'k, 'a> {
    known: &'k mut Known,
    parents: HashMap<(Lane, CheckpointId), Hash>,
    idle: HashSet<Arc<str>>,
    begun: HashSet<ExecutionId>,
    stages: Vec<Stage<'a>>,
    stage: Stage<'a>,
}

/// What can be written together.
#[derive(Default)]
pub(super) struct Stage<'a> {
    pub(super) blobs: BTreeMap<Hash, Vec<u8>>,
    pub(super) versions: Vec<&'a WorkflowVersion>,
    pub(super) executions: Vec<ExecutionRow<'a>>,
    pub(super) changes: BTreeMap<ExecutionId, ChangeRow<'a>>,
    pub(super) leases: BTreeMap<ExecutionId, &'a LeaseChange>,
    pub(super) packs: Vec<PackRow>,
    open_packs: BTreeMap<ExecutionId, Pack>,
    pub(super) entry_blobs: BTreeSet<(ExecutionId, Hash)>,
    pub(super) drops: Vec<(&'a Lane, CheckpointId)>,
    pub(super) checkpoints: Vec<CheckpointRow<'a>>,
    made: HashSet<(&'a Lane, CheckpointId)>,
    pub(super) pending: Vec<PendingRow<'a>>,
    pub(super) effects: Vec<EffectRow<'a>>,
    effect_places: HashMap<(&'a Lane, &'a str, u32), usize>,
    /// What touches tables of its own, in order.
    pub(super) sides: Vec<Side<'a>>,
    /// A thread that is forgotten at the stage's end.
    pub(super) forgets: Option<&'a str>,
}

pub(super) struct ExecutionRow<'a> {
    pub(super) execution: &'a Execution,
    pub(super) input: Stored,
    pub(super) error: Stored,
}

pub(super) struct ChangeRow<'a> {
    pub(super) change: &'a ExecutionChange,
    pub(super) error: Stored,
    /// What changes of its lease with it.
    pub(super) lease: Option<&'a LeaseChange>,
}

pub(super) struct PackRow {
    pub(super) execution: ExecutionId,
    pub(super) first_sequence: i64,
    pub(super) last_sequence: i64,
    pub(super) packed: Vec<u8>,
    pub(super) hash: Hash,
}

pub(super) struct CheckpointRow<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) state: Stored,
    pub(super) hash: Hash,
}

pub(super) struct PendingRow<'a> {
    pub(super) write: &'a PendingWrite,
    pub(super) payload: Stored,
}

pub(super) struct EffectRow<'a> {
    pub(super) effect: &'a Effect,
    pub(super) result: Stored,
}

/// A record that is written by a statement of its own.
pub(super) enum Side<'a> {
    Interrupt { interrupt: &'a Interrupt, value: Stored, snapshot: Stored, answer: Stored },
    Answer { lane: &'a Lane, id: &'a str, answer: Stored, time: Timestamp },
    Item { item: &'a Item, path: String },
    ForgetItem { key: &'a ItemKey, path: String },
    Cache { entry: &'a CacheEntry, payload: Stored },
    ClearCache,
    Once(&'a Idempotency),
    Pin { execution: ExecutionId, version: Hash },
    Asked { execution: ExecutionId, input: Stored },
}

fn conflict<T>(message: String) -> Result<T> {
    Err(Error::Conflict(message))
}

impl<'k, 'a> Plan<'k, 'a> {
    /// An empty plan of a tenant, on what was loaded for its batches.
    pub(super) fn new(known: &'k mut Known, locked: Locked) -> Self {
        let Locked { parents, idle, .. } = locked;
        let (begun, stages, stage) = (HashSet::new(), Vec::new(), Stage::default());
        Plan { known, parents, idle, begun, stages, stage }
    }

    /// Adds a batch. After an error the whole plan is of no use.
    pub(super) fn batch(&mut self, batch: &'a Batch) -> Result<()> {
        batch.check()?;
        if let (Some(id), Some(held)) = (batch.execution, batch.fence) {
            let found = self.execution(id)?.fence;
            if found != held {
                return Err(Error::Fenced { execution: id, held, found });
            }
        }
        batch.records.iter().try_for_each(|record| self.record(record))
    }

    /// The stages, to be written one after the other.
    pub(super) fn finish(mut self) -> Vec<Stage<'a>> {
        self.end_stage(None);
        self.stages
    }

    fn end_stage(&mut self, forgets: Option<&'a str>) {
        let mut stage = std::mem::take(&mut self.stage);
        for (id, row) in &mut stage.changes {
            row.lease = stage.leases.remove(id);
        }
        for (id, pack) in std::mem::take(&mut stage.open_packs) {
            let hash = self.known.executions.get(&id).map_or(hash::ROOT, |state| state.hash);
            stage.packs.push(PackRow::of(id, pack, hash));
        }
        stage.forgets = forgets;
        self.stages.push(stage);
    }

    fn record(&mut self, record: &'a Record) -> Result<()> {
        match record {
            Record::Entry(entry) => self.entry(entry),
            Record::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
            Record::PendingWrite(write) => self.pending_write(write),
            Record::DropPendingWrites(lane, checkpoint) => {
                self.drop_pending(lane, *checkpoint);
                Ok(())
            }
            Record::Effect(effect) => self.effect(effect),
            Record::Execution(execution) => self.execution_begins(execution),
            Record::ExecutionChange(change) => self.execution_changes(change),
            Record::Lease(change) => self.lease(change),
            Record::Pin(id, version) => {
                self.execution(*id)?;
                self.stage.sides.push(Side::Pin { execution: *id, version: *version });
                Ok(())
            }
            Record::Asked(id, input) => {
                self.execution(*id)?;
                let input = self.stage.stored(input);
                self.stage.sides.push(Side::Asked { execution: *id, input });
                Ok(())
            }
            Record::Version(version) => {
                self.stage.versions.push(version);
                Ok(())
            }
            Record::ForgetThread(thread) => {
                self.forget_thread(thread);
                Ok(())
            }
            Record::ForgetIdleThread { thread, .. } => {
                if self.idle.contains(thread) && !self.is_touched(thread) {
                    self.forget_thread(thread);
                }
                Ok(())
            }
            Record::Interrupt(interrupt) => self.interrupt(interrupt),
            // Behind the stages: see group.rs.
            Record::Work(_) => Ok(()),
            other => self.side(other),
        }
    }

    fn forget_thread(&mut self, thread: &'a str) {
        self.end_stage(Some(thread));
        self.known.forget_thread(thread);
        self.parents.retain(|(lane, _), _| *lane.thread != *thread);
    }

    /// Whether something of this group begins on a thread, or goes on.
    fn is_touched(&self, thread: &str) -> bool {
        let of_thread = |(id, state): (&ExecutionId, &ExecutionState)| {
            (*state.thread == *thread).then_some(*id)
        };
        let mut executions = self.known.executions.iter().filter_map(of_thread);
        executions.any(|id| self.begun.contains(&id) || self.stage.changes.contains_key(&id))
    }

    fn execution(&mut self, id: ExecutionId) -> Result<&mut ExecutionState> {
        match self.known.executions.get_mut(&id) {
            Some(state) => Ok(state),
            None => conflict(format!("there is no execution {id}")),
        }
    }

    fn check_lane(&mut self, id: ExecutionId, lane: &Lane) -> Result<()> {
        if self.execution(id)?.thread != lane.thread {
            return conflict(format!("execution {id} does not work on {lane}"));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &'a Entry) -> Result<()> {
        let id = entry.execution;
        let state = self.execution(id)?;
        if entry.sequence != state.sequence + 1 {
            return conflict(format!(
                "entry {} of execution {id} cannot follow entry {}",
                entry.sequence, state.sequence
            ));
        }
        let payload = Hash::of(&entry.payload);
        state.sequence = entry.sequence;
        state.hash = hash::entry(state.hash, entry, payload);
        let hash = state.hash;
        let in_blob = self.stage.blob(payload, &entry.payload);
        if in_blob {
            self.stage.entry_blobs.insert((id, payload));
        }
        let pack = self.stage.open_packs.entry(id).or_default();
        pack.push(entry, in_blob.then_some(payload));
        if pack.bytes.len() >= PACK_BYTES_MAX {
            let pack = std::mem::take(pack);
            self.stage.open_packs.remove(&id);
            self.stage.packs.push(PackRow::of(id, pack, hash));
        }
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &'a Checkpoint) -> Result<()> {
        let Checkpoint { lane, id, parent, execution, .. } = checkpoint;
        self.check_lane(*execution, lane)?;
        let parent_hash = match parent {
            None => hash::ROOT,
            Some(parent) => match self.parent(lane, *parent, *execution) {
                Some(hash) => hash,
                None => return conflict(format!("there is no checkpoint {parent} in {lane}")),
            },
        };
        if let Some(parent) = parent.filter(|_| checkpoint.settles_parent) {
            self.settle(lane, parent);
        }
        let (State::Delta(bytes) | State::Full(bytes)) = &checkpoint.state;
        let state = self.stage.stored(bytes);
        let hash = CheckpointParts::of(checkpoint, state.hash(bytes)).hash(parent_hash);
        // Branches may follow it in this group, also when it is no tip any more.
        if self.parents.insert((lane.clone(), *id), hash).is_some() {
            return conflict(format!("checkpoint {id} exists already in {lane}"));
        }
        let tip = Tip { id: *id, execution: *execution, hash };
        self.known.tips.insert(lane.clone(), tip);
        self.stage.made.insert((lane, *id));
        self.stage.checkpoints.push(CheckpointRow { checkpoint, state, hash });
        Ok(())
    }

    fn parent(&self, lane: &Lane, id: CheckpointId, execution: ExecutionId) -> Option<Hash> {
        let tip = self.known.tip(lane, id, execution);
        tip.or_else(|| self.parents.get(&(lane.clone(), id)).copied())
    }

    fn pending_write(&mut self, write: &'a PendingWrite) -> Result<()> {
        let payload = self.stage.stored(&write.payload);
        let same = |row: &&mut PendingRow<'_>| {
            let other = row.write;
            (&other.lane, other.checkpoint, &other.task)
                == (&write.lane, write.checkpoint, &write.task)
        };
        match self.stage.pending.iter_mut().find(same) {
            Some(row) => *row = PendingRow { write, payload },
            None => self.stage.pending.push(PendingRow { write, payload }),
        }
        Ok(())
    }

    fn drop_pending(&mut self, lane: &'a Lane, checkpoint: CheckpointId) {
        let other =
            |row: &PendingRow<'_>| row.write.checkpoint != checkpoint || row.write.lane != *lane;
        self.stage.pending.retain(other);
        self.stage.drops.push((lane, checkpoint));
    }

    /// Nothing is pending any more at a checkpoint that another follows. Of one that this
    /// stage makes, the database has nothing yet.
    fn settle(&mut self, lane: &'a Lane, parent: CheckpointId) {
        self.drop_pending(lane, parent);
        if self.stage.made.contains(&(lane, parent)) {
            self.stage.drops.pop();
        }
    }

    fn effect(&mut self, effect: &'a Effect) -> Result<()> {
        self.check_lane(effect.execution, &effect.lane)?;
        let result = self.stage.stored(&effect.result);
        let key = (&effect.lane, &*effect.task, effect.ordinal);
        let place = self.stage.effect_places.get(&key).copied();
        let row = EffectRow { effect, result };
        match place {
            Some(place) if self.stage.effects[place].effect.status == EffectStatus::Done => {
                return conflict(format!(
                    "effect {} of task `{}` in {} is done already",
                    effect.ordinal, effect.task, effect.lane
                ));
            }
            Some(place) => self.stage.effects[place] = row,
            None => {
                self.stage.effect_places.insert(key, self.stage.effects.len());
                self.stage.effects.push(row);
            }
        }
        Ok(())
    }

    fn execution_begins(&mut self, execution: &'a Execution) -> Result<()> {
        let id = execution.id;
        if self.known.executions.contains_key(&id) {
            return conflict(format!("execution {id} exists already"));
        }
        let state = ExecutionState {
            number: None,
            thread: execution.thread.clone(),
            fence: 0,
            sequence: 0,
            hash: hash::ROOT,
        };
        self.known.executions.insert(id, state);
        self.begun.insert(id);
        let input = self.stage.stored(&execution.input);
        let error = self.stage.optional(execution.error.as_deref());
        self.stage.executions.push(ExecutionRow { execution, input, error });
        Ok(())
    }

    fn execution_changes(&mut self, change: &'a ExecutionChange) -> Result<()> {
        self.execution(change.id)?;
        let error = self.stage.optional(change.error.as_deref());
        self.stage.changes.insert(change.id, ChangeRow { change, error, lease: None });
        Ok(())
    }

    fn lease(&mut self, change: &'a LeaseChange) -> Result<()> {
        let state = self.execution(change.execution)?;
        change.check(state.fence)?;
        state.fence = change.lease.fence;
        self.stage.leases.insert(change.execution, change);
        Ok(())
    }

    fn interrupt(&mut self, interrupt: &'a Interrupt) -> Result<()> {
        self.check_lane(interrupt.execution, &interrupt.lane)?;
        let value = self.stage.stored(&interrupt.value);
        let snapshot = self.stage.optional(interrupt.snapshot.as_deref());
        let answer = interrupt.answer.as_ref().map(|(answer, _)| &**answer);
        let answer = self.stage.optional(answer);
        self.stage.sides.push(Side::Interrupt { interrupt, value, snapshot, answer });
        Ok(())
    }

    fn side(&mut self, record: &'a Record) -> Result<()> {
        let side = match record {
            Record::Answer { lane, interrupt, answer, time } => {
                let answer = self.stage.stored(answer);
                Side::Answer { lane, id: interrupt, answer, time: *time }
            }
            Record::Item(item) => Side::Item { item, path: path_text(&item.key.namespace)? },
            Record::ForgetItem(key) => Side::ForgetItem { key, path: path_text(&key.namespace)? },
            Record::Cache(entry) => {
                Side::Cache { entry, payload: self.stage.stored(&entry.payload) }
            }
            Record::ClearCache => Side::ClearCache,
            Record::Idempotency(once) => Side::Once(once),
            _ => unreachable!("`record` keeps all others for itself"),
        };
        self.stage.sides.push(side);
        Ok(())
    }
}

impl Stage<'_> {
    /// Keeps a payload as a blob if it is large enough for one.
    fn blob(&mut self, hash: Hash, bytes: &[u8]) -> bool {
        let in_blob = bytes.len() >= crate::BLOB_BYTES_MIN;
        if in_blob {
            self.blobs.entry(hash).or_insert_with(|| encode(bytes));
        }
        in_blob
    }

    fn stored(&mut self, bytes: &[u8]) -> Stored {
        let stored = Stored::of(bytes);
        if let Some(hash) = stored.blob {
            self.blob(hash, bytes);
        }
        stored
    }

    fn optional(&mut self, bytes: Option<&[u8]>) -> Stored {
        bytes.map_or(Stored::NONE, |bytes| self.stored(bytes))
    }
}

impl PackRow {
    fn of(execution: ExecutionId, pack: Pack, hash: Hash) -> Self {
        PackRow {
            execution,
            first_sequence: pack.first_sequence as i64,
            last_sequence: pack.last_sequence as i64,
            packed: encode(&pack.bytes),
            hash,
        }
    }
}
