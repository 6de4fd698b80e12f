//! [`FileSpec`]: what a Python graph file means. `studio` makes it from source,
//! `agent` compiles it to a plan, the canvas draws it: there is one meaning of a file.
//!
//! The JSON form is the answer of `agentweaver graph FILE --format json`.

mod edge;
mod function;
mod node;
mod schema;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use edge::{BranchSpec, Decider, EdgeKind, EdgeSpec};
pub use function::{FunctionSpec, ParameterSpec, Runs, ToolSpec};
pub use node::{
    CacheSpec, NodeKind, NodePolicies, NodeSpec, RetryOn, RetrySpec, Setting, TimeoutSpec,
    ToolErrors, TypedNode,
};
pub use schema::{FieldSpec, ReducerSpec, SchemaKind, SchemaSpec};

use crate::diagnostic::{Diagnostic, Span};

/// Name of the entry in edges.
pub const START: &str = "__start__";
/// Name of the exit in edges.
pub const END: &str = "__end__";

/// Everything the parser knows of one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FileSpec {
    /// The graphs, in the order of their builders.
    pub graphs: Vec<GraphSpec>,
    /// State, input, output, context and private schemas, and schemas for structured output.
    pub schemas: Vec<SchemaSpec>,
    /// Functions that nodes, branches, reducers and tools use.
    pub functions: Vec<FunctionSpec>,
    /// Functions marked with `@tool`.
    pub tools: Vec<ToolSpec>,
    /// All problems, in order of place.
    pub problems: Vec<Diagnostic>,
}

impl FileSpec {
    /// Whether a field of the schema holds members of an enum of the file, itself or in a list, dict or union.
    pub fn has_enum_fields(&self, schema: &SchemaSpec) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let is_enum = |word: &str| {
            self.schemas.iter().any(|own| own.kind == SchemaKind::Enum && own.name == word)
        };
        schema.kind != SchemaKind::Enum
            && schema.fields.iter().any(|f| f.annotation.split(|c| !is_word(c)).any(is_enum))
    }
}

/// One graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GraphSpec {
    /// The variable that holds the builder (`graph`), or the function, method
    /// or class that makes it.
    pub name: String,
    /// The variables that hold the compiled graph (`app`), if it is compiled.
    pub compiled: Vec<String>,
    /// Line of the builder's constructor call.
    pub line: u32,
    /// The constructor call.
    pub span: Span,
    /// Name of the state schema in [`FileSpec::schemas`], and its fields for readers of the JSON form.
    pub state: StateSpec,
    /// `input_schema=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<String>,
    /// `output_schema=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<String>,
    /// `context_schema=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_schema: Option<String>,
    /// The nodes, in the order they are added.
    pub nodes: Vec<NodeSpec>,
    /// What is drawn: one entry per arrow. A join has one for each source.
    pub edges: Vec<EdgeSpec>,
    /// The conditional edges, as they are run.
    pub branches: Vec<BranchSpec>,
    /// Arguments of `compile(...)`, of the first where there are several.
    pub compile: CompileSpec,
    /// By variable of [`GraphSpec::compiled`]: arguments that differ from those.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, CompileSpec>,
    /// `set_node_defaults(...)`.
    #[serde(default, skip_serializing_if = "NodePolicies::is_default")]
    pub node_defaults: NodePolicies,
    /// What cannot be known without running.
    pub dynamic: Vec<DynamicSpec>,
}

/// The state of a graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StateSpec {
    /// Name of the schema; empty when it is not known.
    pub schema: String,
    /// Fields of the schema and of everything it inherits.
    pub fields: Vec<FieldSpec>,
}

/// Arguments of `compile(...)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CompileSpec {
    /// `checkpointer=`: absent inherits; `True` own memory; `False` nothing saved.
    /// A saver object counts as `Some(Saver)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpointer: Option<Checkpointer>,
    /// `interrupt_before=`; `["*"]` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupt_before: Vec<String>,
    /// `interrupt_after=`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupt_after: Vec<String>,
    /// `name=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `cache=` is given.
    #[serde(default)]
    pub cache: bool,
    /// Where it is compiled; absent when it never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

impl CompileSpec {
    /// Whether two compile to the same graph, wherever they stand.
    pub fn is_same(&self, other: &CompileSpec) -> bool {
        CompileSpec { span: None, ..self.clone() } == CompileSpec { span: None, ..other.clone() }
    }
}

/// What `compile(checkpointer=...)` got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Checkpointer {
    /// `True`: own memory across calls.
    Own,
    /// `False`: nothing saved.
    Off,
    /// A saver object; on a subgraph the same as inheriting.
    Saver,
}

/// Something that cannot be known without running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DynamicSpec {
    /// Its line.
    pub line: u32,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether the graph that Python builds has a node, an edge or a breakpoint there
    /// that this one lacks: then it cannot run as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Its place.
    pub span: Span,
}
