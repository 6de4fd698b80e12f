//! From [`GraphSpec`] to the engine's graph.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use weaver_core::spec::{
    Checkpointer, CompileSpec, EdgeKind, EdgeSpec, FieldSpec, FileSpec, GraphSpec, NodeKind,
    NodePolicies, NodeSpec, ReducerSpec, RetryOn, RetrySpec, SchemaKind,
};
use weaver_core::{Diagnostic, Severity, Span, Value};
use weaver_engine::{
    self as engine, CachePolicy, ChannelKind, Graph, GraphBuilder, Managed, Operator, Persistence,
    Reducer, RetryPolicy, Targets, TimeoutPolicy,
};

use super::Target;
use super::parallel::{self, Gated};
use crate::typed::loop_key;

/// Compiles graphs of one file, subgraphs first.
pub struct Compiler<'a> {
    pub(super) spec: &'a FileSpec,
    /// Graphs that compiled.
    pub graphs: HashMap<String, Graph<Value>>,
    /// What the engine calls.
    pub targets: HashMap<String, Target>,
    problems: HashMap<String, Vec<Diagnostic>>,
    /// Graphs under way, outermost first: one that holds itself is an error.
    path: Vec<String>,
}

impl<'a> Compiler<'a> {
    /// A compiler that has compiled nothing.
    pub fn new(spec: &'a FileSpec) -> Self {
        Compiler {
            spec,
            graphs: HashMap::new(),
            targets: HashMap::new(),
            problems: HashMap::new(),
            path: Vec::new(),
        }
    }

    /// Why a graph does not compile.
    pub fn problems_of(&self, graph: &GraphSpec) -> Vec<Diagnostic> {
        self.problems.get(&graph.name).cloned().unwrap_or_default()
    }

    /// Whether any node runs Python text.
    pub fn runs_code(&self) -> bool {
        self.targets
            .values()
            .any(|target| matches!(target, Target::Typed { node, .. } if node.node_type == "code"))
    }

    /// Compiles a graph as one of its variables holds it, and the graphs in it.
    pub fn compile_variable(&mut self, graph: &GraphSpec, variable: &str) -> Option<Graph<Value>> {
        match graph.variants.get(variable) {
            Some(arguments) => {
                let compiled = self.compile_with(graph, arguments)?;
                self.graphs.insert(format!("{}/{variable}", graph.name), compiled.clone());
                Some(compiled)
            }
            None => self.compile(graph),
        }
    }

    /// Compiles a graph with its first `compile(...)` and the graphs in it; nothing if
    /// it has problems.
    pub fn compile(&mut self, graph: &GraphSpec) -> Option<Graph<Value>> {
        if let Some(done) = self.graphs.get(&graph.name) {
            return Some(done.clone());
        }
        let compiled = self.compile_with(graph, &graph.compile)?;
        self.graphs.insert(graph.name.clone(), compiled.clone());
        Some(compiled)
    }

    fn compile_with(&mut self, graph: &GraphSpec, arguments: &CompileSpec) -> Option<Graph<Value>> {
        if self.problems.contains_key(&graph.name) {
            return None;
        }
        if self.path.contains(&graph.name) {
            self.problem(
                graph,
                "graph_in_itself",
                graph.span,
                format!("the graph `{}` holds itself", graph.name),
                None,
            );
            return None;
        }
        self.path.push(graph.name.clone());
        let compiled = self.build(graph, arguments);
        self.path.pop();
        compiled
    }

    fn build(&mut self, graph: &GraphSpec, arguments: &CompileSpec) -> Option<Graph<Value>> {
        for missing in graph.dynamic.iter().filter(|dynamic| dynamic.lost) {
            let message = format!("the graph cannot be read whole: {}", missing.reason);
            let help = "write names of nodes as text, in loops over literal lists at most";
            self.problem(graph, "needs_worker", missing.span, message, Some(help));
        }
        let mut builder = GraphBuilder::new();
        builder.name(arguments.name.clone().unwrap_or_else(|| "LangGraph".into()));
        self.channels(graph, &mut builder);
        for node in &graph.nodes {
            if let Some(node) = self.node(graph, node, &mut builder) {
                builder.node(node);
            }
        }
        let gated = parallel::gated(graph);
        for one in &gated {
            self.targets.extend(one.build(graph, &mut builder));
        }
        edges(graph, &gated, &mut builder);
        self.branches(graph, &mut builder);
        if let Some(fields) = self.schema_keys(graph.input_schema.as_deref()) {
            builder.input(fields);
        }
        if let Some(fields) = self.schema_keys(graph.output_schema.as_deref()) {
            builder.output(fields);
        }
        if let Some(fields) = self.schema_keys(graph.context_schema.as_deref()) {
            builder.context(fields);
        }
        builder.interrupt_before(targets(&arguments.interrupt_before));
        builder.interrupt_after(targets(&arguments.interrupt_after));
        builder.persistence(persistence(arguments));
        match builder.compile() {
            Ok(compiled) if !self.problems.contains_key(&graph.name) => Some(compiled),
            Ok(_) => None,
            Err(errors) => {
                let span = arguments.span.unwrap_or(graph.span);
                // A node that cannot run here is not added: edges to it are no second problem.
                let lacks_nodes = self.problems.contains_key(&graph.name);
                for error in errors {
                    if lacks_nodes && error.code == "unknown_node" {
                        continue;
                    }
                    self.problem(graph, error.code, span, error.message, None);
                }
                None
            }
        }
    }

    fn channels(&self, graph: &GraphSpec, builder: &mut GraphBuilder<Value>) {
        let mut known: Vec<&str> = Vec::new();
        for field in &graph.state.fields {
            known.push(&field.name);
            match managed(field) {
                Some(managed) => builder.managed(&*field.name, managed),
                None => builder.channel(&*field.name, channel_kind(field)),
            };
        }
        let own = graph.nodes.iter().filter_map(|node| node.input_schema.as_deref());
        let others = [graph.input_schema.as_deref(), graph.output_schema.as_deref()];
        for schema in own.chain(others.into_iter().flatten()) {
            let Some(schema) = self.spec.schemas.iter().find(|s| s.name == schema) else {
                continue;
            };
            for field in &schema.fields {
                if known.contains(&field.name.as_str()) {
                    continue;
                }
                known.push(&field.name);
                match managed(field) {
                    Some(managed) => builder.managed(&*field.name, managed),
                    None => builder.private_channel(&*field.name, channel_kind(field)),
                };
            }
        }
    }

    fn node(
        &mut self,
        graph: &GraphSpec,
        node: &NodeSpec,
        builder: &mut GraphBuilder<Value>,
    ) -> Option<engine::NodeSpec<Value>> {
        let what = format!("{}.{}", graph.name, node.name);
        let schema = node.input_schema.as_deref().unwrap_or(&graph.state.schema);
        let input_class = self.instance_class(schema);
        let kind = match &node.kind {
            NodeKind::Function { id } => {
                let target = Target::Function {
                    id: id.clone(),
                    input_class: input_class.clone(),
                    metadata: node.metadata.clone(),
                    timeout: None,
                };
                self.targets.insert(what.clone(), target);
                engine::NodeKind::Function(what.as_str().into())
            }
            NodeKind::Typed(typed) => {
                if typed.node_type == "workflow" {
                    self.check_workflow(graph, typed);
                }
                if typed.node_type == "loop" {
                    builder.private_channel(loop_key(&node.name), ChannelKind::LastValue);
                }
                let target = Target::Typed {
                    name: node.name.clone(),
                    node: typed.clone(),
                    keys: graph
                        .state
                        .fields
                        .iter()
                        .map(|field| field.name.as_str().into())
                        .collect(),
                };
                self.targets.insert(what.clone(), target);
                engine::NodeKind::Function(what.as_str().into())
            }
            NodeKind::ToolNode { tools, messages_key, handle_errors } => {
                let target = Target::Tools {
                    tools: tools.clone(),
                    messages_key: messages_key.clone(),
                    handle_errors: handle_errors.clone(),
                };
                self.targets.insert(what.clone(), target);
                engine::NodeKind::Function(what.as_str().into())
            }
            NodeKind::Subgraph { graph: inner, compile } => {
                let inner = self.subgraph(graph, node, inner, compile)?;
                engine::NodeKind::Subgraph(inner, persistence(compile))
            }
            NodeKind::Dynamic { reason } => {
                let message = format!("the node `{}` cannot run here: {reason}", node.name);
                let help = "make it a function of this file or a typed node";
                self.problem(graph, "needs_worker", node.span, message, Some(help));
                return None;
            }
        };
        let mut made = engine::NodeSpec::new(&*node.name, kind);
        made.input = self.schema_keys(node.input_schema.as_deref());
        if matches!(&node.kind, NodeKind::Typed(typed) if typed.node_type == "loop") {
            let own = graph.state.fields.iter().map(|field| field.name.as_str().into());
            made.input = Some(own.chain([loop_key(&node.name).into()]).collect());
        }
        made.schema = input_class.map(Into::into);
        made.defer = node.defer;
        self.policies(&what, &node.policies, &graph.node_defaults, &mut made);
        if let Some(Target::Function { timeout, .. }) = self.targets.get_mut(&what) {
            *timeout = made.timeout.run;
        }
        if !node.metadata.is_null() {
            made.metadata = Some(node.metadata.clone());
        }
        Some(made)
    }

    fn subgraph(
        &mut self,
        outer: &GraphSpec,
        node: &NodeSpec,
        inner: &str,
        arguments: &CompileSpec,
    ) -> Option<Graph<Value>> {
        let spec = self.spec;
        let Some(inner) = spec.graphs.iter().find(|graph| graph.name == inner) else {
            let message = format!(
                "the node `{}` is a graph `{inner}` that the file does not build",
                node.name
            );
            self.problem(outer, "unknown_graph", node.span, message, None);
            return None;
        };
        let compiled = match arguments.is_same(&inner.compile) {
            true => self.compile(inner),
            false => self.compile_with(inner, arguments),
        };
        if compiled.is_none() {
            let inherited = self.problems_of(inner);
            self.problems.entry(outer.name.clone()).or_default().extend(inherited);
        }
        compiled
    }

    fn policies(
        &mut self,
        what: &str,
        own: &NodePolicies,
        defaults: &NodePolicies,
        node: &mut engine::NodeSpec<Value>,
    ) {
        let retry = if own.retry.is_empty() { &defaults.retry } else { &own.retry };
        node.retry = retry.iter().map(|policy| self.retry(policy)).collect();
        if let Some(timeout) = own.timeout.as_ref().or(defaults.timeout.as_ref()) {
            let span = |seconds: Option<f64>| seconds.map(seconds_span);
            node.timeout =
                TimeoutPolicy { run: span(timeout.run_timeout), idle: span(timeout.idle_timeout) };
        }
        if let Some(cache) = own.cache.as_ref().or(defaults.cache.as_ref()) {
            let key = cache.key_func.as_deref().map(|id| self.function(id, None));
            node.cache = Some(CachePolicy { key, ttl: cache.ttl.map(seconds_span) });
        }
        if let Some(handler) = own.error_handler.as_ref().or(defaults.error_handler.as_ref()) {
            let name = format!("{what}!{handler}");
            let input_class = node.schema.as_ref().map(|schema| schema.to_string());
            let target = Target::Function {
                id: handler.clone(),
                input_class,
                metadata: Value::Null,
                timeout: None,
            };
            self.targets.insert(name.clone(), target);
            node.error_handler = Some(name.into());
            node.handler_is_default = own.error_handler.is_none();
        }
    }

    fn retry(&mut self, policy: &RetrySpec) -> RetryPolicy {
        RetryPolicy {
            initial_interval: seconds_span(policy.initial_interval),
            backoff_factor: policy.backoff_factor,
            max_interval: seconds_span(policy.max_interval),
            max_attempts: policy.max_attempts,
            jitter: policy.jitter,
            retry_on: match &policy.retry_on {
                None => engine::RetryOn::Default,
                Some(RetryOn::Exceptions(classes)) => engine::RetryOn::Classes(
                    classes.iter().map(|class| class.as_str().into()).collect(),
                ),
                Some(RetryOn::Function(id)) => engine::RetryOn::External(self.function(id, None)),
            },
        }
    }

    /// The name that the engine calls a function of the file by.
    pub(super) fn function(&mut self, id: &str, input_class: Option<String>) -> Arc<str> {
        let name = match &input_class {
            Some(class) => format!("fn:{id}:{class}"),
            None => format!("fn:{id}"),
        };
        let target =
            Target::Function { id: id.into(), input_class, metadata: Value::Null, timeout: None };
        self.targets.insert(name.clone(), target);
        name.into()
    }

    /// The schema that a function's first parameter is annotated with.
    pub(super) fn annotated_schema(&self, id: &str) -> Option<String> {
        let function = self.spec.functions.iter().find(|function| function.id == id)?;
        let annotation =
            function.parameters.first()?.annotation.as_deref()?.trim_matches(['"', '\'']);
        self.spec.schemas.iter().find(|schema| schema.name == annotation).map(|s| s.name.clone())
    }

    /// The schema's name, if its instances are not the dicts that the state is: they are
    /// objects, or hold members of enums.
    pub(super) fn instance_class(&self, schema: &str) -> Option<String> {
        let schema = self.spec.schemas.iter().find(|own| own.name == schema)?;
        let is_object = matches!(schema.kind, SchemaKind::Dataclass | SchemaKind::Pydantic);
        (is_object || self.spec.has_enum_fields(schema)).then(|| schema.name.clone())
    }

    pub(super) fn schema_keys(&self, schema: Option<&str>) -> Option<Vec<Arc<str>>> {
        let schema = self.spec.schemas.iter().find(|own| Some(own.name.as_str()) == schema)?;
        Some(schema.fields.iter().map(|field| field.name.as_str().into()).collect())
    }

    pub(super) fn problem(
        &mut self,
        graph: &GraphSpec,
        code: &str,
        span: Span,
        message: String,
        help: Option<&str>,
    ) {
        self.problems.entry(graph.name.clone()).or_default().push(Diagnostic {
            code: code.into(),
            severity: Severity::Error,
            message,
            span,
            help: help.map(String::from),
        });
    }
}

fn edges(graph: &GraphSpec, gated: &[Gated<'_>], builder: &mut GraphBuilder<Value>) {
    let mut joins: BTreeMap<u32, (Vec<&str>, &str)> = BTreeMap::new();
    let replaced = |edge: &&EdgeSpec| gated.iter().any(|gate| gate.replaces(edge));
    for edge in graph.edges.iter().filter(|edge| !replaced(edge)) {
        match (edge.kind, edge.join) {
            (EdgeKind::Plain, _) => {
                builder.edge(&*edge.source, &*edge.target);
            }
            (EdgeKind::Join, Some(join)) => {
                joins.entry(join).or_insert((Vec::new(), &edge.target)).0.push(&edge.source);
            }
            // The others are drawn for the branches and commands that take them.
            _ => {}
        }
    }
    for (sources, target) in joins.into_values() {
        builder.join(sources, target);
    }
}

fn managed(field: &FieldSpec) -> Option<Managed> {
    match field.managed.as_deref()? {
        "IsLastStep" => Some(Managed::IsLastStep),
        _ => Some(Managed::RemainingSteps),
    }
}

fn channel_kind(field: &FieldSpec) -> ChannelKind<Value> {
    let Some(reducer) = &field.reducer else { return ChannelKind::LastValue };
    let initial = field.initial.clone();
    let operator = |operator| ChannelKind::Reduced {
        reducer: Reducer::Operator(operator),
        initial: initial.clone(),
    };
    match reducer {
        ReducerSpec::Add => operator(Operator::Add),
        ReducerSpec::Or => operator(Operator::Or),
        ReducerSpec::And => operator(Operator::And),
        ReducerSpec::Mul => operator(Operator::Mul),
        ReducerSpec::Max => operator(Operator::Max),
        ReducerSpec::Min => operator(Operator::Min),
        ReducerSpec::AddMessages => ChannelKind::Reduced {
            reducer: Reducer::AddMessages,
            initial: Some(initial.unwrap_or_else(|| Value::list([]))),
        },
        ReducerSpec::Function { name } => ChannelKind::Reduced {
            reducer: Reducer::External(format!("fn:{name}").into()),
            initial,
        },
        ReducerSpec::Delta { name } => {
            ChannelKind::Delta { reducer: Reducer::External(format!("fn:{name}").into()), initial }
        }
        ReducerSpec::Channel { class, accumulate } => match class.as_str() {
            "Topic" => ChannelKind::Topic { accumulate: *accumulate },
            "EphemeralValue" => ChannelKind::Ephemeral { guard: true },
            "AnyValue" => ChannelKind::AnyValue,
            "UntrackedValue" => ChannelKind::Untracked { guard: true },
            _ => ChannelKind::LastValue,
        },
    }
}

fn persistence(compile: &CompileSpec) -> Persistence {
    match compile.checkpointer {
        Some(Checkpointer::Own) => Persistence::Own,
        Some(Checkpointer::Off) => Persistence::Off,
        Some(Checkpointer::Saver) | None => Persistence::Inherit,
    }
}

/// `["*"]` is all.
pub fn targets(names: &[String]) -> Targets {
    match names {
        [all] if all == "*" => Targets::All,
        names => Targets::Names(names.iter().map(|name| name.as_str().into()).collect()),
    }
}

fn seconds_span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
