//! [`Batch`]: what is written together.

use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::item::{Item, ItemKey};
use crate::record::{
    CacheEntry, Checkpoint, Effect, Entry, Execution, ExecutionChange, Interrupt, LeaseChange,
    PendingWrite, State, WorkflowVersion,
};
use crate::{CheckpointId, ExecutionId, Idempotency, Lane, Work};

/// Records that become durable together, in order, or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Whose batch it is. When a batch of an execution fails, the later ones of
    /// that execution fail as well, until [`crate::Backend::recover`]. A batch of
    /// no execution stands alone.
    pub execution: Option<ExecutionId>,
    /// The fence of the batch's writer, if it drives the execution under a lease:
    /// when the execution has another by now, the batch is refused with
    /// [`crate::Error::Fenced`].
    pub fence: Option<u64>,
    /// What to write.
    pub records: Vec<Record>,
}

/// One thing to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Keep a version of a source.
    Version(WorkflowVersion),
    /// An execution begins.
    Execution(Execution),
    /// An execution stands otherwise now.
    ExecutionChange(ExecutionChange),
    /// An execution goes on with this version of its source. Refused for an execution
    /// that does not exist.
    Pin(ExecutionId, Hash),
    /// An execution goes on with this as its [`Execution::input`]. Refused for an execution
    /// that does not exist.
    Asked(ExecutionId, Vec<u8>),
    /// An execution is taken, kept or let go by who drives it.
    Lease(LeaseChange),
    /// A line of an execution's log.
    Entry(Entry),
    /// A checkpoint.
    Checkpoint(Checkpoint),
    /// A task has ended, its superstep has not.
    PendingWrite(PendingWrite),
    /// The unfinished tasks of a checkpoint are dropped (new input came).
    DropPendingWrites(Lane, CheckpointId),
    /// A call to the outside.
    Effect(Effect),
    /// A task waits.
    Interrupt(Interrupt),
    /// A wait ends.
    Answer {
        /// Whose.
        lane: Lane,
        /// [`Interrupt::id`].
        interrupt: Arc<str>,
        /// The answer.
        answer: Vec<u8>,
        /// When it came.
        time: Timestamp,
    },
    /// Put a long-term memory; a second put of the same key keeps `created`.
    Item(Item),
    /// Forget a long-term memory.
    ForgetItem(ItemKey),
    /// Put into the node cache.
    Cache(CacheEntry),
    /// Forget all of the node cache.
    ClearCache,
    /// Forget a thread with everything that belongs to it.
    ForgetThread(Arc<str>),
    /// The same, if all of its executions have ended before a time; nothing otherwise.
    ForgetIdleThread {
        /// Which thread.
        thread: Arc<str>,
        /// The time.
        before: Timestamp,
    },
    /// A change of the queue.
    Work(Work),
    /// The batch takes effect once. First in its batch.
    Idempotency(Idempotency),
}

impl Batch {
    /// A batch of an execution.
    pub fn of(execution: ExecutionId) -> Self {
        Batch { execution: Some(execution), ..Batch::default() }
    }

    /// A batch that belongs to no execution.
    pub fn standalone() -> Self {
        Batch::default()
    }

    /// The same, from a writer that holds the execution with this fence.
    pub fn fenced(mut self, fence: u64) -> Self {
        self.fence = Some(fence);
        self
    }

    /// Adds a record.
    pub fn push(&mut self, record: impl Into<Record>) {
        self.records.push(record.into());
    }

    /// The same with one more record.
    pub fn with(mut self, record: impl Into<Record>) -> Self {
        self.push(record);
        self
    }

    /// Whether there is nothing to write. An empty batch is a barrier: its ticket
    /// resolves when everything appended before is durable.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Refuses names that not every kind of store can keep.
    pub(crate) fn check(&self) -> crate::Result<()> {
        match self.records.iter().flat_map(Record::names).find(|name| name.contains('\0')) {
            None => Ok(()),
            Some(name) => Err(crate::Error::Invalid(format!("{name:?} holds a NUL character"))),
        }
    }

    /// Roughly how many bytes the batch takes in memory.
    pub fn size(&self) -> usize {
        64 + self.records.iter().map(Record::size).sum::<usize>()
    }
}

impl Record {
    /// What the record is found by, and other short texts.
    fn names(&self) -> Vec<&str> {
        match self {
            Record::Execution(execution) => {
                execution.workflow.as_deref().into_iter().chain([&*execution.thread]).collect()
            }
            Record::Work(work) => work.names(),
            Record::Idempotency(Idempotency { key, .. }) => {
                vec![&*key.caller, &*key.route, &*key.key]
            }
            Record::Entry(entry) => vec![&*entry.namespace, &*entry.kind],
            Record::Checkpoint(Checkpoint { lane, .. }) | Record::DropPendingWrites(lane, _) => {
                vec![&*lane.thread, &*lane.namespace]
            }
            Record::PendingWrite(write) => {
                vec![&*write.lane.thread, &*write.lane.namespace, &*write.task]
            }
            Record::Effect(Effect { lane, task, kind, key, .. }) => {
                vec![&*lane.thread, &*lane.namespace, &**task, &**kind, &**key]
            }
            Record::Interrupt(Interrupt { lane, id, task, .. }) => {
                vec![&*lane.thread, &*lane.namespace, &**id, &**task]
            }
            Record::Answer { lane, interrupt, .. } => {
                vec![&*lane.thread, &*lane.namespace, &**interrupt]
            }
            Record::Item(Item { key, .. }) | Record::ForgetItem(key) => {
                key.namespace.iter().map(String::as_str).chain([&*key.key]).collect()
            }
            Record::Lease(change) => change.lease.owner.as_deref().into_iter().collect(),
            Record::ForgetThread(thread) | Record::ForgetIdleThread { thread, .. } => {
                vec![&**thread]
            }
            Record::Version(_)
            | Record::Pin(..)
            | Record::Asked(..)
            | Record::ExecutionChange(_)
            | Record::Cache(_)
            | Record::ClearCache => Vec::new(),
        }
    }

    fn size(&self) -> usize {
        let payload = match self {
            Record::Version(version) => version.source.len(),
            Record::Execution(execution) => execution.input.len(),
            Record::ExecutionChange(change) => change.error.as_ref().map_or(0, Vec::len),
            Record::Entry(entry) => entry.payload.len(),
            Record::Checkpoint(checkpoint) => {
                let (State::Delta(bytes) | State::Full(bytes)) = &checkpoint.state;
                bytes.len() + checkpoint.meta.len()
            }
            Record::PendingWrite(write) => write.payload.len(),
            Record::Effect(effect) => effect.result.len(),
            Record::Interrupt(interrupt) => {
                interrupt.value.len() + interrupt.snapshot.as_ref().map_or(0, Vec::len)
            }
            Record::Answer { answer, .. } => answer.len(),
            Record::Item(item) => item.value.approximate_size(),
            Record::Cache(entry) => entry.payload.len(),
            Record::Asked(_, input) => input.len(),
            Record::Work(Work::Cancel(cancel)) => cancel.payload.len(),
            Record::Idempotency(once) => once.answer.len(),
            Record::Work(_)
            | Record::DropPendingWrites(..)
            | Record::Lease(_)
            | Record::ForgetItem(_)
            | Record::ClearCache
            | Record::Pin(..)
            | Record::ForgetIdleThread { .. }
            | Record::ForgetThread(_) => 0,
        };
        payload + 256
    }
}

macro_rules! record_from {
    ($($variant:ident),* $(,)?) => {$(
        impl From<$variant> for Record {
            fn from(record: $variant) -> Self {
                Record::$variant(record)
            }
        }
    )*};
}

record_from! { Execution, ExecutionChange, Entry, Checkpoint, PendingWrite, Effect, Interrupt, Item, Work, Idempotency }

impl From<WorkflowVersion> for Record {
    fn from(version: WorkflowVersion) -> Self {
        Record::Version(version)
    }
}

impl From<LeaseChange> for Record {
    fn from(change: LeaseChange) -> Self {
        Record::Lease(change)
    }
}

impl From<CacheEntry> for Record {
    fn from(entry: CacheEntry) -> Self {
        Record::Cache(entry)
    }
}
