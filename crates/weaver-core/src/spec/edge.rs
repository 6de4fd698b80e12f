//! Edges as they are drawn, and branches as they are run.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;
use crate::value::Value;

/// An arrow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EdgeSpec {
    /// Node name or [`super::START`].
    pub source: String,
    /// Node name or [`super::END`].
    pub target: String,
    /// What kind.
    pub kind: EdgeKind,
    /// The route's key, for conditional ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Groups the arrows of one join: the same number, the same `add_edge([...], …)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<u32>,
    /// Line of what makes it.
    pub line: u32,
    /// What makes it.
    pub span: Span,
}

/// What kind of arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// `add_edge(a, b)`.
    Plain,
    /// One source of `add_edge([a, b], c)`.
    Join,
    /// A route of `add_conditional_edges`.
    Conditional,
    /// `Command[Literal[...]]` or `destinations=`: drawn only, the node decides.
    Command,
    /// A target of `Send`: drawn only, the branch decides.
    Send,
}

/// A conditional edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BranchSpec {
    /// Node name or [`super::START`].
    pub source: String,
    /// Unique for its source: the function's name.
    pub name: String,
    /// What decides.
    pub decider: Decider,
    /// Routes by key; absent: the function's answer is the node's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_map: Option<Vec<(Value, String)>>,
    /// The call.
    pub span: Span,
}

/// What decides a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A function, by [`super::FunctionSpec::id`].
    Function(String),
    /// `tools_condition`: `tools` when the last message calls tools, else the exit.
    ToolsCondition,
    /// A prebuilt agent's: a `Send` to `tools` for each call of the last AI message that has
    /// no result yet, else the exit.
    ToolCalls {
        /// Where it goes on when a hook behind the model has answered the calls itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered: Option<String>,
    },
    /// Something that cannot run here; the reason.
    Dynamic(String),
}
