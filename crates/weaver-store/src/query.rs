//! What reading asks and answers.

use std::fmt;
use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::record::{Entry, Execution, ExecutionStatus, Source};
use crate::{CheckpointId, ExecutionId, Lane, SnapshotMeter, WorkInfo, hash};

/// Which executions to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// Only of this thread.
    pub thread: Option<Arc<str>>,
    /// Only of this workflow.
    pub workflow: Option<Arc<str>>,
    /// Only in this state.
    pub status: Option<ExecutionStatus>,
    /// Only such as began (were appended) before this one.
    pub before: Option<ExecutionId>,
    /// At most so many; 0 means 100.
    pub limit: usize,
}

/// One thread in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadInfo {
    /// Its name.
    pub thread: Arc<str>,
    /// How many executions it had.
    pub executions: u64,
    /// The newest of them.
    pub last_execution: ExecutionId,
    /// How that one stands.
    pub status: ExecutionStatus,
    /// When that one began.
    pub started: Timestamp,
}

/// Where an execution's log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence of the last entry, 0 when there is none; the next must be one more.
    pub sequence: u64,
    /// Hash of the last entry, which covers all before it.
    pub hash: Hash,
}

/// How an execution stands in the log: what whoever goes on with it needs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The execution.
    pub execution: Execution,
    /// Where its log ends.
    pub head: Head,
    /// The last appended checkpoint of its thread's root graph, be it this execution's
    /// or an earlier one's.
    pub latest: Option<CheckpointInfo>,
}

impl Standing {
    /// That of an execution which has just been queued, on a thread that nobody used before.
    pub fn of_new(execution: Execution) -> Self {
        let head = Head { sequence: 0, hash: hash::ROOT };
        Standing { execution, head, latest: None }
    }
}

/// An execution as it is shown: what its log begins and ends with tells when it was taken up
/// and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The execution.
    pub execution: Execution,
    /// Its row in the queue, if it has one.
    pub work: Option<WorkInfo>,
    /// The first and the last entry of its log, the same if it has one only.
    pub ends: Option<(Entry, Entry)>,
}

/// A checkpoint without its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Whose.
    pub lane: Lane,
    /// Its name.
    pub id: CheckpointId,
    /// What it follows.
    pub parent: Option<CheckpointId>,
    /// The superstep.
    pub step: i64,
    /// Why it was made.
    pub source: Source,
    /// Which execution made it.
    pub execution: ExecutionId,
    /// When.
    pub time: Timestamp,
    /// The small things that were given with it.
    pub meta: Vec<u8>,
    /// Covers parent, position and state.
    pub hash: Hash,
}

/// What is needed to build the state at a checkpoint: the nearest full state at
/// or above it (nothing if there is none), and the deltas since, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The checkpoint asked for.
    pub checkpoint: CheckpointInfo,
    /// The nearest full state.
    pub full: Option<Vec<u8>>,
    /// What changed since, oldest first.
    pub deltas: Vec<Vec<u8>>,
}

impl Chain {
    /// The meter to go on with from here.
    pub fn meter(&self) -> SnapshotMeter {
        let mut meter = SnapshotMeter::default();
        for delta in &self.deltas {
            meter.add(delta.len());
        }
        meter
    }
}

/// What a garbage collection freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Blobs that nothing named.
    pub blobs: u64,
    /// The bytes that they took in the file.
    pub blob_bytes: u64,
    /// Memories whose time was over.
    pub items: u64,
    /// Cache entries whose time was over.
    pub cache_entries: u64,
}

/// What checking the whole store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Executions whose logs were checked.
    pub executions: u64,
    /// Entries whose hashes were checked.
    pub entries: u64,
    /// Checkpoints whose hashes were checked.
    pub checkpoints: u64,
    /// Blobs whose hashes were checked.
    pub blobs: u64,
    /// What is wrong; empty when all is well.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: an execution, a lane, a blob, the file.
    pub place: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
