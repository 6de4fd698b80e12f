//! What records do to the tables.

use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use super::World;
use super::queue::QueueTables;
use super::queue_rows::MemoryRows;
use super::tables::Tables;
use crate::batch::{Batch, Record};
use crate::hash::{self, CheckpointParts};
use crate::item::{Item, path_text};
use crate::query::CheckpointInfo;
use crate::queue::{self, Operation, now_or_never};
use crate::record::{
    Checkpoint, Effect, EffectStatus, Entry, Execution, ExecutionChange, Interrupt, LeaseChange,
    PendingWrite, State,
};
use crate::{
    Cancel, CheckpointId, Clock, Error, ExecutionId, ExecutionStatus, Idempotency, Lane, Lease,
    Result, TenantId,
};

/// Takes one change back.
pub(super) type Undo = Box<dyn FnOnce(&mut Tables) + Send>;

/// Takes one change of the world back.
pub(super) enum WorldUndo {
    Of(TenantId, Undo),
    Queue(Box<dyn FnOnce(&mut QueueTables) + Send>),
}

fn nothing() -> Undo {
    Box::new(|_| {})
}

fn conflict<T>(message: String) -> Result<T> {
    Err(Error::Conflict(message))
}

impl World {
    /// Applies a batch, or nothing of it.
    pub(super) fn apply(&mut self, tenant: TenantId, clock: &Clock, batch: Batch) -> Result<()> {
        batch.check()?;
        if let (Some(execution), Some(held)) = (batch.execution, batch.fence) {
            let found = self.tables(tenant).fence(execution)?;
            if found != held {
                return Err(Error::Fenced { execution, held, found });
            }
        }
        let mut undo = Vec::with_capacity(batch.records.len());
        let result = batch.records.into_iter().try_for_each(|record| {
            if let Record::Work(work) = record {
                let mut rows = MemoryRows { world: self, clock, undo: &mut undo };
                return now_or_never(queue::apply(&mut rows, tenant, &work));
            }
            if let Record::ForgetThread(thread) = &record {
                let mut rows = MemoryRows { world: self, clock, undo: &mut undo };
                now_or_never(queue::forget_thread(&mut rows, tenant, thread))?;
            }
            undo.push(WorldUndo::Of(tenant, self.tables(tenant).record(record)?));
            Ok(())
        });
        self.take_back_unless(&result, undo);
        result
    }

    /// Runs an operation of the queue, or nothing of it.
    pub(super) fn operate<O: Operation>(
        &mut self,
        clock: &Clock,
        operation: &O,
    ) -> Result<O::Output> {
        let mut undo = Vec::new();
        let mut rows = MemoryRows { world: self, clock, undo: &mut undo };
        let result = now_or_never(operation.run(&mut rows));
        self.take_back_unless(&result, undo);
        result
    }

    fn take_back_unless<T>(&mut self, result: &Result<T>, undo: Vec<WorldUndo>) {
        if result.is_err() {
            undo.into_iter().rev().for_each(|undo| match undo {
                WorldUndo::Of(tenant, undo) => undo(self.tables(tenant)),
                WorldUndo::Queue(undo) => undo(&mut self.queue),
            });
            self.queue.wake = false;
        }
    }

    pub(super) fn tables(&mut self, tenant: TenantId) -> &mut Tables {
        &mut self.tenants.entry(tenant).or_default().tables
    }
}

impl Tables {
    fn record(&mut self, record: Record) -> Result<Undo> {
        Ok(match record {
            Record::Version(version) => {
                let hash = version.hash;
                let new = !self.versions.contains_key(&hash);
                self.versions.entry(hash).or_insert(version);
                if new { Box::new(move |t| drop(t.versions.remove(&hash))) } else { nothing() }
            }
            Record::Execution(execution) => self.execution_begins(execution)?,
            Record::ExecutionChange(change) => self.execution_changes(change)?,
            Record::Pin(id, version) => self.change(id, |it| it.version = Some(version))?,
            Record::Asked(id, input) => self.change(id, |it| it.input = input)?,
            Record::Lease(change) => self.lease(change)?,
            Record::Entry(entry) => self.entry(entry)?,
            Record::Checkpoint(checkpoint) => self.new_checkpoint(checkpoint)?,
            Record::PendingWrite(write) => self.pending_write(write),
            Record::DropPendingWrites(lane, checkpoint) => self.drop_pending(lane, checkpoint),
            Record::Effect(effect) => self.effect(effect)?,
            Record::Interrupt(interrupt) => self.interrupt(interrupt)?,
            Record::Answer { lane, interrupt, answer, time } => {
                self.answer(&lane, &interrupt, answer, time)?
            }
            Record::Item(item) => self.item(item)?,
            Record::ForgetItem(key) => {
                path_text(&key.namespace)?;
                match self.items.remove(&key) {
                    Some(old) => Box::new(move |t| drop(t.items.insert(key, old))),
                    None => nothing(),
                }
            }
            Record::Cache(entry) => {
                let key = entry.key;
                match self.cache.insert(key, entry) {
                    Some(old) => Box::new(move |t| drop(t.cache.insert(key, old))),
                    None => Box::new(move |t| drop(t.cache.remove(&key))),
                }
            }
            Record::ClearCache => {
                let old = std::mem::take(&mut self.cache);
                Box::new(move |t| t.cache = old)
            }
            Record::ForgetThread(thread) => self.forget_thread(&thread),
            Record::ForgetIdleThread { thread, before } => match self.is_idle(&thread, before) {
                true => self.forget_thread(&thread),
                false => nothing(),
            },
            Record::Idempotency(once) => self.once(once)?,
            Record::Work(_) => unreachable!("the queue is the world's"),
        })
    }

    fn once(&mut self, once: Idempotency) -> Result<Undo> {
        let key = once.key.clone();
        if self.idempotency.contains_key(&key) {
            return conflict(format!("the key `{}` was used before", key.key));
        }
        self.idempotency.insert(key.clone(), once);
        Ok(Box::new(move |t| drop(t.idempotency.remove(&key))))
    }

    /// Ends an execution as cancelled, with a last line in its log.
    pub(super) fn cancel(&mut self, id: ExecutionId, cancel: &Cancel) -> Result<Vec<Undo>> {
        let Some(execution) = self.executions.get(&id) else { return Ok(Vec::new()) };
        let change = ExecutionChange {
            id,
            status: ExecutionStatus::Cancelled,
            ended: Some(cancel.time),
            error: None,
            totals: execution.totals,
        };
        let lease = Lease { fence: self.fence(id)? + 1, ..Lease::default() };
        let entry = cancel.entry(id, self.head(id).sequence + 1);
        Ok(vec![
            self.execution_changes(change)?,
            self.lease(LeaseChange { execution: id, lease })?,
            self.entry(entry)?,
        ])
    }

    /// How an execution stands, unless it has ended.
    pub(super) fn set_status(&mut self, id: ExecutionId, status: ExecutionStatus) -> Result<Undo> {
        let Some(old) = self.executions.get(&id).filter(|old| !old.status.is_end()) else {
            return Ok(nothing());
        };
        let change = ExecutionChange {
            id,
            status,
            ended: None,
            error: old.error.clone(),
            totals: old.totals,
        };
        self.execution_changes(change)
    }

    pub(super) fn set_fence(&mut self, execution: ExecutionId, fence: u64) -> Result<Undo> {
        self.lease(LeaseChange { execution, lease: Lease { fence, ..Lease::default() } })
    }

    fn execution_begins(&mut self, execution: Execution) -> Result<Undo> {
        let id = execution.id;
        if self.executions.contains_key(&id) {
            return conflict(format!("execution {id} exists already"));
        }
        self.executions.insert(id, execution);
        self.execution_order.push(id);
        Ok(Box::new(move |t| {
            t.executions.remove(&id);
            t.execution_order.pop();
        }))
    }

    fn execution_changes(&mut self, change: ExecutionChange) -> Result<Undo> {
        let Some(execution) = self.executions.get_mut(&change.id) else {
            return conflict(format!("there is no execution {}", change.id));
        };
        let old = execution.clone();
        execution.status = change.status;
        execution.ended = change.ended;
        execution.error = change.error;
        execution.totals = change.totals;
        Ok(Box::new(move |t| drop(t.executions.insert(old.id, old))))
    }

    fn change(&mut self, id: ExecutionId, change: impl FnOnce(&mut Execution)) -> Result<Undo> {
        let Some(execution) = self.executions.get_mut(&id) else {
            return conflict(format!("there is no execution {id}"));
        };
        let old = execution.clone();
        change(execution);
        Ok(Box::new(move |t| drop(t.executions.insert(old.id, old))))
    }

    pub(super) fn fence(&self, id: ExecutionId) -> Result<u64> {
        self.thread_of(id)?;
        Ok(self.leases.get(&id).map_or(0, |lease| lease.fence))
    }

    fn lease(&mut self, change: LeaseChange) -> Result<Undo> {
        let id = change.execution;
        change.check(self.fence(id)?)?;
        let old = self.leases.insert(id, change.lease);
        Ok(Box::new(move |t| match old {
            Some(old) => drop(t.leases.insert(id, old)),
            None => drop(t.leases.remove(&id)),
        }))
    }

    fn thread_of(&self, id: ExecutionId) -> Result<&Arc<str>> {
        match self.executions.get(&id) {
            Some(execution) => Ok(&execution.thread),
            None => conflict(format!("there is no execution {id}")),
        }
    }

    fn check_lane(&self, execution: ExecutionId, lane: &Lane) -> Result<()> {
        if *self.thread_of(execution)? != lane.thread {
            return conflict(format!("execution {execution} does not work on {lane}"));
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<Undo> {
        let id = entry.execution;
        self.thread_of(id)?;
        let head = self.head(id);
        if entry.sequence != head.sequence + 1 {
            return conflict(format!(
                "entry {} of execution {id} cannot follow entry {}",
                entry.sequence, head.sequence
            ));
        }
        let hash = hash::entry(head.hash, &entry, Hash::of(&entry.payload));
        self.entries.entry(id).or_default().push((entry, hash));
        Ok(Box::new(move |t| {
            t.entries.get_mut(&id).and_then(Vec::pop);
        }))
    }

    fn new_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<Undo> {
        let Checkpoint { lane, id, parent, .. } = &checkpoint;
        self.check_lane(checkpoint.execution, lane)?;
        let parent_hash = match parent {
            None => hash::ROOT,
            Some(parent) => match self.stored(lane, Some(*parent)) {
                Some((info, _)) => info.hash,
                None => return conflict(format!("there is no checkpoint {parent} in {lane}")),
            },
        };
        if self.stored(lane, Some(*id)).is_some() {
            return conflict(format!("checkpoint {id} exists already in {lane}"));
        }
        let (State::Delta(state) | State::Full(state)) = &checkpoint.state;
        let hash = CheckpointParts::of(&checkpoint, Hash::of(state)).hash(parent_hash);
        let (lane, parent) = (lane.clone(), *parent);
        let settled = match parent.filter(|_| checkpoint.settles_parent) {
            Some(parent) => self.drop_pending(lane.clone(), parent),
            None => nothing(),
        };
        let info = CheckpointInfo {
            lane: lane.clone(),
            id: checkpoint.id,
            parent,
            step: checkpoint.step,
            source: checkpoint.source,
            execution: checkpoint.execution,
            time: checkpoint.time,
            meta: checkpoint.meta,
            hash,
        };
        let table = self.lanes.entry(lane.clone()).or_default();
        table.positions.insert(checkpoint.id, table.checkpoints.len());
        table.checkpoints.push((info, checkpoint.state));
        if table.checkpoints.len() == 1 {
            self.lane_order.push(lane.clone());
        }
        Ok(Box::new(move |t| {
            let table = t.lanes.get_mut(&lane).expect("the lane was filled");
            table.checkpoints.pop();
            table.positions.remove(&checkpoint.id);
            if table.checkpoints.is_empty() {
                t.lane_order.pop();
            }
            settled(t);
        }))
    }

    fn pending_write(&mut self, write: PendingWrite) -> Undo {
        let key = (write.lane.clone(), write.checkpoint);
        let task = write.task.clone();
        let old = self.pending.entry(key.clone()).or_default().insert(task.clone(), write);
        Box::new(move |t| {
            let writes = t.pending.entry(key).or_default();
            match old {
                Some(old) => drop(writes.insert(task, old)),
                None => drop(writes.remove(&task)),
            }
        })
    }

    fn drop_pending(&mut self, lane: Lane, checkpoint: CheckpointId) -> Undo {
        let key = (lane, checkpoint);
        match self.pending.remove(&key) {
            Some(old) => Box::new(move |t| drop(t.pending.insert(key, old))),
            None => nothing(),
        }
    }

    fn effect(&mut self, effect: Effect) -> Result<Undo> {
        self.check_lane(effect.execution, &effect.lane)?;
        let key = (effect.lane.clone(), effect.task.clone(), effect.ordinal);
        let order = match self.effects.get(&key) {
            Some((_, old)) if old.status == EffectStatus::Done => {
                return conflict(format!(
                    "effect {} of task `{}` in {} is done already",
                    effect.ordinal, effect.task, effect.lane
                ));
            }
            Some((order, _)) => *order,
            None => {
                self.effect_count += 1;
                self.effect_count
            }
        };
        let old = self.effects.insert(key.clone(), (order, effect));
        Ok(Box::new(move |t| match old {
            Some(old) => drop(t.effects.insert(key, old)),
            None => drop(t.effects.remove(&key)),
        }))
    }

    fn interrupt(&mut self, interrupt: Interrupt) -> Result<Undo> {
        self.check_lane(interrupt.execution, &interrupt.lane)?;
        let same = |other: &Interrupt| other.lane == interrupt.lane && other.id == interrupt.id;
        let position = self.interrupts.iter().position(same);
        let old = position.map(|position| (position, self.interrupts.remove(position)));
        self.interrupts.push(interrupt);
        Ok(Box::new(move |t| {
            t.interrupts.pop();
            if let Some((position, old)) = old {
                t.interrupts.insert(position, old);
            }
        }))
    }

    fn answer(&mut self, lane: &Lane, id: &str, answer: Vec<u8>, time: Timestamp) -> Result<Undo> {
        let open =
            |other: &Interrupt| other.lane == *lane && &*other.id == id && other.answer.is_none();
        let Some(position) = self.interrupts.iter().position(open) else {
            return conflict(format!("nothing waits under `{id}` in {lane}, or it has its answer"));
        };
        self.interrupts[position].answer = Some((answer, time));
        Ok(Box::new(move |t| t.interrupts[position].answer = None))
    }

    fn item(&mut self, mut item: Item) -> Result<Undo> {
        path_text(&item.key.namespace)?;
        let key = item.key.clone();
        let old = self.items.remove(&key);
        if let Some(old) = &old {
            item.created = old.created;
        }
        self.items.insert(key.clone(), item);
        Ok(Box::new(move |t| match old {
            Some(old) => drop(t.items.insert(key, old)),
            None => drop(t.items.remove(&key)),
        }))
    }

    fn forget_thread(&mut self, thread: &str) -> Undo {
        let before = self.clone();
        let other = |lane: &Lane| &*lane.thread != thread;
        self.lanes.retain(|lane, _| other(lane));
        self.lane_order.retain(other);
        self.pending.retain(|(lane, _), _| other(lane));
        self.effects.retain(|(lane, ..), _| other(lane));
        self.interrupts.retain(|interrupt| other(&interrupt.lane));
        self.executions.retain(|_, execution| &*execution.thread != thread);
        let executions = &self.executions;
        self.execution_order.retain(|id| executions.contains_key(id));
        self.leases.retain(|id, _| executions.contains_key(id));
        self.entries.retain(|id, _| executions.contains_key(id));
        Box::new(move |t| *t = before)
    }
}
