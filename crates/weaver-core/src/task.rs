//! [`Assignment`]: what a worker is to do, and [`Outcome`]: what came of it. Kept in the
//! log and sent over the API alike.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::value::{Map, Value};

/// What a worker is to do: one attempt of one function of a workflow's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Assignment {
    /// Hash of the text, 64 hex digits. A worker runs no other than the one it has.
    pub text: String,
    /// The file as the submitter named it.
    pub file: String,
    /// The node, for people.
    pub node: String,
    /// The function: its name, `Class.method`, or `lambda@LINE:COLUMN`.
    pub function: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub kwargs: Map,
    /// The schema whose instance the first argument becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_class: Option<String>,
    /// Answers of people to its `interrupt()` calls so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Value>,
    /// The calls of models and tools that this attempt has made. A function that starts
    /// again is given what came of them instead of making them.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub made: Made,
    /// Attempts count from 1.
    pub attempt: u32,
    /// For how long one attempt may run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The row of the queue that it goes on with; absent: it brings one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
}

/// The calls that an attempt has made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Made {
    /// What came of each, in order.
    pub results: Vec<CallResult>,
    /// How many of them are recorded as effects.
    pub effects: u32,
    /// How many of them invoked graphs.
    pub invoked: u32,
}

impl Made {
    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }
}

/// What came of a call of a function to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// It was answered.
    Returned(Value),
    /// Python raises this there.
    Raised {
        /// The exception's class.
        class: String,
        /// Its text.
        message: String,
    },
}

/// What a task came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The function returned.
    Returned(Value),
    /// It raised, or could not be run.
    Failed(Failure),
    /// It waits for a person's answer to this: its `interrupt()`.
    Asked(Value),
    /// It waits for the answer to a call, and goes on from there under the same lease.
    Called(TaskCall),
}

/// A call of a function to the server: `llm`, `tool`, `store.get` …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TaskCall {
    /// How many calls the attempt made before.
    pub ordinal: u32,
    /// What is asked.
    pub name: String,
    /// Keyword arguments.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub kwargs: Map,
}

/// Something to be shown of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Emitted {
    /// A line that it printed.
    Print(String),
    /// What it wrote to its stream writer.
    Custom(Value),
}
