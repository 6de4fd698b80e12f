//! From what the evaluator found to the [`GraphSpec`]s of the file.

use std::ops::Range;

use weaver_core::spec::{
    BranchSpec, CompileSpec, Decider, DynamicSpec, END, EdgeKind, EdgeSpec, GraphSpec, NodeKind,
    NodeSpec, START, StateSpec,
};
use weaver_core::{FastMap, Span};

use crate::analysis::SchemaMap;
use crate::eval::outcome::{Outcomes, Target};
use crate::eval::typed::routes;
use crate::eval::{Builder, Callable, DeciderDraft, DynamicDraft, Evaluator, NodeAction};
use crate::problem::span;
use crate::schema::{messages_field, plain_field};

/// A graph with what the checks need to know beyond its spec.
pub(crate) struct Assembled {
    pub spec: GraphSpec,
    /// Where each edge names its ends, in the order of the edges.
    pub edge_places: Vec<EdgePlace>,
    pub node_places: Vec<Range<usize>>,
    /// Nodes that run synchronously: plain functions and graphs.
    pub sync_nodes: Vec<bool>,
    /// What each node can answer.
    pub outcomes: Vec<Option<Outcomes>>,
    /// Sources whose targets are not all known.
    pub open_sources: Vec<String>,
    pub place: Range<usize>,
}

/// Where an edge names its ends.
pub(crate) struct EdgePlace {
    pub source: Range<usize>,
    pub target: Range<usize>,
    /// It is declared (`add_edge`, routes, annotations), not read out of a function's
    /// body: LangGraph checks the former when it builds, the latter when it runs.
    pub declared: bool,
}

/// Assembles all graphs. `schemas` are those of the file, by name.
pub(crate) fn graphs(
    evaluator: &mut Evaluator<'_>,
    schemas: &SchemaMap<'_>,
    tool_names: &FastMap<String, String>,
) -> Vec<Assembled> {
    let names = graph_names(&evaluator.builders);
    let builders = std::mem::take(&mut evaluator.builders);
    let mut graphs = Vec::with_capacity(builders.len());
    for (index, builder) in builders.iter().enumerate() {
        let mut assembly =
            Assembly { evaluator, edges: Vec::new(), dynamic: Vec::new(), open: Vec::new() };
        graphs.push(assembly.graph(builder, &names, index, schemas, tool_names));
    }
    evaluator.builders = builders;
    graphs
}

/// A name for each graph: the variable, or what makes it; numbered where they repeat.
pub(crate) fn graph_names(builders: &[Builder<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(builders.len());
    let mut taken: FastMap<String, usize> = FastMap::default();
    let mut made_by: FastMap<&str, Vec<usize>> = FastMap::default();
    for builder in builders {
        if let Some(maker) = &builder.maker {
            let places = made_by.entry(maker).or_default();
            if !places.contains(&builder.span.start) {
                places.push(builder.span.start);
            }
        }
    }
    for builder in builders {
        let wanted = match (&builder.maker, &builder.variable) {
            (Some(maker), Some(variable)) if made_by.get(&**maker).is_some_and(|p| p.len() > 1) => {
                format!("{maker}.{variable}")
            }
            (Some(maker), _) => maker.to_string(),
            (None, Some(variable)) => variable.clone(),
            (None, None) => builder.compiled.first().cloned().unwrap_or_else(|| "graph".into()),
        };
        let count = taken.entry(wanted.clone()).or_insert(0);
        *count += 1;
        names.push(if *count == 1 { wanted } else { format!("{wanted}#{count}") });
    }
    names
}

struct Assembly<'e, 'a> {
    evaluator: &'e mut Evaluator<'a>,
    edges: Vec<(EdgeSpec, EdgePlace)>,
    dynamic: Vec<DynamicDraft>,
    open: Vec<String>,
}

impl<'a> Assembly<'_, 'a> {
    fn graph(
        &mut self,
        builder: &Builder<'a>,
        names: &[String],
        index: usize,
        schemas: &SchemaMap<'_>,
        tool_names: &FastMap<String, String>,
    ) -> Assembled {
        let place = self.span(&builder.span);
        self.dynamic = builder.dynamic.clone();
        for edge in &builder.edges {
            let spec = EdgeSpec {
                source: edge.source.clone(),
                target: edge.target.clone(),
                kind: edge.kind,
                label: None,
                join: edge.join,
                line: 0,
                span: self.span(&edge.span),
            };
            let place = EdgePlace {
                source: edge.source_span.clone(),
                target: edge.target_span.clone(),
                declared: true,
            };
            self.edges.push((spec, place));
        }
        let branches = builder.branches.iter().map(|branch| self.branch(branch)).collect();
        let mut nodes = Vec::with_capacity(builder.nodes.len());
        let mut outcomes = Vec::with_capacity(builder.nodes.len());
        let mut joins = builder.edges.iter().filter_map(|e| e.join).max().map_or(0, |n| n + 1);
        for node in &builder.nodes {
            let (spec, outcome) = self.node(node, names, tool_names, &mut joins);
            nodes.push(spec);
            outcomes.push(outcome);
        }
        self.open.extend(self.leaving(&nodes));
        self.edges.sort_by_key(|(edge, ..)| edge.span.start);
        for (edge, ..) in &mut self.edges {
            edge.line = edge.span.line;
        }
        let edges = std::mem::take(&mut self.edges);
        let mut dynamic = std::mem::take(&mut self.dynamic);
        dynamic.sort_by_key(|draft| draft.place.start);
        dynamic.dedup();
        let dynamic = dynamic.into_iter().map(|draft| {
            let span = self.span(&draft.place);
            DynamicSpec { line: span.line, reason: draft.reason, lost: draft.lost, span }
        });
        let spec = GraphSpec {
            name: names[index].clone(),
            compiled: builder.compiled.clone(),
            line: place.line,
            span: place,
            state: state_spec(builder, schemas),
            input_schema: builder.input_schema.clone(),
            output_schema: builder.output_schema.clone(),
            context_schema: builder.context_schema.clone(),
            nodes,
            edges: edges.iter().map(|(edge, ..)| edge.clone()).collect(),
            branches,
            compile: builder.compile.clone().unwrap_or_default(),
            variants: builder.variants.clone(),
            node_defaults: builder.node_defaults.clone(),
            dynamic: dynamic.collect(),
        };
        Assembled {
            spec,
            edge_places: edges.into_iter().map(|(_, place)| place).collect(),
            sync_nodes: builder.nodes.iter().map(|node| node.action.is_sync()).collect(),
            node_places: builder.nodes.iter().map(|node| node.name_span.clone()).collect(),
            outcomes,
            open_sources: std::mem::take(&mut self.open),
            place: builder.span.clone(),
        }
    }

    fn node(
        &mut self,
        node: &crate::eval::NodeDraft<'a>,
        names: &[String],
        tool_names: &FastMap<String, String>,
        joins: &mut u32,
    ) -> (NodeSpec, Option<Outcomes>) {
        let place = self.span(&node.span);
        let mut outcome = None;
        let mut written = None;
        for (target, label, target_place) in &node.destinations {
            let target = (target.clone(), target_place.clone());
            self.arrow(&node.name, &target, EdgeKind::Command, label.clone(), &node.span);
        }
        let kind = match &node.action {
            NodeAction::Function { id, written: text, callable } => {
                written = Some(text.clone());
                outcome = Some(self.function_node(
                    &node.name,
                    callable,
                    &node.span,
                    !node.destinations.is_empty(),
                ));
                NodeKind::Function { id: id.clone() }
            }
            NodeAction::Typed(typed) => {
                self.typed_routes(&node.name, typed, &node.span, joins);
                NodeKind::Typed((**typed).clone())
            }
            NodeAction::Graph(index, compile) => NodeKind::Subgraph {
                graph: names.get(*index).cloned().unwrap_or_default(),
                compile: (**compile).clone(),
            },
            NodeAction::ToolNode(tools) => NodeKind::ToolNode {
                tools: tools
                    .tools
                    .iter()
                    .flatten()
                    .map(|function| tool_names.get(function).unwrap_or(function).clone())
                    .collect(),
                messages_key: tools.messages_key.clone(),
                handle_errors: tools.handle_errors.clone(),
            },
            NodeAction::Dynamic(reason) => NodeKind::Dynamic { reason: reason.clone() },
        };
        let spec = NodeSpec {
            name: node.name.clone(),
            kind,
            function: written,
            line: place.line,
            span: place,
            input_schema: node.input_schema.clone(),
            defer: node.defer,
            policies: node.policies.clone(),
            metadata: node.metadata.clone(),
        };
        (spec, outcome)
    }

    /// The arrows that a function node's `Command`s make.
    fn function_node(
        &mut self,
        name: &str,
        callable: &Callable<'a>,
        place: &Range<usize>,
        declared: bool,
    ) -> Outcomes {
        let outcomes = self.evaluator.outcomes(callable);
        match &outcomes.commands_annotated {
            Some(targets) => {
                for target in targets {
                    self.arrow(name, target, EdgeKind::Command, None, place);
                }
            }
            None if declared => {}
            None => {
                for target in &outcomes.gotos {
                    self.found_arrow(name, target, EdgeKind::Command, None, place);
                }
            }
        }
        for target in &outcomes.sends {
            self.found_arrow(name, target, EdgeKind::Send, None, place);
        }
        outcomes
    }

    fn typed_routes(
        &mut self,
        name: &str,
        node: &weaver_core::spec::TypedNode,
        place: &Range<usize>,
        joins: &mut u32,
    ) {
        let routes = routes(node);
        for (target, label) in routes.choices {
            self.arrow(name, &(target, place.clone()), EdgeKind::Conditional, Some(label), place);
        }
        for (source, target) in routes.chains {
            self.arrow(&source, &(target, place.clone()), EdgeKind::Plain, None, place);
        }
        if let Some((sources, target)) = routes.join {
            let join_all = node
                .settings
                .iter()
                .find(|setting| setting.name == "join")
                .is_none_or(|setting| setting.value.as_str() == Some("all"));
            let group = (join_all && sources.len() > 1 && target != END).then(|| {
                *joins += 1;
                *joins - 1
            });
            for source in sources {
                let kind = if group.is_some() { EdgeKind::Join } else { EdgeKind::Plain };
                self.arrow(&source, &(target.clone(), place.clone()), kind, None, place);
                if let Some((edge, ..)) = self.edges.last_mut() {
                    edge.join = group;
                }
            }
        }
    }

    fn branch(&mut self, branch: &crate::eval::BranchDraft<'a>) -> BranchSpec {
        let mut path_map = branch.path_map.clone();
        let mut targets: Vec<Target> = Vec::new();
        let mut only_sent: Vec<String> = Vec::new();
        let decider = match &branch.decider {
            DeciderDraft::Function { id, callable } => {
                let outcomes = self.evaluator.outcomes(callable);
                if let (None, Some(annotated)) = (&path_map, &outcomes.annotated) {
                    path_map = Some(
                        annotated
                            .iter()
                            .map(|(name, place)| {
                                (name.as_str().into(), name.clone(), place.clone())
                            })
                            .collect(),
                    );
                }
                for target in &outcomes.sends {
                    self.found_arrow(&branch.source, target, EdgeKind::Send, None, &branch.span);
                }
                let named = |name: &String| outcomes.targets.iter().any(|(other, _)| other == name);
                let sent = outcomes.sends.iter().map(|(name, _)| name);
                only_sent = sent.filter(|name| !named(name)).cloned().collect();
                if path_map.is_none() {
                    targets = outcomes.targets.clone();
                    let nothing = targets.is_empty() && outcomes.sends.is_empty();
                    if !outcomes.complete || nothing {
                        self.any_target(branch, "the function may go to any node");
                    }
                }
                Decider::Function(id.clone())
            }
            DeciderDraft::ToolsCondition => {
                if path_map.is_none() {
                    for target in ["tools", END] {
                        let label = Some(target.to_string());
                        let target = (target.to_string(), branch.span.clone());
                        let (source, place) = (&branch.source, &branch.span);
                        self.arrow(source, &target, EdgeKind::Conditional, label, place);
                    }
                }
                Decider::ToolsCondition
            }
            DeciderDraft::ToolCalls { answered } => {
                Decider::ToolCalls { answered: answered.clone() }
            }
            DeciderDraft::Dynamic(reason) => {
                if path_map.is_none() {
                    self.any_target(branch, "the branch may go to any node");
                }
                Decider::Dynamic(reason.clone())
            }
        };
        for (key, target, place) in path_map.iter().flatten() {
            // Declared in the map, but only ever reached by a `Send`: one arrow is enough.
            if only_sent.contains(target) {
                continue;
            }
            let label = match key.as_str() {
                Some(text) => text.to_string(),
                None => match key.as_bool() {
                    Some(true) => "True".into(),
                    Some(false) => "False".into(),
                    None => key.to_json(),
                },
            };
            let target = (target.clone(), place.clone());
            self.arrow(&branch.source, &target, EdgeKind::Conditional, Some(label), &branch.span);
        }
        for target in &targets {
            let label = Some(target.0.clone());
            self.found_arrow(&branch.source, target, EdgeKind::Conditional, label, &branch.span);
        }
        BranchSpec {
            source: branch.source.clone(),
            name: branch.name.clone(),
            decider,
            path_map: path_map.map(|routes| routes.into_iter().map(|(k, t, _)| (k, t)).collect()),
            span: self.span(&branch.span),
        }
    }

    /// Subgraphs, if the file leaves any: a node or tool in one may go to any node of
    /// the graph around it.
    fn leaving(&self, nodes: &[NodeSpec]) -> Vec<String> {
        let text = self.evaluator.text;
        if !text.contains("Command.PARENT") && !text.contains("__parent__") {
            return Vec::new();
        }
        let subgraphs = nodes.iter().filter(|node| matches!(node.kind, NodeKind::Subgraph { .. }));
        subgraphs.map(|node| node.name.clone()).collect()
    }

    fn any_target(&mut self, branch: &crate::eval::BranchDraft<'a>, reason: &str) {
        self.open.push(branch.source.clone());
        let (place, reason) = (branch.span.clone(), reason.to_string());
        self.dynamic.push(DynamicDraft { place, reason, lost: false });
    }

    /// An arrow that is read out of a function's body.
    fn found_arrow(
        &mut self,
        source: &str,
        target: &Target,
        kind: EdgeKind,
        label: Option<String>,
        place: &Range<usize>,
    ) {
        let before = self.edges.len();
        self.arrow(source, target, kind, label, place);
        if let Some((_, found)) = self.edges.get_mut(before) {
            found.declared = false;
        }
    }

    fn arrow(
        &mut self,
        source: &str,
        target: &Target,
        kind: EdgeKind,
        label: Option<String>,
        place: &Range<usize>,
    ) {
        let same = |edge: &EdgeSpec| {
            edge.source == source
                && edge.target == target.0
                && edge.kind == kind
                && edge.label == label
        };
        if matches!(kind, EdgeKind::Command | EdgeKind::Send)
            && self.edges.iter().rev().take(64).any(|(edge, ..)| same(edge))
        {
            return;
        }
        let spec = EdgeSpec {
            source: source.to_string(),
            target: target.0.clone(),
            kind,
            label,
            join: None,
            line: 0,
            span: self.span(place),
        };
        let place = EdgePlace { source: place.clone(), target: target.1.clone(), declared: true };
        self.edges.push((spec, place));
    }

    fn span(&self, place: &Range<usize>) -> Span {
        span(self.evaluator.text, self.evaluator.lines, place)
    }
}

fn state_spec(builder: &Builder<'_>, schemas: &SchemaMap<'_>) -> StateSpec {
    let Some(name) = builder.state.as_deref() else { return StateSpec::default() };
    let mut fields = match schemas.get(name) {
        Some(schema) => schema.fields.clone(),
        None if name == "MessagesState" => vec![messages_field()],
        None => Vec::new(),
    };
    for key in &builder.more_keys {
        if !fields.iter().any(|field| field.name == *key) {
            fields.push(plain_field(key));
        }
    }
    StateSpec { schema: name.to_string(), fields }
}

/// A function of the functional API: known to be there, not readable as a graph.
pub(crate) fn functional_graph(name: &str, place: Span) -> GraphSpec {
    GraphSpec {
        name: name.to_string(),
        compiled: vec![name.to_string()],
        line: place.line,
        span: place,
        state: StateSpec::default(),
        input_schema: None,
        output_schema: None,
        context_schema: None,
        nodes: Vec::new(),
        edges: Vec::new(),
        branches: Vec::new(),
        compile: CompileSpec { span: Some(place), ..CompileSpec::default() },
        variants: Default::default(),
        node_defaults: Default::default(),
        dynamic: vec![DynamicSpec {
            line: place.line,
            reason: "`@entrypoint` decides its steps while it runs: there is no graph to draw"
                .into(),
            lost: false,
            span: place,
        }],
    }
}

/// Whether a name is one of the two ends.
pub(crate) fn is_end(name: &str) -> bool {
    name == START || name == END
}
