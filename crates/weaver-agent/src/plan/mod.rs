//! [`Plan`]: a file compiled for running.

mod branches;
mod code;
mod graph;
mod parallel;
mod worker;
mod workflow;

pub use code::code;
pub use graph::targets;

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::spec::{
    FieldSpec, FileSpec, FunctionSpec, GraphSpec, NodeKind, Runs, SchemaKind, SchemaSpec,
    ToolErrors, ToolSpec, TypedNode,
};
use weaver_core::{Diagnostic, Failure, Program, Severity, Span, Value};
use weaver_engine::Graph;

/// A file compiled for running one of its graphs.
pub struct Plan {
    /// [`GraphSpec::name`].
    pub name: String,
    /// The graph.
    pub graph: Graph<Value>,
    /// Every graph of the file that functions may invoke, by name.
    pub graphs: Arc<HashMap<String, Graph<Value>>>,
    /// What each function of the graph is, by the name that the engine calls it.
    pub targets: Arc<HashMap<String, Target>>,
    /// What the interpreter runs.
    pub program: Arc<Program>,
    /// The functions of the file.
    pub functions: Vec<FunctionSpec>,
    /// `@tool` functions, by the name that models see.
    pub tools: Arc<HashMap<String, ToolSpec>>,
    /// `context_schema=`, where its instances are objects.
    pub context_class: Option<SchemaSpec>,
}

impl Plan {
    /// What nodes see as the run's context: a dict becomes an instance of the
    /// context schema. Error: `TypeError` for fields that do not fit, as Python says it.
    pub fn context(&self, given: Value) -> Result<Value, Failure> {
        let (Some(class), Value::Map(fields), None) = (&self.context_class, &given, given.tag())
        else {
            return Ok(given);
        };
        let known = |name: &str| class.fields.iter().any(|field| field.name == name);
        let wrong = |message: String| Err(Failure::exception("TypeError", message));
        if let Some(unknown) = fields.keys().find(|name| !known(name)) {
            return wrong(format!(
                "{}.__init__() got an unexpected keyword argument '{unknown}'",
                class.name
            ));
        }
        let missing =
            |field: &&FieldSpec| field.required && !fields.contains_key(field.name.as_str());
        if let Some(field) = class.fields.iter().find(missing) {
            return wrong(format!(
                "{}.__init__() missing a required argument: '{}'",
                class.name, field.name
            ));
        }
        let class = Value::str(class.name.as_str());
        Ok(Value::tagged("object", [("class", class), ("fields", given)]))
    }
}

/// What the engine calls.
#[derive(Clone, Debug)]
pub enum Target {
    /// A function of the file.
    Function {
        /// [`FunctionSpec::id`].
        id: String,
        /// The schema whose instance its input becomes.
        input_class: Option<String>,
        /// `metadata=` of the node.
        metadata: Value,
        /// For how long an attempt of the node may run.
        timeout: Option<std::time::Duration>,
    },
    /// A typed node.
    Typed {
        /// Its name.
        name: String,
        /// Its type and settings.
        node: TypedNode,
        /// Keys of the state: those without a value are empty text to templates.
        keys: Arc<[Arc<str>]>,
    },
    /// A `ToolNode`.
    Tools {
        /// The tools' names.
        tools: Vec<String>,
        /// The state key of the messages.
        messages_key: String,
        /// Which failures are an answer.
        handle_errors: ToolErrors,
    },
    /// `tools_condition`.
    ToolsCondition,
    /// A prebuilt agent's way to its tools.
    ToolCalls {
        /// Some tool is given the state, so each call takes it along.
        with_state: bool,
        /// The node to go on with when a hook has answered the calls.
        answered: Option<String>,
    },
}

/// How a node will run, for `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// In Rust.
    Native,
    /// In the embedded interpreter.
    Embedded,
    /// As a graph of its own.
    Subgraph,
    /// Only on a Python worker, for these reasons.
    Worker(Vec<String>),
}

/// Compiles one graph of a file: the one that is named, or the last compiled one.
///
/// Errors: every problem that keeps it from running, with its place.
pub fn compile(
    spec: &FileSpec,
    mut program: Program,
    wanted: Option<&str>,
) -> Result<Plan, Vec<Diagnostic>> {
    let chosen = choose(spec, wanted)?;
    worker::check(spec)?;
    let mut compiler = graph::Compiler::new(spec);
    let graph = match wanted {
        Some(variable) => compiler.compile_variable(chosen, variable),
        None => compiler.compile(chosen),
    };
    // Graphs that functions invoke by name; one that does not compile is only
    // missing when it is invoked.
    for other in &spec.graphs {
        compiler.compile(other);
        for variable in other.variants.keys() {
            compiler.compile_variable(other, variable);
        }
    }
    let Some(graph) = graph.filter(|_| compiler.problems_of(chosen).is_empty()) else {
        return Err(compiler.problems_of(chosen));
    };
    add_instance_classes(spec, &mut program);
    if compiler.runs_code() {
        program.source = crate::python::with_code_function(&program.source);
    }
    let tools = spec.tools.iter().map(|tool| (tool.name.clone(), tool.clone())).collect();
    let context_class = spec.schemas.iter().find(|schema| {
        Some(&schema.name) == chosen.context_schema.as_ref()
            && matches!(schema.kind, SchemaKind::Dataclass | SchemaKind::Pydantic)
    });
    Ok(Plan {
        context_class: context_class.cloned(),
        name: chosen.name.clone(),
        graph,
        graphs: Arc::new(compiler.graphs),
        targets: Arc::new(compiler.targets),
        program: Arc::new(program),
        functions: spec.functions.clone(),
        tools: Arc::new(tools),
    })
}

/// A state may hold instances and members of classes that no function of the file
/// names: the interpreter needs these all the same.
fn add_instance_classes(spec: &FileSpec, program: &mut Program) {
    for schema in &spec.schemas {
        let is_needed =
            matches!(schema.kind, SchemaKind::Pydantic | SchemaKind::Dataclass | SchemaKind::Enum)
                || spec.has_enum_fields(schema);
        let known = program.schemas.iter().any(|own| own.name == schema.name)
            || program.source.contains(&format!("class {}", schema.name));
        if is_needed && !known {
            program.schemas.push(schema.clone());
        }
    }
}

/// The graph that is meant: by its own name or a compiled one, else the last
/// compiled, else the last.
pub fn choose<'a>(
    spec: &'a FileSpec,
    wanted: Option<&str>,
) -> Result<&'a GraphSpec, Vec<Diagnostic>> {
    let found = match wanted {
        Some(name) => spec
            .graphs
            .iter()
            .find(|graph| graph.compiled.iter().any(|own| own == name))
            .or_else(|| spec.graphs.iter().find(|graph| graph.name == name)),
        None => {
            spec.graphs.iter().rev().find(|graph| !graph.compiled.is_empty()).or(spec.graphs.last())
        }
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = spec
            .graphs
            .iter()
            .flat_map(|graph| graph.compiled.iter().chain([&graph.name]))
            .map(String::as_str)
            .collect();
        let message = match (wanted, names.is_empty()) {
            (_, true) => "the file builds no graph".to_string(),
            (Some(name), false) => format!("the file has no graph `{name}`"),
            (None, false) => unreachable!("a file with graphs has a last one"),
        };
        let help = match names.is_empty() {
            true => "make one: `graph = StateGraph(State)`, nodes, edges, `app = graph.compile()`"
                .into(),
            false => format!("it has: {}", names.join(", ")),
        };
        vec![Diagnostic {
            code: "no_graph".into(),
            severity: Severity::Error,
            message,
            span: Span { line: 1, column: 1, end_line: 1, end_column: 1, ..Span::default() },
            help: Some(help),
        }]
    })
}

/// Whether a node is one of ours that the file does not name.
pub fn is_hidden(node: &str) -> bool {
    node.ends_with("__gate") || node.contains("__tick_")
}

/// How each node of a graph will run, in order.
pub fn ways(spec: &FileSpec, graph: &GraphSpec) -> Vec<(String, Way)> {
    let way = |kind: &NodeKind| match kind {
        NodeKind::Typed(_) | NodeKind::ToolNode { .. } => Way::Native,
        NodeKind::Subgraph { .. } => Way::Subgraph,
        NodeKind::Dynamic { reason } => Way::Worker(vec![reason.clone()]),
        NodeKind::Function { id } => {
            match spec.functions.iter().find(|f| f.id == *id).map(|f| &f.runs) {
                Some(Runs::Worker { reasons }) => Way::Worker(reasons.clone()),
                _ => Way::Embedded,
            }
        }
    };
    graph.nodes.iter().map(|node| (node.name.clone(), way(&node.kind))).collect()
}
