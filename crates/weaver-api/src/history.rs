//! The past of an execution: its checkpoints, a past state, and what is made of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::execution::{Breakpoints, WorkflowSource};
use crate::{Time, Usd};

/// A moment between two supersteps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// Its id.
    pub id: String,
    /// What it builds on; several may build on the same: branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The superstep that it ends; the input is -1.
    pub step: i64,
    /// `input`, `loop`, `update` or `fork`.
    pub source: String,
    /// The subgraph, each part `node:task`; empty for the root graph.
    pub namespace: String,
    /// The nodes that run next.
    pub next: Vec<String>,
    /// The nodes that ran in the superstep.
    pub writes_by: Vec<String>,
    /// The execution that made it: of a thread several may.
    pub execution: String,
    /// When it was taken.
    pub created_at: Time,
}

/// The state at a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateAt {
    /// The checkpoint.
    pub checkpoint: String,
    /// What it builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The superstep that it ends.
    pub step: i64,
    /// The subgraph; empty for the root graph.
    pub namespace: String,
    /// When it was taken.
    pub created_at: Time,
    /// State keys with their values.
    pub values: Value,
    /// The tasks that run next.
    pub tasks: Vec<Task>,
}

/// A task of the superstep behind a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its node; a node may have several tasks.
    pub node: String,
    /// Whether it ended, though its superstep has not.
    pub done: bool,
    /// What it asked and has no answer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub error: Value,
}

/// `POST /executions/{id}/state`: changes the state of an execution that waits or is
/// paused, as if a node had returned the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// State keys with what is written to them; reducers apply.
    pub values: Value,
    /// The node; absent: the last one that wrote, if that is clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_node: Option<String>,
}

/// `POST /executions/{id}/fork`: a new execution that goes on from a past moment, in a
/// thread of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// The checkpoint, one of the root graph.
    pub at: String,
    /// What is written to the state before it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Value>,
    /// The node that is taken to have written them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_node: Option<String>,
    /// Another version of the workflow to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowSource>,
    /// Another model for every model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
}

/// `POST /executions/{id}/replay`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Another version of the workflow; absent: the one that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowSource>,
}

/// `POST /executions/{id}/rerun`: an execution that has ended is done again, on its thread
/// and from where it began. Results of nodes that have not changed, in code or input, are
/// taken from it; so are the answers of models and tools, in nodes that ask the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// Another version of the workflow; absent: the one that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowSource>,
    /// Another input; absent: the one that it was given.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub input: Value,
    /// Where it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
}

/// What an execution took from earlier ones instead of doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Savings {
    /// Node tasks that ran.
    pub ran: u64,
    /// Node tasks that did not.
    pub reused: u64,
    /// Calls of models that were not made.
    pub model_calls: u64,
    /// Calls of tools that were not made.
    pub tool_calls: u64,
    /// Tokens that were not sent.
    pub tokens_input: u64,
    /// Tokens that were not received.
    pub tokens_output: u64,
    /// What was not spent.
    pub cost: Usd,
    /// Time of nodes that did not run, added up, in milliseconds.
    pub duration_ms: u64,
}

/// What going through an execution again came to. Nothing was fired: recorded answers
/// were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayReport {
    /// The execution.
    pub execution: String,
    /// Its thread.
    pub thread: String,
    /// Whether everything was as it was.
    pub equal: bool,
    /// Checkpoints that are the same as then.
    pub same_checkpoints: u64,
    /// How many recorded calls were served, by kind.
    pub served: BTreeMap<String, u64>,
    /// Everything that is not as it was, in the order of steps.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// `call_not_recorded`, `call_changed`, `call_not_made`, `wrote`, `state`, `next`,
    /// `shorter`, `longer` or `outcome`.
    pub kind: String,
    /// The key, or the kind of call.
    pub what: Option<String>,
    /// The subgraph; empty for the root graph.
    pub namespace: String,
    /// The superstep.
    pub step: i64,
    /// Whose doing it is, where that is known.
    pub node: Option<String>,
    /// The file that it ran with this time.
    pub file: String,
    /// The node's line in it.
    pub line: Option<u32>,
    /// What the log has.
    pub recorded: Value,
    /// What came this time.
    pub now: Value,
}

/// A line for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// The event that it is of.
    pub sequence: u64,
    /// When.
    pub time: Time,
    /// How much it matters.
    pub level: Level,
    /// The node, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What happened, in a sentence.
    pub message: String,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It went as it should.
    Info,
    /// A person may want to look.
    Warning,
    /// Something failed.
    Error,
}
