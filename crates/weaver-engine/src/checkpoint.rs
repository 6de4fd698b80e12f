//! What is saved: [`Commit`]s and the [`CheckpointState`] they add up to.
//!
//! These types are the checkpoint format. `format` counts its versions; fields
//! are only ever added, with a default. Channels and nodes are saved by name,
//! so a graph that gained or lost some still reads its old threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weaver_core::{Failure, Timestamp};

use crate::effect::{Interrupt, SendTo};
use crate::hash::{CheckpointId, InterruptId, TaskId};
use crate::value::StateValue;
use crate::wrote::{self, Fields, Wrote};

/// The version of the checkpoint format that this crate writes.
pub const FORMAT: u16 = 1;

/// What made a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// New input was taken.
    Input,
    /// A superstep ended.
    Loop,
    /// State was edited from outside.
    Update,
    /// A copy of an older checkpoint, from which a new branch goes on.
    Fork,
}

/// A checkpoint as a delta on its parent (or on nothing).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit<V> {
    /// [`FORMAT`] when it was written.
    pub format: u16,
    /// Path of the (sub)graph: empty at the root, `node:task` joined by `|` below.
    pub namespace: Arc<str>,
    /// Its id.
    pub id: CheckpointId,
    /// The checkpoint it builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CheckpointId>,
    /// The step that it ends: −1 for input, 0 for the entry, 1 for the first nodes.
    pub step: i64,
    /// What made it.
    pub source: Source,
    /// When it was taken.
    pub time: Timestamp,
    /// For a subgraph: the checkpoint that each enclosing namespace stood at,
    /// outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<(Arc<str>, CheckpointId)>,
    /// The highest channel version.
    pub version: u64,
    /// Channels that changed, by channel id order of the graph.
    pub changes: Vec<ChannelChange<V>>,
    /// Versions that nodes have now seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// The version up to which static interrupts have been passed, if it moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_seen: Option<u64>,
    /// All pending sends, if they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<Vec<SendTo<V>>>,
    /// Subgraphs with their own memory that ran: their namespace and newest checkpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<(Arc<str>, CheckpointId)>,
    /// The tasks of the next superstep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<TaskRef>,
    /// What the tasks of the parent's [`Commit::next`] wrote to state, in that
    /// order; nothing for one that did not end itself. For the history only.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub wrote: Vec<Option<Vec<Wrote<V>>>>,
}

/// One channel that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelChange<V> {
    /// The channel: a state key, or a control channel such as `branch:to:node`.
    pub channel: Arc<str>,
    /// Its new version.
    pub version: u64,
    /// What happened to it.
    pub change: Change<V>,
}

/// What happened to a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<V> {
    /// It holds this now.
    Set(Stored<V>),
    /// These items were appended to its list; a channel without a value starts empty.
    Append(Vec<V>),
    /// It is empty now.
    Clear,
}

/// What a channel holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored<V> {
    /// A state value.
    Value(V),
    /// A node is to run; a deferred node only once the flag is set.
    Signal {
        /// Whether everything else has ended.
        #[serde(default)]
        finished: bool,
    },
    /// The sources of a join that have ended.
    Names {
        /// Their names, sorted.
        names: Vec<Arc<str>>,
        /// Whether everything else has ended (deferred nodes only).
        #[serde(default)]
        finished: bool,
    },
}

/// The versions of its triggers that a node has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The node.
    pub node: Arc<str>,
    /// Channel and version.
    pub versions: Vec<(Arc<str>, u64)>,
}

/// Names a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// Its id.
    pub id: TaskId,
    /// Its node.
    pub node: Arc<str>,
    /// How it came about.
    pub path: TaskPath,
}

/// How a task came about; tasks are applied in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskPath {
    /// By an edge. Ordered by node name; the number is the node's rank.
    Pull(u32),
    /// By the error handler of the task above.
    PullHandler(u32),
    /// By the n-th pending send.
    Push(u32),
    /// By the error handler of the n-th pending send.
    PushHandler(u32),
    /// By the n-th update from outside.
    Update(u32),
}

impl TaskPath {
    /// Whether a send made it.
    pub fn is_push(self) -> bool {
        matches!(self, TaskPath::Push(_) | TaskPath::PushHandler(_))
    }

    /// A number for ids. The rank of a node changes when others are added, so it
    /// is left out: ids hold the node's name anyway.
    pub(crate) fn number(self) -> u64 {
        match self.rank() {
            (0, _, handler) => u64::from(handler) << 32,
            (kind, index, handler) => {
                u64::from(kind) << 40 | u64::from(handler) << 32 | u64::from(index)
            }
        }
    }

    /// The order in which writes are applied: edges by node name, then sends
    /// by index, each followed by its error handler.
    pub(crate) fn rank(self) -> (u8, u32, u8) {
        match self {
            TaskPath::Pull(n) => (0, n, 0),
            TaskPath::PullHandler(n) => (0, n, 1),
            TaskPath::Push(n) => (1, n, 0),
            TaskPath::PushHandler(n) => (1, n, 1),
            TaskPath::Update(n) => (2, n, 0),
        }
    }
}

/// The whole state of one namespace at one checkpoint, free of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState<V> {
    /// [`FORMAT`] when it was written.
    pub format: u16,
    /// See [`Commit::namespace`].
    pub namespace: Arc<str>,
    /// See [`Commit::id`].
    pub id: CheckpointId,
    /// See [`Commit::parent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CheckpointId>,
    /// See [`Commit::step`].
    pub step: i64,
    /// See [`Commit::source`].
    pub source: Source,
    /// See [`Commit::time`].
    pub time: Timestamp,
    /// See [`Commit::parents`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<(Arc<str>, CheckpointId)>,
    /// See [`Commit::version`].
    pub version: u64,
    /// Every channel that was ever written, by name.
    pub channels: BTreeMap<Arc<str>, ChannelState<V>>,
    /// Versions seen, by node and channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    /// See [`Commit::interrupt_seen`].
    #[serde(default)]
    pub interrupt_seen: u64,
    /// Pending sends.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<SendTo<V>>,
    /// The newest checkpoint of each subgraph with its own memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<Arc<str>, CheckpointId>,
    /// See [`Commit::next`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<TaskRef>,
    /// See [`Commit::wrote`].
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub wrote: Vec<Option<Fields<V>>>,
}

/// A channel in a [`CheckpointState`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelState<V> {
    /// The version of its last change.
    pub version: u64,
    /// What it holds; nothing when it is empty.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored<V>>,
}

fn none<V>() -> Option<Stored<V>> {
    None
}

impl<V: StateValue> CheckpointState<V> {
    /// The state after a first commit, one without a parent.
    pub fn from_first(commit: &Commit<V>) -> Self {
        let mut state = CheckpointState {
            format: commit.format,
            namespace: commit.namespace.clone(),
            id: commit.id,
            parent: commit.parent,
            step: commit.step,
            source: commit.source,
            time: commit.time,
            parents: Vec::new(),
            version: 0,
            channels: BTreeMap::new(),
            seen: BTreeMap::new(),
            interrupt_seen: 0,
            sends: Vec::new(),
            children: BTreeMap::new(),
            next: Vec::new(),
            wrote: Vec::new(),
        };
        state.apply(commit);
        state
    }

    /// Rebuilds from commits, oldest first; nothing for none.
    pub fn rebuild<'a>(commits: impl IntoIterator<Item = &'a Commit<V>>) -> Option<Self> {
        let mut commits = commits.into_iter();
        let mut state = Self::from_first(commits.next()?);
        commits.for_each(|commit| state.apply(commit));
        Some(state)
    }

    /// Moves on by one commit, which must have this state as its parent.
    pub fn apply(&mut self, commit: &Commit<V>) {
        self.format = commit.format;
        self.id = commit.id;
        self.parent = commit.parent;
        self.step = commit.step;
        self.source = commit.source;
        self.time = commit.time;
        self.parents.clone_from(&commit.parents);
        self.version = commit.version;
        for change in &commit.changes {
            let entry = self
                .channels
                .entry(change.channel.clone())
                .or_insert(ChannelState { version: 0, stored: None });
            entry.version = change.version;
            match &change.change {
                Change::Set(stored) => entry.stored = Some(stored.clone()),
                Change::Append(items) => append(&mut entry.stored, items),
                Change::Clear => entry.stored = None,
            }
        }
        for seen in &commit.seen {
            let versions = self.seen.entry(seen.node.clone()).or_default();
            versions.extend(seen.versions.iter().cloned());
        }
        if let Some(version) = commit.interrupt_seen {
            self.interrupt_seen = version;
        }
        if let Some(sends) = &commit.sends {
            self.sends.clone_from(sends);
        }
        self.children.extend(commit.children.iter().cloned());
        self.next.clone_from(&commit.next);
        self.wrote = wrote::resolve(commit);
    }

    /// The value of a state key.
    pub fn value(&self, key: &str) -> Option<&V> {
        match self.channels.get(key)?.stored.as_ref()? {
            Stored::Value(value) => Some(value),
            _ => None,
        }
    }
}

fn append<V: StateValue>(stored: &mut Option<Stored<V>>, items: &[V]) {
    if let Some(Stored::Value(list)) = stored
        && list.append(items)
    {
        return;
    }
    *stored = Some(Stored::Value(V::from_items(items.to_vec())));
}

/// What a task of an unfinished superstep has come to, or what the run itself
/// was told. Saved on top of a checkpoint; a later record of the same
/// [`PendingRecord::slot`] replaces the earlier one; all are void once a child
/// checkpoint is committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly all records are tasks")]
pub enum PendingRecord<V> {
    /// A task.
    Task(TaskRecord<V>),
    /// The `Command` that continued the run.
    Command(CommandRecord<V>),
}

impl<V> PendingRecord<V> {
    /// What a later record replaces: the task, or nothing for the command.
    pub fn slot(&self) -> Option<TaskId> {
        match self {
            PendingRecord::Task(record) => Some(record.task.id),
            PendingRecord::Command(_) => None,
        }
    }
}

/// What a task has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord<V> {
    /// Which task.
    pub task: TaskRef,
    /// Its writes, once it has finished.
    #[serde(default = "no_writes", skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<SavedWrite<V>>>,
    /// Answers to its questions so far, in order.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<V>,
    /// How many of them had come when each of its branches that ask first asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branch_answers: Vec<usize>,
    /// The questions it waits on.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt<V>>,
    /// The questions that it has had answered, for the history.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Interrupt<V>>,
    /// Why it failed, its retries spent; of a finished task, why it failed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Subgraphs with their own memory that it ran, see [`Commit::children`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<(Arc<str>, CheckpointId)>,
}

fn no_writes<V>() -> Option<Vec<SavedWrite<V>>> {
    None
}

/// What `Command(update, goto, resume)` as input left to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRecord<V> {
    /// Its state writes and targets.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<SavedWrite<V>>,
    /// Answers by question.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<(InterruptId, V)>,
    /// Whose question a bare answer among them is for: the asking task's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lone: Option<(Arc<str>, InterruptId)>,
    /// An answer for whichever question comes first.
    #[serde(default = "no_value", skip_serializing_if = "Option::is_none")]
    pub bare: Option<V>,
}

fn no_value<V>() -> Option<V> {
    None
}

/// One write of a task, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedWrite<V> {
    /// To a state key.
    State(Arc<str>, V),
    /// Go to a node.
    Goto(Arc<str>),
    /// To the join of this channel name, from this source.
    Join(Arc<str>, Arc<str>),
    /// One more task.
    Send(SendTo<V>),
}

/// A checkpoint with its pending records, as the host loads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved<V> {
    /// The state.
    pub state: CheckpointState<V>,
    /// The latest record of each slot, in the order in which they were first saved.
    #[serde(default = "Vec::new")]
    pub pending: Vec<PendingRecord<V>>,
}

impl<V> Saved<V> {
    /// Adds a record, in place of an earlier one of the same slot.
    pub fn record(&mut self, record: PendingRecord<V>) {
        match self.pending.iter_mut().find(|old| old.slot() == record.slot()) {
            Some(old) => *old = record,
            None => self.pending.push(record),
        }
    }
}

impl<V> Default for CommandRecord<V> {
    fn default() -> Self {
        CommandRecord { writes: Vec::new(), answers: Vec::new(), lone: None, bare: None }
    }
}
