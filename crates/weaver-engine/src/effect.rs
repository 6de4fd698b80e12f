//! What goes in and out of a [`crate::Run`]: [`Happened`] and [`Effect`].

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weaver_core::Failure;

use crate::checkpoint::{Commit, PendingRecord, Saved, SavedWrite, TaskPath};
use crate::graph::Graph;
use crate::hash::{CheckpointId, Hex, InterruptId, TaskId};
use crate::stream::{Chunk, StreamModes};
use crate::value::StateValue;
use crate::view::CallInput;

/// What the host must do. Effects come in order; [`Effect::Commit`] and
/// [`Effect::SaveWrites`] must become durable in that order, everything else
/// may start at once.
#[derive(Clone, Debug)]
pub enum Effect<V: StateValue> {
    /// Run a function of the user; answer with [`Happened::Returned`].
    Call(Call<V>),
    /// Abandon a running call: its answer is not wanted any more.
    Stop(CallId),
    /// Save a checkpoint.
    Commit(Commit<V>),
    /// Save what a task has come to, on top of a checkpoint.
    SaveWrites(SaveWrites<V>),
    /// Read a subgraph's checkpoint; answer with [`Happened::Loaded`].
    Load(Load),
    /// Look into the cache; answer with [`Happened::Cached`].
    CacheGet {
        /// Returns with the answer.
        id: CallId,
        /// The key.
        key: CacheKey,
    },
    /// Put a finished task's writes into the cache.
    CachePut {
        /// The key.
        key: CacheKey,
        /// How long they may be used; absent: for ever.
        ttl: Option<Duration>,
        /// The writes.
        writes: Vec<SavedWrite<V>>,
    },
    /// A subgraph that a node function invoked has ended.
    Invoked {
        /// The call in which it was invoked.
        call: CallId,
        /// The ordinal that the host gave.
        ordinal: u32,
        /// What came of it. After [`Invoked::Interrupted`] and
        /// [`Invoked::Parent`] the call itself has ended: unwind it.
        result: Invoked<V>,
        /// Its chunks of the modes that were asked for, as `stream()` gives them.
        chunks: Vec<Chunk<V>>,
    },
    /// A failed attempt will be tried again; for the log.
    Retry {
        /// The task, with the attempt that failed.
        task: TaskInfo,
        /// Why.
        failure: Failure,
        /// The pause before the next attempt.
        delay: Duration,
    },
    /// One chunk of a stream mode that was asked for.
    Emit(Emit<V>),
    /// Something a person should know: a write that was dropped, a target that is unknown.
    Notice(Notice),
    /// The run is over; no effect follows.
    Finish(Outcome<V>),
}

/// Names a call within its run. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A function of the user to run.
#[derive(Clone, Debug)]
pub struct Call<V: StateValue> {
    /// Returns with the answer.
    pub id: CallId,
    /// On whose behalf.
    pub task: TaskInfo,
    /// What kind of function.
    pub kind: CallKind,
    /// The function, as the graph's builder named it.
    pub what: Arc<str>,
    /// What it is given.
    pub input: CallInput<V>,
    /// Answers to the function's `interrupt()` calls so far: the k-th call returns
    /// the k-th answer, the next one ends the call with [`Answer::Interrupted`].
    pub answers: Vec<V>,
    /// The name of the input schema, if the node has one: for coercion.
    pub schema: Option<Arc<str>>,
}

/// What kind of function a [`Call`] runs, and so what [`Answer`] it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A node: [`Answer::Node`].
    Node,
    /// An error handler: [`Answer::Node`]; the input is [`CallInput::Failed`].
    ErrorHandler,
    /// A routing function: [`Answer::Routes`].
    Branch,
    /// A reducer, to be folded over all writes of one step: [`Answer::Value`];
    /// the input is [`CallInput::Fold`].
    Reduce,
    /// The key of a cached node for its input: [`Answer::Value`].
    CacheKey,
    /// Whether a failure is retried: [`Answer::Value`], its truth; the input is
    /// [`CallInput::Failed`].
    RetryOn,
}

/// Identifies a task to the host: for events, for idempotency keys, for config.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Namespace of the graph that the task belongs to.
    pub namespace: Arc<str>,
    /// The superstep.
    pub step: i64,
    /// The node.
    pub node: Arc<str>,
    /// The task.
    pub id: TaskId,
    /// How it came about.
    pub path: TaskPath,
    /// Attempts count from 1.
    pub attempt: u32,
}

impl TaskInfo {
    /// The task's own namespace, `node:task`, below that of its graph:
    /// where a subgraph that it runs lives.
    pub fn task_namespace(&self) -> String {
        task_namespace(&self.namespace, &self.node, self.id)
    }
}

pub(crate) fn task_namespace(namespace: &str, node: &str, id: TaskId) -> String {
    let mut below = String::with_capacity(namespace.len() + node.len() + 34);
    below.push_str(namespace);
    if !namespace.is_empty() {
        below.push('|');
    }
    below.push_str(node);
    below.push(':');
    below.push_str(&Hex::of(id.0));
    below
}

/// Which subgraph checkpoint to read: the newest of the namespace whose
/// [`Commit::parents`] end with `under`; if there is none, the checkpoint `at`;
/// if that is absent too, none. So a branch of history sees its own only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Returns with the answer.
    pub id: CallId,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The checkpoint at which the graph above stands.
    pub under: CheckpointId,
    /// What the subgraph came to in an earlier step of the graph above.
    pub at: Option<CheckpointId>,
}

/// What to save on top of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveWrites<V> {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// What to save.
    pub record: PendingRecord<V>,
}

/// Names an entry of the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheKey {
    /// The function and the node.
    pub node: Arc<str>,
    /// Hash of the input, 32 hex digits.
    pub key: String,
}

/// What came of a subgraph that a node function invoked.
#[derive(Clone, Debug)]
pub enum Invoked<V> {
    /// Its output state.
    Done(V),
    /// It failed; the function may handle that.
    Failed(Failure),
    /// It waits; the task waits with it.
    Interrupted(Vec<Interrupt<V>>),
    /// It left to the parent, which takes it up when the call is unwound.
    Parent,
}

/// One chunk of a stream.
#[derive(Clone, Debug)]
pub struct Emit<V> {
    /// Namespace of the graph that it comes from.
    pub namespace: Arc<str>,
    /// The chunk.
    pub chunk: Chunk<V>,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A stable word: `unknown_target`, `unknown_channel`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Whose doing it was.
    pub node: Arc<str>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<V> {
    /// Nothing is left to do.
    Done {
        /// The output keys that have a value.
        output: V,
    },
    /// It waits: for answers, or (if there are no interrupts) at a static breakpoint.
    Interrupted {
        /// Unanswered questions.
        interrupts: Vec<Interrupt<V>>,
        /// The output keys; writes of tasks that have ended in the open step included.
        values: V,
    },
    /// A task failed, or the graph was used wrongly. The last commit stands.
    Failed(Failure),
    /// Stopped between supersteps as asked.
    Drained,
    /// Stopped at once as asked.
    Cancelled,
}

/// A pending question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interrupt<V> {
    /// Its id, by which it is answered.
    pub id: InterruptId,
    /// What was asked.
    pub value: V,
    /// Namespace of the task that asked.
    pub namespace: Arc<str>,
}

/// One more task, `Send(node, arg)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendTo<V> {
    /// The node.
    pub node: Arc<str>,
    /// Its input, as it is.
    pub arg: V,
    /// Limit of one attempt, in place of the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// A target of `Command.goto`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goto<V> {
    /// A node (or the exit, which is no target).
    Node(Arc<str>),
    /// A task with its own input.
    Send(SendTo<V>),
}

/// `Command(update, goto)` of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<V> {
    /// A state write: fields, in order.
    pub update: Vec<(Arc<str>, V)>,
    /// Where to go.
    pub goto: Vec<Goto<V>>,
}

impl<V> Default for Command<V> {
    fn default() -> Self {
        Command { update: Vec::new(), goto: Vec::new() }
    }
}

/// What a node returned, decoded by the host.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeOutput<V> {
    /// `None`: no state write; edges still fire.
    Nothing,
    /// A partial dict or a schema object; anything else is an error.
    Update(V),
    /// The same as fields, for hosts that have them.
    Fields(Vec<(Arc<str>, V)>),
    /// A command; `graph=PARENT` is [`Answer::Parent`] instead.
    Command(Command<V>),
    /// `Send(...)` by itself.
    Send(SendTo<V>),
    /// A list of these, at least one of them a command.
    Many(Vec<NodeOutput<V>>),
}

/// What a routing function returned, one element of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Route<V> {
    /// A node name, or a key of the path map.
    Key(V),
    /// One more task.
    Send(SendTo<V>),
}

/// What came of a [`Call`].
#[derive(Clone, Debug)]
pub enum Answer<V> {
    /// A node or an error handler returned.
    Node(NodeOutput<V>),
    /// A routing function returned.
    Routes(Vec<Route<V>>),
    /// A reducer, cache key or retry predicate returned.
    Value(V),
    /// It failed.
    Failed(Failure),
    /// It reached an `interrupt()` without an answer; usually one.
    Interrupted(Vec<V>),
    /// `Command(graph=PARENT)`.
    Parent(Command<V>),
}

/// What happened, from the host.
#[derive(Clone, Debug)]
pub enum Happened<V: StateValue> {
    /// A call came back. Answers to calls that are over are dropped.
    Returned {
        /// The call.
        id: CallId,
        /// What came of it.
        answer: Answer<V>,
    },
    /// A running call gave a sign of life: its idle limit starts anew.
    Progress(CallId),
    /// A checkpoint was read (or there is none).
    Loaded {
        /// [`Load::id`].
        id: CallId,
        /// The checkpoint.
        saved: Option<Saved<V>>,
    },
    /// The cache was looked into.
    Cached {
        /// The id of [`Effect::CacheGet`].
        id: CallId,
        /// The writes, on a hit.
        writes: Option<Vec<SavedWrite<V>>>,
    },
    /// A running node function invokes a graph; answered by [`Effect::Invoked`].
    Invoke {
        /// The call.
        call: CallId,
        /// How many graphs this call has invoked before.
        ordinal: u32,
        /// The graph.
        graph: Graph<V>,
        /// Its input.
        input: V,
        /// Modes whose chunks come with the answer.
        stream: StreamModes,
    },
    /// Only time has passed: see [`crate::Run::poll_timeout`].
    Timeout,
}
