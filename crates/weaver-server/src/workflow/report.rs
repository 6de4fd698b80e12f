//! What compiling says of a file: its problems, and where each node would run.

use weaver_agent::plan::{Way, choose, ways};
use weaver_api::studio::{Channel, Compiled, CompiledGraph, CompiledNode, NodeRuns, Validated};
use weaver_core::spec::{FileSpec, GraphSpec, NodeKind, ReducerSpec, TypedNode};
use weaver_core::{Diagnostic, Hash, Severity, Value};
use weaver_studio::Analysis;

use super::{compile, shown_name};

/// Problems of the parser, then those that only compiling finds.
pub fn problems_of(analysis: &Analysis) -> Vec<Diagnostic> {
    let mut problems = analysis.spec.problems.clone();
    let broken = |problems: &[Diagnostic]| problems.iter().any(|p| p.severity == Severity::Error);
    // What compiling finds in a file with errors are their consequences.
    let compiled = if broken(&problems) { &[][..] } else { &analysis.spec.graphs[..] };
    for graph in compiled {
        for problem in compile(analysis, Some(&graph.name)).err().into_iter().flatten() {
            if !problems.iter().any(|old| old.span == problem.span && old.code == problem.code) {
                problems.push(problem);
            }
        }
    }
    if analysis.spec.graphs.is_empty() && !broken(&problems) {
        problems.extend(choose(&analysis.spec, None).err().into_iter().flatten());
    }
    problems
}

/// All that is wrong with a text.
pub fn validated(analysis: &Analysis) -> Validated {
    let problems = problems_of(analysis);
    Validated {
        version: text_version(&analysis.source),
        runs: !problems.iter().any(|problem| problem.severity == Severity::Error),
        problems,
    }
}

/// How a text would run.
pub fn report(analysis: &Analysis) -> Compiled {
    let Validated { version, runs, problems } = validated(analysis);
    let spec = &analysis.spec;
    Compiled {
        version,
        runs,
        problems,
        graphs: spec.graphs.iter().map(|graph| compiled_graph(spec, graph)).collect(),
        graph: choose(spec, None).ok().map(|graph| shown_name(graph).to_string()),
    }
}

/// Names a text: 64 hex digits.
pub fn text_version(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

fn compiled_graph(spec: &FileSpec, graph: &GraphSpec) -> CompiledGraph {
    let nodes = ways(spec, graph).into_iter().map(|(name, way)| {
        let (runs, reasons) = match way {
            Way::Native => (NodeRuns::Native, Vec::new()),
            Way::Embedded => (NodeRuns::Embedded, Vec::new()),
            Way::Subgraph => (NodeRuns::Subgraph, Vec::new()),
            Way::Worker(reasons) => (NodeRuns::Worker, reasons),
        };
        CompiledNode { name, runs, reasons }
    });
    let fields = graph.state.fields.iter().filter(|field| field.managed.is_none());
    CompiledGraph {
        name: shown_name(graph).to_string(),
        builder: graph.name.clone(),
        nodes: nodes.collect(),
        channels: fields
            .map(|field| Channel {
                name: field.name.clone(),
                annotation: field.annotation.clone(),
                reducer: field.reducer.as_ref().map(reducer_word),
            })
            .collect(),
        models: sorted(typed(graph).filter_map(|node| text(node, "model"))),
        tools: sorted(graph.nodes.iter().flat_map(|node| tools(&node.kind))),
    }
}

fn typed(graph: &GraphSpec) -> impl Iterator<Item = &TypedNode> {
    graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Typed(typed) => Some(typed),
        _ => None,
    })
}

fn tools(kind: &NodeKind) -> Vec<String> {
    match kind {
        NodeKind::ToolNode { tools, .. } => tools.clone(),
        NodeKind::Typed(node) => {
            let listed = setting(node, "tools").and_then(Value::as_list).unwrap_or_default();
            let named = listed.iter().filter_map(|tool| match tool.tag() {
                Some("ref") => tool.get("name")?.as_str(),
                _ => tool.as_str(),
            });
            named.map(String::from).collect()
        }
        _ => Vec::new(),
    }
}

fn setting<'a>(node: &'a TypedNode, name: &str) -> Option<&'a Value> {
    node.settings.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
}

fn text(node: &TypedNode, name: &str) -> Option<String> {
    setting(node, name)?.as_str().map(String::from)
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn reducer_word(reducer: &ReducerSpec) -> String {
    match reducer {
        ReducerSpec::Add => "add",
        ReducerSpec::Or => "or",
        ReducerSpec::And => "and",
        ReducerSpec::Mul => "mul",
        ReducerSpec::Max => "max",
        ReducerSpec::Min => "min",
        ReducerSpec::AddMessages => "add_messages",
        ReducerSpec::Function { name } | ReducerSpec::Delta { name } => name,
        ReducerSpec::Channel { class, .. } => class,
    }
    .to_string()
}
