//! What starts a run.

use std::sync::Arc;

use crate::checkpoint::Saved;
use crate::effect::Goto;
use crate::graph::Targets;
use crate::hash::{InterruptId, TaskId};
use crate::stream::StreamModes;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<V> {
    /// Take new input: an object of input keys. Tasks that an earlier run left
    /// unfinished are dropped.
    Value(V),
    /// Go on from the checkpoint.
    Continue,
    /// Go on with answers, a state update or targets.
    Command(InputCommand<V>),
    /// Edit the state: one checkpoint for each inner list, no node runs.
    Update(Vec<Vec<StateUpdate<V>>>),
}

/// `Command(resume, update, goto)` as input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputCommand<V> {
    /// Answers.
    pub resume: Option<Resume<V>>,
    /// A state write: fields, in order.
    pub update: Vec<(Arc<str>, V)>,
    /// Where to go.
    pub goto: Vec<Goto<V>>,
}

impl<V> Default for InputCommand<V> {
    fn default() -> Self {
        InputCommand { resume: None, update: Vec::new(), goto: Vec::new() }
    }
}

/// Answers to pending questions.
#[derive(Clone, Debug, PartialEq)]
pub enum Resume<V> {
    /// To the only one that is pending.
    Bare(V),
    /// By id; not all need be answered.
    ById(Vec<(InterruptId, V)>),
}

/// One edit of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct StateUpdate<V> {
    /// What the node is taken to have returned.
    pub values: Option<V>,
    /// The node; absent: the last one that wrote, if that is clear. Special names:
    /// `__end__` without values clears what is next, `__input__` acts as input,
    /// `__copy__` copies the checkpoint.
    pub as_node: Option<Arc<str>>,
    /// The task whose result this is, for the history.
    pub task: Option<TaskId>,
    /// Without a named node: what is next because the last node said so in a command stays
    /// next, though the edit says nothing of it. LangGraph drops it.
    pub keeps_next: bool,
}

/// Where a run starts from.
#[derive(Clone, Debug)]
pub struct Origin<V> {
    /// The checkpoint with its pending records; nothing on an empty thread.
    pub saved: Option<Saved<V>>,
    /// Whether the caller named this checkpoint: then it is replayed, unless answers come with it.
    pub chosen: bool,
    /// Whether the thread has newer checkpoints than the chosen one.
    pub superseded: bool,
}

impl<V> Default for Origin<V> {
    fn default() -> Self {
        Origin { saved: None, chosen: false, superseded: false }
    }
}

impl<V> Origin<V> {
    /// The latest checkpoint of a thread, or none.
    pub fn latest(saved: Option<Saved<V>>) -> Self {
        Origin { saved, chosen: false, superseded: false }
    }

    /// A checkpoint that the caller named.
    pub fn chosen(saved: Saved<V>, superseded: bool) -> Self {
        Origin { saved: Some(saved), chosen: true, superseded }
    }
}

/// What becomes of running tasks when another one of their step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Siblings {
    /// They run to their end and their writes are kept: paid work is not lost.
    #[default]
    Finish,
    /// Those that wait for their turn (see [`RunOptions::max_concurrency`]) run too, as
    /// if all had started at once.
    RunAll,
    /// They are stopped.
    Stop,
}

/// Options of one run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// A number of the thread, part of the ids of messages that have none: two
    /// threads must differ, runs of one thread must not.
    pub thread: u128,
    /// Steps before the run fails, counted from this start.
    pub recursion_limit: u32,
    /// Whether checkpoints are kept. Without, nothing can be resumed.
    pub checkpoints: bool,
    /// Node calls at a time in one graph; absent: no limit.
    pub max_concurrency: Option<usize>,
    /// Which chunks are emitted.
    pub stream: StreamModes,
    /// Whether subgraphs emit theirs too.
    pub stream_subgraphs: bool,
    /// Whether values and updates show all keys of the state, as LangGraph's `stream()`
    /// does, or only those of the output schema, as `invoke()` returns them. Subgraphs
    /// show those of theirs.
    pub stream_all_keys: bool,
    /// Breakpoints in place of the graph's own.
    pub interrupt_before: Option<Targets>,
    /// Breakpoints in place of the graph's own.
    pub interrupt_after: Option<Targets>,
    /// What becomes of siblings of a failed task.
    pub siblings: Siblings,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            thread: 0,
            recursion_limit: 10_007,
            checkpoints: false,
            max_concurrency: None,
            stream: StreamModes::NONE,
            stream_subgraphs: false,
            stream_all_keys: false,
            interrupt_before: None,
            interrupt_after: None,
            siblings: Siblings::default(),
        }
    }
}
