//! Stream modes and their chunks.

use std::sync::Arc;

use weaver_core::Failure;

use crate::checkpoint::{Source, TaskPath};
use crate::effect::Interrupt;
use crate::hash::{CheckpointId, TaskId};
use crate::snapshot::TaskSnapshot;

/// Which chunks a run emits. `messages` and `custom` chunks of running nodes
/// come from the host itself; the engine adds messages written to state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamModes(u8);

impl StreamModes {
    /// Nothing.
    pub const NONE: StreamModes = StreamModes(0);
    /// Output state after input and after each step that changed it.
    pub const VALUES: StreamModes = StreamModes(1);
    /// What each task wrote, as it ends.
    pub const UPDATES: StreamModes = StreamModes(2);
    /// Messages written to state.
    pub const MESSAGES: StreamModes = StreamModes(4);
    /// Start and end of tasks.
    pub const TASKS: StreamModes = StreamModes(8);
    /// Checkpoints.
    pub const CHECKPOINTS: StreamModes = StreamModes(16);
    /// Checkpoints and tasks together, with step and time.
    pub const DEBUG: StreamModes = StreamModes(8 | 16);

    /// Both.
    pub const fn and(self, other: StreamModes) -> StreamModes {
        StreamModes(self.0 | other.0)
    }

    /// Whether all of the other's are among these.
    pub const fn has(self, other: StreamModes) -> bool {
        self.0 & other.0 == other.0
    }
}

impl<V> Chunk<V> {
    /// The mode that it belongs to.
    pub fn mode(&self) -> StreamModes {
        match self {
            Chunk::Values { .. } => StreamModes::VALUES,
            Chunk::Update { .. } | Chunk::Interrupts(_) => StreamModes::UPDATES,
            Chunk::Message { .. } => StreamModes::MESSAGES,
            Chunk::TaskStart { .. } | Chunk::TaskEnd { .. } => StreamModes::TASKS,
            Chunk::Checkpoint { .. } => StreamModes::CHECKPOINTS,
        }
    }
}

/// One chunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk<V> {
    /// Mode values: the output keys; with questions, when a task has just asked them.
    Values {
        /// The output keys that have a value.
        values: V,
        /// What a task has just asked.
        interrupts: Vec<Interrupt<V>>,
    },
    /// Mode updates: what one task wrote.
    Update {
        /// The node.
        node: Arc<str>,
        /// One object of output keys; several when it wrote a key twice; none when it wrote nothing.
        updates: Vec<V>,
        /// Taken from a cache or an earlier run instead of running.
        cached: bool,
    },
    /// Mode updates: a task asked these; none at a breakpoint.
    Interrupts(Vec<Interrupt<V>>),
    /// Mode messages: a message that a node wrote to state, once per id.
    Message {
        /// The message.
        message: V,
        /// The node.
        node: Arc<str>,
        /// The step.
        step: i64,
    },
    /// Mode tasks: a task starts.
    TaskStart {
        /// Its id.
        id: TaskId,
        /// Its node.
        node: Arc<str>,
        /// The step.
        step: i64,
        /// Its input.
        input: V,
        /// What triggered it.
        triggers: Arc<[Arc<str>]>,
        /// How it came about.
        path: TaskPath,
    },
    /// Mode tasks: a task ended.
    TaskEnd {
        /// Its id.
        id: TaskId,
        /// Its node.
        node: Arc<str>,
        /// The step.
        step: i64,
        /// What it wrote, by output key.
        result: Vec<(Arc<str>, V)>,
        /// Why it failed.
        error: Option<Box<Failure>>,
        /// What it waits on.
        interrupts: Vec<Interrupt<V>>,
    },
    /// Mode checkpoints: the saved state that a superstep starts from.
    Checkpoint {
        /// Its id.
        id: CheckpointId,
        /// Its parent.
        parent: Option<CheckpointId>,
        /// The step.
        step: i64,
        /// What made it.
        source: Source,
        /// All state keys that have a value.
        values: V,
        /// The tasks that run next, with what they had come to in an earlier run.
        tasks: Vec<TaskSnapshot<V>>,
    },
}
