//! [`Order`]: what an execution was asked to do, kept with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weaver_core::Value;

use crate::error::Error;

/// What an execution was asked to do. Its JSON form is kept with the execution, a
/// promise: fields are only added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The input, a map of state keys.
    #[serde(default)]
    pub input: Value,
    /// Which graph of the source; absent: the last compiled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// The model for every model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The text of a script that answers for models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// `context=`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub context: Value,
    /// Superstep limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recursion_limit: Option<u32>,
    /// Whether the tree that it is of has a budget.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_budget: bool,
    /// Names of the submitter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The kept workflow that the source is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// Where it branched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
    /// Where it stops, besides where its file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
    /// It goes on with what its thread holds, whoever wrote that; the input is not given
    /// to the graph.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
    /// Does what another execution did again, and takes from it what has not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// Which execution is done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Which, of the same thread.
    pub execution: String,
    /// The checkpoint that it was given its input at; absent: it began the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Where an execution branched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkedFrom {
    /// From which execution.
    pub execution: String,
    /// At which checkpoint of its thread.
    pub checkpoint: String,
}

/// Nodes at which an execution stops; `"*"` is every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoints {
    /// Before they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// After they have run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl Order {
    /// The kept form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an order has a JSON form")
    }

    /// Reads the kept form.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::Unreadable(format!("what the execution was asked: {error}")))
    }
}
