//! What happens in a run, one event at a time: for the terminal, `--json`,
//! the Studio's stream and the log.

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::value::Value;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A run began. `data`: `{"thread", "input", "file"}`.
    Start,
    /// A node task began. `data`: `{"input", "triggers", "attempt"}`.
    NodeEnter,
    /// A node task ended. `data`: `{"update"}`, `{"goto"}` when a command or send said so, `{"error"}`
    /// when it failed, `{"cached": true, "cost"}` when an earlier run's result was taken, and `{"spared"}`, a
    /// cost too, when it ran and calls of it were answered by an earlier run.
    NodeExit,
    /// A failed attempt will be tried again. `data`: `{"error", "attempt", "delay_ms"}`.
    NodeRetry,
    /// State changed at the end of a superstep. `data`: `{"values": {changed key: value}}`.
    StateUpdate,
    /// A model is asked. `data`: `{"model", "messages"}`.
    LlmRequest,
    /// A piece of an answer; live only, never in the log. `data`: `{"text"}` or `{"tool_call"}`.
    LlmStreamChunk,
    /// A model answered. `data`: `{"model", "message", "stop"}`.
    LlmResponse,
    /// A tool is called. `data`: `{"tool", "args"}`.
    ToolCall,
    /// A tool answered. `data`: `{"tool", "result"}` or `{"tool", "error"}`.
    ToolResult,
    /// What a node wrote to its stream writer. `data`: the value.
    Custom,
    /// A line that a node printed. `data`: `{"text"}`.
    Print,
    /// Something a person should know: an offline model answers, a write was dropped. `data`: `{"code", "message"}`.
    Notice,
    /// Prompt parts were packed into a window.
    ContextBuild,
    /// Long-term memory was written.
    MemoryUpdate,
    /// A checkpoint was handed to the log. `data`: `{"checkpoint", "source", "next"}`.
    CheckpointSave,
    /// A task waits for a person. `data`: `{"id", "value"}`.
    Interrupt,
    /// The run failed. `data`: a `Failure`.
    Error,
    /// The run ended. `data`: `{"status": "completed" | "failed" | "interrupted" | "drained", "values", "duration_ms"}`.
    Done,
}

impl EventKind {
    /// Live only: never written to the log. The log keeps outcomes; what these
    /// say stands in it anyway: state and next nodes in the checkpoints, requests
    /// in the records of effects, the start of a node in the length of its exit.
    pub fn is_live_only(self) -> bool {
        use EventKind::*;
        matches!(
            self,
            NodeEnter | StateUpdate | LlmRequest | LlmStreamChunk | ToolCall | CheckpointSave
        )
    }
}

/// Tokens by the buckets that providers bill. `input` counts everything sent,
/// cached parts included; `output` includes reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Tokens sent.
    pub input: u64,
    /// Of those, read from a cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_read: u64,
    /// Of those, written to a cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_write: u64,
    /// Tokens received.
    pub output: u64,
    /// Of those, spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cached_read += other.cached_read;
        self.cached_write += other.cached_write;
        self.output += other.output;
        self.reasoning += other.reasoning;
    }
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Position within the execution, from 1, without gaps among durable
    /// events; a live-only event repeats the number of the durable one before it.
    pub sequence: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Superstep of the namespace, when it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// Subgraph path, outermost first, each `node:task`; empty at the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespace: Vec<String>,
    /// The node's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The task's id: a node may run several times in one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How long the thing that ended took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Tokens, for model answers and the end of nodes and runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Cost in millionths of a US dollar, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// The checkpoint whose state was current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What the kind says.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Event {
    /// An event with only a kind; the log gives it sequence and time.
    pub fn new(kind: EventKind) -> Self {
        Event {
            sequence: 0,
            time: Timestamp::default(),
            kind,
            step: None,
            namespace: Vec::new(),
            node: None,
            task: None,
            duration_us: None,
            usage: None,
            cost_micros: None,
            checkpoint: None,
            data: Value::Null,
        }
    }

    /// The same with data.
    pub fn with_data(mut self, data: impl Into<Value>) -> Self {
        self.data = data.into();
        self
    }
}
