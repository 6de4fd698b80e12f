//! The Studio: what a file means, how its nodes will run, and what there is to build with.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{Array, Ref};
use weaver_core::Diagnostic;
use weaver_core::spec::FileSpec;

use crate::Usd;
use crate::execution::{Breakpoints, SubmitRequest, WorkflowSource};

/// `POST /studio/parse`, `/studio/compile` and `/studio/validate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRequest {
    /// The file's text; it may be half typed.
    pub source: String,
    /// The file's name, for problems.
    #[serde(default = "file_name")]
    pub file: String,
}

fn file_name() -> String {
    "workflow.py".into()
}

/// What a text means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Parsed {
    /// Names the text: 64 hex digits. An edit against another text is refused by it.
    pub version: String,
    /// Graphs, schemas, functions and problems; places are bytes and lines of the text.
    pub spec: FileSpec,
}

/// `POST /studio/edit`: what is to be done to one graph of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphEditRequest {
    /// The file's text.
    pub source: String,
    /// The file's name, for problems.
    #[serde(default = "file_name")]
    pub file: String,
    /// [`Parsed::version`] of the text that the operations are meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The graph, by its name in the spec; may be left out when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// Operations in order, each an object with `op`: `{"op": "add_edge", "source": "a",
    /// "target": "b"}`. One that cannot be done refuses all of them.
    #[schema(schema_with = operations)]
    pub operations: Vec<Value>,
}

/// The operations are the parser's own; who serves them adds their schema by this name.
fn operations() -> Array {
    Array::new(Ref::from_schema_name("Operation"))
}

/// A text after operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Edited {
    /// The new text.
    pub source: String,
    /// Its name, as in [`Parsed::version`].
    pub version: String,
    /// What changed, in bytes of the old text: sorted, not overlapping.
    pub edits: Vec<TextEdit>,
    /// The edits of the new text that give back the old one, byte for byte.
    pub undo: Vec<TextEdit>,
    /// What the new text means.
    pub spec: FileSpec,
}

/// One replacement in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextEdit {
    /// First byte of what goes.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// What comes.
    pub text: String,
}

/// `POST /studio/convert`: a workflow of the old JSON format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertRequest {
    /// `{"nodes": [...], "edges": [...]}`.
    #[schema(value_type = Object)]
    pub document: Value,
}

/// An old workflow as a Python file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Converted {
    /// The file's text.
    pub source: String,
    /// What has no counterpart, in the order of the document.
    pub warnings: Vec<ConvertWarning>,
    /// Where the old canvas showed the nodes, by their new names: `{"x", "y"}`.
    #[schema(value_type = Object)]
    pub layout: Value,
}

/// Something of an old workflow that the file does not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConvertWarning {
    /// The old node, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What, and what stands in the file instead.
    pub message: String,
}

/// How a text would run. A text with problems is answered with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Compiled {
    /// As in [`Parsed::version`].
    pub version: String,
    /// Whether it has no error.
    pub runs: bool,
    /// All problems, those that only compiling finds included.
    pub problems: Vec<Diagnostic>,
    /// Each graph of the file.
    pub graphs: Vec<CompiledGraph>,
    /// Which of them runs when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
}

/// All that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Validated {
    /// As in [`Parsed::version`].
    pub version: String,
    /// Whether it has no error.
    pub runs: bool,
    /// All problems, those that only compiling finds included.
    pub problems: Vec<Diagnostic>,
}

/// `POST /studio/test/run`: what the editor shows, kept or not, on a thread of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRun {
    /// What to run.
    pub workflow: WorkflowSource,
    /// The input, an object of state keys.
    pub input: Value,
    /// The model for every model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Values for the graph's context schema.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub context: Value,
    /// What it and all that it starts may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
    /// Where it stops; before `"*"` to begin with `POST /studio/test/run-step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
}

impl TestRun {
    /// The same as an execution whose events are streamed.
    pub fn submit(self) -> SubmitRequest {
        SubmitRequest {
            workflow: self.workflow,
            input: self.input,
            thread: None,
            model: self.model,
            context: self.context,
            recursion_limit: None,
            priority: crate::execution::PRIORITY_NORMAL,
            concurrency: None,
            run_at: None,
            budget: self.budget,
            labels: Default::default(),
            breakpoints: self.breakpoints,
            wait: None,
            stream: true,
        }
    }
}

/// `POST /studio/test/run-step`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestStep {
    /// An execution that stopped at a breakpoint, or is paused.
    pub execution_id: String,
    /// Answer after so many seconds at the latest, even if the superstep is still under way.
    #[serde(default = "step_wait")]
    #[schema(minimum = 0, maximum = 300)]
    pub wait: u32,
}

fn step_wait() -> u32 {
    30
}

/// How one graph would run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompiledGraph {
    /// What it is called: by the variable that can be run, else by its builder's.
    pub name: String,
    /// The variable of its builder.
    pub builder: String,
    /// Its nodes, in the file's order.
    pub nodes: Vec<CompiledNode>,
    /// Its state keys with their reducers.
    pub channels: Vec<Channel>,
    /// Models that its typed nodes name.
    pub models: Vec<String>,
    /// Tools that its nodes may call.
    pub tools: Vec<String>,
}

/// How one node would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompiledNode {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub runs: NodeRuns,
    /// Why it needs a worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// Where a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRuns {
    /// In the server itself.
    Native,
    /// In the embedded Python interpreter.
    Embedded,
    /// As a graph of its own.
    Subgraph,
    /// Only on a Python worker.
    Worker,
}

/// One key of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// The key.
    pub name: String,
    /// Its type as written.
    #[serde(rename = "type")]
    pub annotation: String,
    /// How writes merge: `add`, `add_messages`, a function's name; absent: the last one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reducer: Option<String>,
}

/// One kind of typed node, for palette and form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeType {
    /// `llm`, `http`, `condition` …
    pub name: String,
    /// `input`, `agent`, `tool`, `logic` or `output`.
    pub group: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Needs the server: a file on the command line can hold it, not run it.
    pub needs_server: bool,
    /// Its settings, in the order of the form.
    pub settings: Vec<NodeSetting>,
}

/// One setting of a typed node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeSetting {
    /// The keyword.
    pub name: String,
    /// What it takes.
    pub kind: SettingKind,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is left out, as Python text; empty for what is required.
    pub default: String,
    /// A sentence with unit and meaning.
    pub doc: String,
    /// The words it may be, where there is a list of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// Text as it is.
    Text,
    /// A Jinja template over the state.
    Template,
    /// A Jinja expression over the state.
    Expression,
    /// A state key.
    Key,
    /// The name of a node of the same graph, or `END`.
    Node,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// A whole number, or one of `choices`.
    IntOrOneOf,
    /// One of `choices`.
    OneOf,
    /// A list.
    List,
    /// A dict with text keys.
    Dict,
    /// A list or a dict.
    ListOrDict,
    /// A schema class of the file or a JSON Schema.
    Schema,
    /// Any literal.
    Any,
}

/// A workflow to begin with; it runs offline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Template {
    /// Its id, a word.
    pub id: String,
    /// Its name.
    pub title: String,
    /// What it shows, in a sentence.
    pub summary: String,
    /// What it is about.
    pub tags: Vec<String>,
    /// The file.
    pub source: String,
    /// The script that answers for its models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// An input to try it with.
    pub input: Value,
}
