//! Graph builders: what `StateGraph` and its methods add.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use weaver_core::Value;
use weaver_core::spec::{Checkpointer, CompileSpec, END, EdgeKind, NodePolicies, START, TypedNode};

use super::Evaluator;
use super::function::Callable;
use super::value::{Abs, CallArgs, ScopeRef, ToolNodeRef, Val};

/// A graph as it is built.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    /// The constructor call.
    pub span: Range<usize>,
    /// The variable that holds it.
    pub variable: Option<String>,
    /// The function, method or class that makes it.
    pub maker: Option<Rc<str>>,
    pub state: Option<String>,
    /// Keys of the state beyond its schema.
    pub more_keys: Vec<&'static str>,
    pub input_schema: Option<String>,
    pub output_schema: Option<String>,
    pub context_schema: Option<String>,
    pub nodes: Vec<NodeDraft<'a>>,
    pub edges: Vec<EdgeDraft>,
    pub branches: Vec<BranchDraft<'a>>,
    /// Variables that hold the compiled graph.
    pub compiled: Vec<String>,
    pub compile: Option<CompileSpec>,
    /// Those of them that are compiled with other arguments than the first.
    pub variants: BTreeMap<String, CompileSpec>,
    pub node_defaults: NodePolicies,
    /// What cannot be known, and where.
    pub dynamic: Vec<DynamicDraft>,
    joins: u32,
}

/// Something that cannot be known without running.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DynamicDraft {
    pub place: Range<usize>,
    pub reason: String,
    /// Something of the graph is missing because of it.
    pub lost: bool,
}

/// A node as it is added.
#[derive(Debug)]
pub(crate) struct NodeDraft<'a> {
    pub name: String,
    pub name_span: Range<usize>,
    pub span: Range<usize>,
    pub action: NodeAction<'a>,
    pub input_schema: Option<String>,
    pub defer: bool,
    pub policies: NodePolicies,
    pub metadata: Value,
    /// `destinations=` with labels.
    pub destinations: Vec<(String, Option<String>, Range<usize>)>,
}

/// What runs a node.
#[derive(Debug)]
pub(crate) enum NodeAction<'a> {
    Function { id: String, written: String, callable: Callable<'a> },
    Typed(Rc<TypedNode>),
    Graph(usize, Rc<CompileSpec>),
    ToolNode(Rc<ToolNodeRef>),
    Dynamic(String),
}

impl NodeAction<'_> {
    /// Whether it surely runs synchronously.
    pub fn is_sync(&self) -> bool {
        match self {
            NodeAction::Function { callable, .. } => !callable.is_async(),
            NodeAction::Graph(..) => true,
            _ => false,
        }
    }
}

/// An arrow as it is added.
#[derive(Debug)]
pub(crate) struct EdgeDraft {
    pub source: String,
    pub source_span: Range<usize>,
    pub target: String,
    pub target_span: Range<usize>,
    pub kind: EdgeKind,
    pub join: Option<u32>,
    pub span: Range<usize>,
}

/// A conditional edge as it is added.
#[derive(Debug)]
pub(crate) struct BranchDraft<'a> {
    pub source: String,
    pub name: String,
    pub decider: DeciderDraft<'a>,
    /// Key, target and the place of the target.
    pub path_map: Option<Vec<(Value, String, Range<usize>)>>,
    pub span: Range<usize>,
}

/// What decides a branch.
#[derive(Debug)]
pub(crate) enum DeciderDraft<'a> {
    Function { id: String, callable: Callable<'a> },
    ToolsCondition,
    ToolCalls { answered: Option<String> },
    Dynamic(String),
}

impl<'a> Evaluator<'a> {
    pub(super) fn new_builder(
        &mut self,
        class: &str,
        args: &CallArgs<'a>,
        span: &Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        if self.frozen {
            return Abs::Unknown;
        }
        self.touched = true;
        let schema = |position: usize, names: &[&str]| {
            names
                .iter()
                .find_map(|name| args.keyword(name))
                .or_else(|| args.positional.get(position))
                .and_then(schema_name)
        };
        let state = match class {
            "MessageGraph" => Some("MessagesState".to_string()),
            _ => schema(0, &["state_schema"]),
        };
        let builder = Builder {
            span: span.clone(),
            variable: None,
            maker: scope.maker.clone(),
            input_schema: schema(usize::MAX, &["input_schema", "input"]),
            output_schema: schema(usize::MAX, &["output_schema", "output"]),
            context_schema: schema(1, &["context_schema", "config_schema"]),
            state,
            more_keys: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            branches: Vec::new(),
            compiled: Vec::new(),
            compile: None,
            variants: BTreeMap::new(),
            node_defaults: NodePolicies::default(),
            dynamic: Vec::new(),
            joins: 0,
        };
        self.builders.push(builder);
        let index = self.builders.len() - 1;
        if self.builders[index].state.is_none() && class == "StateGraph" {
            let place = args.positional.first().map_or(span.clone(), |arg| arg.span.clone());
            self.dynamic(index, place, "the state schema is only known when it runs");
        }
        Abs::Builder(index)
    }

    pub(super) fn builder_method(
        &mut self,
        index: usize,
        name: &Name,
        args: &CallArgs<'a>,
        span: Range<usize>,
        _scope: &ScopeRef<'a>,
    ) -> Val<'a> {
        if self.frozen {
            return Val::unknown(span);
        }
        self.touched = true;
        let chained = Val { abs: Abs::Builder(index), span: span.clone() };
        if let Some(reason) = self.undecided {
            self.dynamic(index, span.clone(), reason);
        }
        match name.as_str() {
            "add_node" => self.add_node(index, args, &span),
            "add_edge" => self.add_edge(index, args, &span),
            "add_sequence" => self.add_sequence(index, args, &span),
            "add_conditional_edges" => {
                self.add_branch(
                    index,
                    args.get(0, "source"),
                    args.get(1, "path"),
                    args.get(2, "path_map"),
                    &span,
                );
            }
            "set_conditional_entry_point" => {
                let start = Val::str(START, span.clone());
                self.add_branch(
                    index,
                    Some(&start),
                    args.get(0, "path"),
                    args.get(1, "path_map"),
                    &span,
                );
            }
            "set_entry_point" => {
                let start = Val::str(START, span.clone());
                self.connect(index, &start, args.get(0, "key"), EdgeKind::Plain, None, &span);
            }
            "set_finish_point" => {
                let end = Val::str(END, span.clone());
                if let Some(key) = args.get(0, "key").cloned() {
                    self.connect(index, &key, Some(&end), EdgeKind::Plain, None, &span);
                }
            }
            "set_node_defaults" => {
                let policies = self.policies(args);
                self.builders[index].node_defaults = policies;
            }
            "compile" => return self.compile(index, args, span),
            _ => return Val::unknown(span),
        }
        chained
    }

    pub(super) fn compile(
        &mut self,
        index: usize,
        args: &CallArgs<'a>,
        span: Range<usize>,
    ) -> Val<'a> {
        let names = |value: Option<&Val<'a>>| -> Vec<String> {
            match value {
                Some(value) => match value.as_str() {
                    Some(text) => vec![text.to_string()],
                    None => value
                        .items()
                        .unwrap_or_default()
                        .iter()
                        .filter_map(|item| item.as_str().map(String::from))
                        .collect(),
                },
                None => Vec::new(),
            }
        };
        let checkpointer = args.get(0, "checkpointer").and_then(|value| match &value.abs {
            Abs::Const(Value::Null) => None,
            Abs::Const(Value::Bool(true)) => Some(Checkpointer::Own),
            Abs::Const(Value::Bool(false)) => Some(Checkpointer::Off),
            _ => Some(Checkpointer::Saver),
        });
        let spec = CompileSpec {
            checkpointer,
            interrupt_before: names(args.keyword("interrupt_before")),
            interrupt_after: names(args.keyword("interrupt_after")),
            name: args.keyword("name").and_then(Val::as_str).map(String::from),
            cache: args.keyword("cache").is_some_and(|value| !value.is_none()),
            span: Some(crate::problem::span(self.text, self.lines, &span)),
        };
        for key in ["interrupt_before", "interrupt_after"] {
            let value = args.keyword(key);
            if value.is_some_and(|v| v.as_str().is_none() && v.items().is_none() && !v.is_none()) {
                self.lost(index, span.clone(), &format!("`{key}` is only known when it runs"));
            }
        }
        let builder = &mut self.builders[index];
        builder.compile.get_or_insert_with(|| spec.clone());
        Val { abs: Abs::Compiled(index, Rc::new(spec)), span }
    }

    fn add_edge(&mut self, index: usize, args: &CallArgs<'a>, span: &Range<usize>) {
        let (Some(source), target) = (args.get(0, "start_key"), args.get(1, "end_key")) else {
            self.argument_problem(index, span, "`add_edge` needs a source and a target");
            return;
        };
        match source.items() {
            Some(sources) => {
                let group = self.builders[index].joins;
                self.builders[index].joins += 1;
                for source in sources {
                    self.connect(index, &source, target, EdgeKind::Join, Some(group), span);
                }
            }
            None => self.connect(index, &source.clone(), target, EdgeKind::Plain, None, span),
        }
    }

    pub(super) fn connect(
        &mut self,
        index: usize,
        source: &Val<'a>,
        target: Option<&Val<'a>>,
        kind: EdgeKind,
        join: Option<u32>,
        span: &Range<usize>,
    ) {
        let Some(target) = target else {
            self.argument_problem(index, span, "the edge has no target");
            return;
        };
        let (Some(from), Some(to)) = (source.as_str(), target.as_str()) else {
            let place = if source.as_str().is_none() { source } else { target };
            self.lost(index, place.span.clone(), "an end of the edge is only known when it runs");
            return;
        };
        self.builders[index].edges.push(EdgeDraft {
            source: from.to_string(),
            source_span: source.span.clone(),
            target: to.to_string(),
            target_span: target.span.clone(),
            kind,
            join,
            span: span.clone(),
        });
    }

    fn add_sequence(&mut self, index: usize, args: &CallArgs<'a>, span: &Range<usize>) {
        let Some(items) = args.get(0, "nodes").and_then(Val::items) else {
            self.lost(index, span.clone(), "the sequence is only known when it runs");
            return;
        };
        let mut last: Option<Val<'a>> = None;
        for item in items {
            let (name, action) = match item.items().as_deref() {
                Some([name, action]) => (name.as_str().map(String::from), action.clone()),
                _ => (self.name_of(&item), item.clone()),
            };
            let Some(name) = name else {
                self.lost(index, item.span.clone(), "the node's name is only known when it runs");
                last = None;
                continue;
            };
            let place = Val::str(&name, item.span.clone());
            self.put_node(index, name, item.span.clone(), action, &CallArgs::default(), &item.span);
            if let Some(last) = &last {
                self.connect(index, last, Some(&place), EdgeKind::Plain, None, span);
            }
            last = Some(place);
        }
    }

    pub(super) fn add_branch(
        &mut self,
        index: usize,
        source: Option<&Val<'a>>,
        path: Option<&Val<'a>>,
        path_map: Option<&Val<'a>>,
        span: &Range<usize>,
    ) {
        let (Some(source), Some(path)) = (source, path) else {
            self.argument_problem(index, span, "a conditional edge needs a source and a function");
            return;
        };
        let Some(from) = source.as_str() else {
            self.lost(index, source.span.clone(), "the source is only known when it runs");
            return;
        };
        let decider = match path.import_of("langgraph") {
            Some("tools_condition") => DeciderDraft::ToolsCondition,
            _ => match self.register(path) {
                Ok((id, callable)) => DeciderDraft::Function { id, callable },
                Err(reason) => {
                    self.dynamic(
                        index,
                        path.span.clone(),
                        &format!("what decides the branch: {reason}"),
                    );
                    DeciderDraft::Dynamic(reason)
                }
            },
        };
        let routes = path_map.filter(|map| !map.is_none());
        let known = routes.and_then(routes_of);
        if let (Some(map), None) = (routes, &known) {
            self.lost(index, map.span.clone(), "the routes are only known when it runs");
        }
        let wanted = match &decider {
            DeciderDraft::Function { callable, .. } => callable.name(),
            DeciderDraft::ToolsCondition => "tools_condition".to_string(),
            DeciderDraft::ToolCalls { .. } => "tool_calls".to_string(),
            DeciderDraft::Dynamic(_) => self.name_of(path).unwrap_or_else(|| "condition".into()),
        };
        let builder = &mut self.builders[index];
        let same = builder
            .branches
            .iter()
            .filter(|b| {
                b.source == from && (b.name == wanted || b.name.starts_with(&format!("{wanted}#")))
            })
            .count();
        let name = if same == 0 { wanted } else { format!("{wanted}#{}", same + 1) };
        builder.branches.push(BranchDraft {
            source: from.to_string(),
            name,
            decider,
            path_map: known,
            span: span.clone(),
        });
    }

    pub(super) fn dynamic(&mut self, index: usize, place: Range<usize>, reason: &str) {
        self.note_dynamic(index, DynamicDraft { place, reason: reason.into(), lost: false });
    }

    /// Something that the built graph would have and this one lacks.
    pub(super) fn lost(&mut self, index: usize, place: Range<usize>, reason: &str) {
        self.note_dynamic(index, DynamicDraft { place, reason: reason.into(), lost: true });
    }

    fn note_dynamic(&mut self, index: usize, draft: DynamicDraft) {
        let dynamic = &mut self.builders[index].dynamic;
        if !dynamic.contains(&draft) {
            dynamic.push(draft);
        }
    }

    pub(super) fn argument_problem(&mut self, index: usize, span: &Range<usize>, message: &str) {
        if !self.is_broken(span) {
            self.problems.error("bad_argument", span, message, "give the missing argument");
        }
        self.dynamic(index, span.clone(), message);
    }
}

/// `State` in `StateGraph(State)`.
pub(super) fn schema_name(value: &Val<'_>) -> Option<String> {
    match &value.abs {
        Abs::Class(class) => Some(class.class.name.to_string()),
        Abs::Import(path) if path.starts_with("langgraph.") => {
            path.rsplit('.').next().map(String::from)
        }
        Abs::Import(path) if &**path == "builtins.dict" => Some("dict".into()),
        _ => None,
    }
}

/// The routes of a dict or list, if all of them are known.
fn routes_of(map: &Val<'_>) -> Option<Vec<(Value, String, Range<usize>)>> {
    if let Some(entries) = map.entries() {
        return entries
            .iter()
            .map(|(key, target)| match &key.abs {
                Abs::Const(key) => {
                    Some((key.clone(), target.as_str()?.to_string(), target.span.clone()))
                }
                _ => None,
            })
            .collect();
    }
    map.items()?
        .iter()
        .map(|item| {
            let name = item.as_str()?;
            Some((Value::str(name), name.to_string(), item.span.clone()))
        })
        .collect()
}
