//! What is kept, as plain data. Reading gives back what was written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weaver_core::event::Usage;
use weaver_core::{Hash, Timestamp};

use crate::{CheckpointId, ExecutionId, Lane};

/// The source that executions are pinned to. The same hash may be written again:
/// the first stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowVersion {
    /// Hash of the source (chosen by the writer; the store only compares).
    pub hash: Hash,
    /// The file as the user named it.
    pub file: String,
    /// The source text.
    pub source: String,
    /// When it was first seen.
    pub created: Timestamp,
}

/// How an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Accepted; nobody works on it yet.
    Queued,
    /// At work, or its process died.
    Running,
    /// Waits for a person, a timer or a decision.
    Waiting,
    /// Somebody stopped it for a while.
    Paused,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Was stopped.
    Cancelled,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [Self; 7] = {
        use ExecutionStatus::*;
        [Queued, Running, Waiting, Paused, Completed, Failed, Cancelled]
    };

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionStatus::Queued => "queued",
            ExecutionStatus::Running => "running",
            ExecutionStatus::Waiting => "waiting",
            ExecutionStatus::Paused => "paused",
            ExecutionStatus::Completed => "completed",
            ExecutionStatus::Failed => "failed",
            ExecutionStatus::Cancelled => "cancelled",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether it is over.
    pub fn is_end(self) -> bool {
        use ExecutionStatus::*;
        matches!(self, Completed | Failed | Cancelled)
    }
}

/// Sums over one execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tokens by bucket.
    pub usage: Usage,
    /// Cost in millionths of a US dollar.
    pub cost_micros: u64,
}

/// One execution: what began, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its name.
    pub id: ExecutionId,
    /// The execution that started it, if one did.
    pub parent: Option<ExecutionId>,
    /// The thread whose state it works on.
    pub thread: Arc<str>,
    /// The name of the workflow that it is of, for lists and limits.
    pub workflow: Option<Arc<str>>,
    /// The version of the source that it is pinned to; nothing for a graph built in code.
    pub version: Option<Hash>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// What it was started with.
    pub input: Vec<u8>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// Why it failed, if it has.
    pub error: Option<Vec<u8>>,
    /// Tokens and money.
    pub totals: Totals,
}

/// A change of an execution: the given fields replace the stored ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionChange {
    /// Which execution.
    pub id: ExecutionId,
    /// How it stands now.
    pub status: ExecutionStatus,
    /// When it ended; `None` also takes an earlier end away (it goes on).
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Vec<u8>>,
    /// The sums so far.
    pub totals: Totals,
}

/// Who drives an execution. `default()` for nobody, ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The holder; nobody when it is free.
    pub owner: Option<Arc<str>>,
    /// From when on another may take it.
    pub until: Option<Timestamp>,
    /// Which holder this is: one more with each taking, and never less. A batch
    /// with another fence ([`crate::Batch::fence`]) is refused.
    pub fence: u64,
}

/// An execution is taken (a fence one above the stored one), or kept or let go by
/// its holder (the stored fence). An older fence is refused with
/// [`crate::Error::Fenced`], a newer one is a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseChange {
    /// Which execution.
    pub execution: ExecutionId,
    /// How it is held from now on.
    pub lease: Lease,
}

impl LeaseChange {
    /// Whether the change may follow a stored fence.
    pub(crate) fn check(&self, found: u64) -> crate::Result<()> {
        let (execution, held) = (self.execution, self.lease.fence);
        match held.checked_sub(found) {
            None => Err(crate::Error::Fenced { execution, held, found }),
            Some(0 | 1) => Ok(()),
            Some(_) => Err(crate::Error::Conflict(format!(
                "execution {execution} cannot be taken with fence {held}: its fence is {found}"
            ))),
        }
    }
}

/// One line of an execution's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose log.
    pub execution: ExecutionId,
    /// From 1, without gaps; the store refuses any other than the next.
    pub sequence: u64,
    /// What happened, a short word: `node_enter`.
    pub kind: Arc<str>,
    /// The subgraph's path, empty at the root.
    pub namespace: Arc<str>,
    /// The superstep, where there is one.
    pub step: Option<i64>,
    /// When.
    pub time: Timestamp,
    /// The rest.
    pub payload: Vec<u8>,
}

/// Why a checkpoint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Input was taken.
    Input,
    /// A superstep ended.
    Loop,
    /// Somebody wrote state.
    Update,
    /// Work goes on from an older checkpoint.
    Fork,
}

impl Source {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Input => "input",
            Source::Loop => "loop",
            Source::Update => "update",
            Source::Fork => "fork",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        use Source::*;
        [Input, Loop, Update, Fork].into_iter().find(|s| s.as_str() == word)
    }
}

/// What a checkpoint holds of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// What changed since the parent; without a parent, since nothing.
    Delta(Vec<u8>),
    /// All of it; see [`crate::SnapshotMeter`] for when.
    Full(Vec<u8>),
}

/// A checkpoint to keep. Never changed later; writing an id twice is a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose.
    pub lane: Lane,
    /// Its name, unique in its lane.
    pub id: CheckpointId,
    /// The checkpoint that it follows, in the same lane. Any checkpoint may have
    /// several children.
    pub parent: Option<CheckpointId>,
    /// The superstep.
    pub step: i64,
    /// Why it was made.
    pub source: Source,
    /// Which execution made it.
    pub execution: ExecutionId,
    /// When.
    pub time: Timestamp,
    /// Small things that lists show (next nodes, task names), read without the state.
    pub meta: Vec<u8>,
    /// The state.
    pub state: State,
    /// The pending writes of the parent are part of this state now: they are
    /// dropped, or never written if they are still on their way.
    pub settles_parent: bool,
}

/// What a finished task wrote, kept until its superstep ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// Whose.
    pub lane: Lane,
    /// The checkpoint whose superstep the task belongs to.
    pub checkpoint: CheckpointId,
    /// The task; a second write of the same task replaces the first.
    pub task: Arc<str>,
    /// The task's outcome.
    pub payload: Vec<u8>,
}

/// How a call to the outside stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectStatus {
    /// About to be made: after a crash nobody knows whether it was.
    Intent,
    /// Made; the result is recorded.
    Done,
    /// Made and failed; the error is recorded. May be made again.
    Failed,
}

impl EffectStatus {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            EffectStatus::Intent => "intent",
            EffectStatus::Done => "done",
            EffectStatus::Failed => "failed",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        use EffectStatus::*;
        [Intent, Done, Failed].into_iter().find(|s| s.as_str() == word)
    }
}

/// A call out of a node. Identified by lane, task and ordinal. An intent or a
/// failure may be followed by another record of the same call, which replaces
/// it; a result is final, and a second one is a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Whose.
    pub lane: Lane,
    /// The task, unique in its lane.
    pub task: Arc<str>,
    /// Which call of the task, in its order.
    pub ordinal: u32,
    /// The execution that made the call.
    pub execution: ExecutionId,
    /// The superstep.
    pub step: i64,
    /// What is called: `model`, `tool`, `clock` …
    pub kind: Arc<str>,
    /// Hash of the request, to notice that a node asks something else this time.
    pub request: Hash,
    /// The idempotency key given to the other side.
    pub key: Arc<str>,
    /// How it stands.
    pub status: EffectStatus,
    /// The result or the error; of an intent what is asked.
    pub result: Vec<u8>,
    /// When this was recorded.
    pub time: Timestamp,
}

/// A task that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Whose.
    pub lane: Lane,
    /// Its name, unique in its lane.
    pub id: Arc<str>,
    /// The checkpoint whose superstep waits.
    pub checkpoint: CheckpointId,
    /// The task that waits.
    pub task: Arc<str>,
    /// The execution that asked.
    pub execution: ExecutionId,
    /// What is asked.
    pub value: Vec<u8>,
    /// The suspended function, to go on at the very line.
    pub snapshot: Option<Vec<u8>>,
    /// When it was asked.
    pub time: Timestamp,
    /// The answer and its time, once there is one. The first answer stays.
    pub answer: Option<(Vec<u8>, Timestamp)>,
}

/// What a node gave for some input, to be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// Hash of the node's identity and input.
    pub key: Hash,
    /// What it gave.
    pub payload: Vec<u8>,
    /// From when on it no longer counts; `None` for never.
    pub expires: Option<Timestamp>,
}
