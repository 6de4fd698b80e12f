//! [`FileSpec`]: what a Python graph file means. `studio` makes it from source,
//! `agent` compiles it to a plan, the canvas draws it: there is one meaning of a file.
//!
//! The JSON form is the answer of `agentweaver graph FILE --format json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Span};
use crate::value::Value;

/// Name of the entry in edges.
pub const START: &str = "__start__";
/// Name of the exit in edges.
pub const END: &str = "__end__";

/// Everything the parser knows of one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
pub struct StateSpec {
    /// Name of the schema; empty when it is not known.
    pub schema: String,
    /// Fields of the schema and of everything it inherits.
    pub fields: Vec<FieldSpec>,
}

/// A class that describes data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaSpec {
    /// The class name.
    pub name: String,
    /// What it is made with.
    pub kind: SchemaKind,
    /// Own and inherited fields, in Python's order.
    pub fields: Vec<FieldSpec>,
    /// The docstring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// JSON Schema of an instance, for structured output and input forms.
    pub json_schema: Value,
    /// The class statement.
    pub span: Span,
}

/// What a schema is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaKind {
    /// `TypedDict`.
    TypedDict,
    /// `@dataclass`.
    Dataclass,
    /// A pydantic `BaseModel`: the only kind that is validated.
    Pydantic,
    /// `MessagesState` or a subclass of it.
    Messages,
    /// A `NamedTuple`.
    NamedTuple,
    /// An `Enum`: each member is a field whose default is its value.
    Enum,
}

/// One field of a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// The key.
    pub name: String,
    /// The annotation as written, without `Annotated` and reducer.
    #[serde(rename = "type")]
    pub annotation: String,
    /// How writes merge; absent for a plain key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reducer: Option<ReducerSpec>,
    /// What an `Annotated[T, reducer]` key starts as (`T()`): `[]`, `""`, `0`, `{}` …; absent where T has no empty value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Value>,
    /// A literal default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether an instance must have it.
    pub required: bool,
    /// `Field(description=...)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `IsLastStep`, `RemainingSteps`: computed, not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

/// How writes to a key merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReducerSpec {
    /// `operator.add` and everything that means the same (`list.__add__`, `lambda a, b: a + b`).
    Add,
    /// `operator.or_`.
    Or,
    /// `operator.and_`.
    And,
    /// `operator.mul`.
    Mul,
    /// `max`.
    Max,
    /// `min`.
    Min,
    /// `add_messages`.
    AddMessages,
    /// A function of the file, by name in [`FileSpec::functions`].
    Function {
        /// The name.
        name: String,
    },
    /// `DeltaChannel(f)`: a function of the file that gets all writes of a step at once.
    Delta {
        /// The name.
        name: String,
    },
    /// A channel class written out: `LastValue`, `EphemeralValue`, `Topic`, `AnyValue`, `UntrackedValue`, `DeltaChannel`.
    Channel {
        /// The class.
        class: String,
        /// `accumulate=True` of a `Topic`.
        accumulate: bool,
    },
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKind {
    /// A function (also a lambda, a partial, a bound method) in [`FileSpec::functions`], by id.
    Function {
        /// [`FunctionSpec::id`].
        id: String,
    },
    /// `nodes.llm(...)` and its siblings.
    Typed(TypedNode),
    /// Another graph of this file.
    Subgraph {
        /// [`GraphSpec::name`].
        graph: String,
        /// The `compile(...)` arguments of just this use.
        compile: CompileSpec,
    },
    /// `ToolNode([...])`.
    ToolNode {
        /// Names of [`FileSpec::tools`].
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
        /// [`FunctionSpec::id`].
        id: String,
        /// What its parameter is annotated with; empty: all.
        classes: Vec<String>,
    },
    /// None.
    Raise,
}

/// A typed node: a call whose keyword arguments are literals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypedNode {
    /// `llm`, `http`, `condition` …
    #[serde(rename = "type")]
    pub node_type: String,
    /// The arguments.
    pub settings: Vec<Setting>,
}

/// One argument of a typed node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// `error_handler=`, by [`FunctionSpec::id`].
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
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Exception classes by name, subclasses included.
    Exceptions(Vec<String>),
    /// A predicate, by [`FunctionSpec::id`].
    Function(String),
}

/// `TimeoutPolicy(...)`, seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
pub struct CacheSpec {
    /// `key_func=`, by [`FunctionSpec::id`]; absent: hash of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_func: Option<String>,
    /// Seconds to live; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
}

/// An arrow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeSpec {
    /// Node name or [`START`].
    pub source: String,
    /// Node name or [`END`].
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
pub struct BranchSpec {
    /// Node name or [`START`].
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
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A function, by [`FunctionSpec::id`].
    Function(String),
    /// `tools_condition`: `tools` when the last message calls tools, else the exit.
    ToolsCondition,
    /// Something that cannot run here; the reason.
    Dynamic(String),
}

/// Arguments of `compile(...)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum Checkpointer {
    /// `True`: own memory across calls.
    Own,
    /// `False`: nothing saved.
    Off,
    /// A saver object; on a subgraph the same as inheriting.
    Saver,
}

/// A function that something uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Unique in the file: the name, `Class.method`, or `lambda@LINE:COLUMN`.
    pub id: String,
    /// How it can run.
    pub runs: Runs,
    /// `async def`.
    pub is_async: bool,
    /// Positional parameters in order, with annotations as written.
    pub parameters: Vec<ParameterSpec>,
    /// First line of the docstring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Hash over its text and the text of all that it uses: changes when its meaning may have.
    pub code_hash: String,
    /// The definition.
    pub span: Span,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// Its name: `config`, `runtime`, `store`, `writer`, `previous` are filled by name.
    pub name: String,
    /// The annotation as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
    /// Whether it has a default.
    pub has_default: bool,
    /// Keyword only.
    pub keyword_only: bool,
}

/// How a function can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "runs", rename_all = "snake_case")]
pub enum Runs {
    /// In the embedded interpreter.
    Embedded,
    /// Only on a Python worker: the problems in [`FileSpec::problems`] with these codes and places say why.
    Worker {
        /// One sentence for each reason.
        reasons: Vec<String>,
    },
}

/// A `@tool` function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// The name that models see.
    pub name: String,
    /// [`FunctionSpec::id`].
    pub function: String,
    /// The docstring or `description=`.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
    /// `return_direct=True`.
    pub return_direct: bool,
    /// The definition.
    pub span: Span,
}

/// Something that cannot be known without running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
