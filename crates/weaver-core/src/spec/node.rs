//! Nodes: what they run and how often.

use serde::{Deserialize, Serialize};

use super::CompileSpec;
use crate::diagnostic::Span;
use crate::value::Value;

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// What runs it.
    #[serde(flatten)]
    pub kind: NodeKind,
    /// For readers of the JSON form: the function's name as written, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Line of the call that adds it.
    pub line: u32,
    /// The call that adds it.
    pub span: Span,
    /// The schema that its first parameter is annotated with (or `input_schema=`), when it is not the state schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<String>,
    /// Runs only when everything else has ended.
    #[serde(default)]
    pub defer: bool,
    /// Retry, timeout, cache, error handler.
    #[serde(default, skip_serializing_if = "NodePolicies::is_default")]
    pub policies: NodePolicies,
    /// `metadata=`, literal parts.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
}

/// What runs a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKind {
    /// A function (also a lambda, a partial, a bound method) in [`super::FileSpec::functions`], by id.
    Function {
        /// [`super::FunctionSpec::id`].
        id: String,
    },
    /// `nodes.llm(...)` and its siblings.
    Typed(TypedNode),
    /// Another graph of this file.
    Subgraph {
        /// [`super::GraphSpec::name`].
        graph: String,
        /// The `compile(...)` arguments of just this use.
        compile: CompileSpec,
    },
    /// `ToolNode([...])`.
    ToolNode {
        /// Names of [`super::FileSpec::tools`].
        tools: Vec<String>,
        /// `messages_key=`.
        messages_key: String,
        /// `handle_tool_errors=`.
        handle_errors: ToolErrors,
    },
    /// Something imported or computed; it cannot run here.
    Dynamic {
        /// Why, in one sentence.
        reason: String,
    },
}

/// Which failures of a tool are an answer for the model; the others fail the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ToolErrors {
    /// Only arguments that do not fit: LangGraph's default.
    #[default]
    Arguments,
    /// All of them.
    All,
    /// All of them, with this text in place of the error's own.
    Text(String),
    /// Exceptions of these classes, by name, subclasses included.
    Classes(Vec<String>),
    /// Exceptions of these classes, with what a function says of them in place of the
    /// error's own text.
    Function {
        /// [`super::FunctionSpec::id`].
        id: String,
        /// What its parameter is annotated with; empty: all.
        classes: Vec<String>,
    },
    /// None.
    Raise,
}

/// A typed node: a call whose keyword arguments are literals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TypedNode {
    /// `llm`, `http`, `condition` …
    #[serde(rename = "type")]
    pub node_type: String,
    /// The arguments.
    pub settings: Vec<Setting>,
}

/// One argument of a typed node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Setting {
    /// The keyword.
    pub name: String,
    /// The value; a name of a schema or function of the file is `{"$type": "ref", "name": …}`.
    pub value: Value,
    /// The keyword argument.
    pub span: Span,
}

/// Policies of a node, as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodePolicies {
    /// `retry_policy=`; several: the first that matches wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<RetrySpec>,
    /// `timeout=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeoutSpec>,
    /// `cache_policy=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSpec>,
    /// `error_handler=`, by [`super::FunctionSpec::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_handler: Option<String>,
}

impl NodePolicies {
    /// Nothing is set.
    pub fn is_default(&self) -> bool {
        *self == NodePolicies::default()
    }
}

/// `RetryPolicy(...)`; seconds as in Python.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RetrySpec {
    /// Seconds before the first retry.
    pub initial_interval: f64,
    /// Factor from one retry to the next.
    pub backoff_factor: f64,
    /// Cap in seconds.
    pub max_interval: f64,
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// Whether random time is added.
    pub jitter: bool,
    /// Which failures; absent for LangGraph's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<RetryOn>,
}

/// Which failures a policy retries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Exception classes by name, subclasses included.
    Exceptions(Vec<String>),
    /// A predicate, by [`super::FunctionSpec::id`].
    Function(String),
}

/// `TimeoutPolicy(...)`, seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TimeoutSpec {
    /// Limit of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<f64>,
    /// Limit without a sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<f64>,
}

/// `CachePolicy(...)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CacheSpec {
    /// `key_func=`, by [`super::FunctionSpec::id`]; absent: hash of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_func: Option<String>,
    /// Seconds to live; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
}
