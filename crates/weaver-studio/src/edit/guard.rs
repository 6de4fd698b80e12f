//! What came of an operation is read again: it has what was asked for, and everything
//! else of the file means what it meant.

use weaver_core::spec::{
    END, EdgeKind, EdgeSpec, FileSpec, GraphSpec, NodeKind, NodeSpec, START, SchemaSpec,
};

use super::templates::{Jinja, reads};
use super::{Done, Operation, Refused, TextEdit, splice};

/// Compares a file before and after an operation on one of its graphs.
pub(super) fn check(
    before: &FileSpec,
    after: &FileSpec,
    index: usize,
    operation: &Operation,
) -> Done {
    let unclear = |what: &str| {
        let help = "make the change in the code";
        Err(Refused::field("", format!("the edit would also change {what}"), help))
    };
    if after.problems.iter().any(|problem| problem.code == "syntax_error") {
        return unclear("the text to something that is no Python");
    }
    if before.graphs.len() != after.graphs.len() {
        return unclear("which graphs there are");
    }
    for (position, (old, new)) in before.graphs.iter().zip(&after.graphs).enumerate() {
        if old.name != new.name {
            return unclear("a graph's name");
        }
        // Graphs that share a field are renamed in together.
        let field = match operation {
            Operation::RenameField { name, to, .. } => Some((name.as_str(), to.as_str())),
            _ => None,
        };
        let operation = (position == index).then_some(operation);
        if nodes(old, operation) != nodes(new, operation) {
            return unclear(&format!("the nodes of graph `{}`", old.name));
        }
        if edges(old, operation, field) != edges(new, operation, field) {
            return unclear(&format!("other edges of graph `{}`", old.name));
        }
    }
    if schemas(before, operation) != schemas(after, operation) {
        return unclear("other classes");
    }
    match is_done(&after.graphs[index], operation) {
        true => Ok(()),
        false => unclear("the graph in another way than was asked"),
    }
}

fn is_done(graph: &GraphSpec, operation: &Operation) -> bool {
    let has_node = |name: &str| graph.nodes.iter().any(|node| node.name == name);
    let has_edge = |source: &str, target: &str| {
        graph.edges.iter().any(|edge| {
            edge.source == source
                && edge.target == target
                && matches!(edge.kind, EdgeKind::Plain | EdgeKind::Join)
        })
    };
    let is_named = |name: &str| {
        has_node(name) || graph.edges.iter().any(|e| e.source == name || e.target == name)
    };
    match operation {
        Operation::AddNode { name, .. } => has_node(name),
        Operation::RemoveNode { name, .. } => !is_named(name),
        Operation::RenameNode { name, to } => has_node(to) && !is_named(name),
        Operation::AddEdge { source, target } => has_edge(source, target),
        Operation::RemoveEdge { source, target } => !has_edge(source, target),
        Operation::SetEntry { target } => has_edge(START, target),
        Operation::RenameField { schema: None, name, to } => {
            let has = |name: &str| graph.state.fields.iter().any(|field| field.name == name);
            has(to) && !has(name)
        }
        _ => true,
    }
}

/// The nodes that an operation leaves as they are, with its new names.
fn nodes(graph: &GraphSpec, operation: Option<&Operation>) -> Vec<(String, String)> {
    let touched = match operation {
        Some(
            Operation::AddNode { name, .. }
            | Operation::RemoveNode { name, .. }
            | Operation::SetNode { name, .. },
        ) => name.as_str(),
        _ => "",
    };
    let mut nodes: Vec<_> = graph
        .nodes
        .iter()
        .filter(|node| node.name != touched)
        .map(|node| (renamed(&node.name, operation), runs(node)))
        .collect();
    nodes.sort();
    nodes
}

/// What runs a node, without places.
fn runs(node: &NodeSpec) -> String {
    match &node.kind {
        // What is written in the call, such as a lambda, may name nodes itself.
        NodeKind::Function { .. } => {
            let written = node.function.as_deref().unwrap_or_default();
            written.split(['(', ' ']).next().unwrap_or_default().to_string()
        }
        NodeKind::Typed(typed) => format!("nodes.{}", typed.node_type),
        NodeKind::Subgraph { graph, .. } => format!("graph {graph}"),
        NodeKind::ToolNode { tools, .. } => tools.join(" "),
        NodeKind::Dynamic { .. } => String::new(),
    }
}

/// The edges that an operation leaves as they are, with its new names.
fn edges(
    graph: &GraphSpec,
    operation: Option<&Operation>,
    field: Option<(&str, &str)>,
) -> Vec<(String, String, String)> {
    let of_node = |edge: &EdgeSpec, name: &str| {
        let own = graph.nodes.iter().any(|node| node.name == name && node.span == edge.span);
        own || edge.source == name || edge.target == name
    };
    let is_kept = |edge: &&EdgeSpec| match operation {
        // Without the node that it went to in the end, a typed node goes to the exit.
        Some(Operation::RemoveNode { name, .. }) => {
            let label = edge.label.as_deref().unwrap_or_default();
            let last_resort = matches!(label, "default" | "fallback" | "exit");
            !(of_node(edge, name) || edge.target == END && last_resort)
        }
        Some(Operation::AddNode { name, .. } | Operation::SetNode { name, .. }) => {
            !of_node(edge, name)
        }
        Some(Operation::AddEdge { source, target } | Operation::RemoveEdge { source, target }) => {
            edge.source != *source || edge.target != *target
        }
        Some(Operation::RedirectEdge { source, target, to_source, to_target }) => {
            let to_source = to_source.as_ref().unwrap_or(source);
            let to_target = to_target.as_ref().unwrap_or(target);
            (edge.source != *source || edge.target != *target)
                && (edge.source != *to_source || edge.target != *to_target)
        }
        Some(
            Operation::AddCondition { source, .. }
            | Operation::RemoveCondition { source, .. }
            | Operation::AddBranch { source, .. }
            | Operation::SetBranch { source, .. }
            | Operation::RemoveBranch { source, .. },
        ) => edge.source != *source,
        Some(Operation::SetEntry { .. }) => edge.source != START,
        _ => true,
    };
    let mut edges: Vec<_> = graph
        .edges
        .iter()
        .filter(is_kept)
        .map(|edge| {
            let ends = [&edge.source, &edge.target].map(|name| renamed(name, operation));
            let [source, target] = ends;
            let label = edge.label.as_ref().filter(|label| !says_name(label, edge, operation));
            let label = label.map(|label| asks(label, field));
            (source, target, format!("{:?} {label:?}", edge.kind))
        })
        .collect();
    edges.sort();
    edges
}

/// An arrow's word with a field's new name: that of a rule is an expression over the state.
fn asks(label: &str, field: Option<(&str, &str)>) -> String {
    let Some((name, to)) = field else { return label.to_string() };
    let places = reads(label, name, Jinja::Expression).unwrap_or_default();
    let edits: Vec<_> = places.into_iter().map(|place| TextEdit::new(place, to)).collect();
    splice(label, &edits)
}

/// Whether an arrow's word is only a node's name; a route that is called as its node may
/// keep its word when the node is renamed.
fn says_name(label: &str, edge: &EdgeSpec, operation: Option<&Operation>) -> bool {
    let renamed = match operation {
        Some(Operation::RenameNode { name, to }) => label == name || label == to,
        _ => false,
    };
    renamed || label == edge.target
}

fn renamed(name: &str, operation: Option<&Operation>) -> String {
    match operation {
        Some(Operation::RenameNode { name: from, to }) if from == name => to.clone(),
        _ => name.to_string(),
    }
}

/// The fields that an operation leaves as they are.
fn schemas(spec: &FileSpec, operation: &Operation) -> Vec<(String, String, String)> {
    let touched = match operation {
        Operation::AddField { name, .. }
        | Operation::SetField { name, .. }
        | Operation::RemoveField { name, .. } => [name.as_str(), ""],
        Operation::RenameField { name, to, .. } => [name.as_str(), to.as_str()],
        _ => [""; 2],
    };
    let fields = |schema: &SchemaSpec| -> Vec<_> {
        let kept = schema.fields.iter().filter(|field| !touched.contains(&field.name.as_str()));
        kept.map(|field| (schema.name.clone(), field.name.clone(), field.annotation.clone()))
            .collect()
    };
    spec.schemas.iter().flat_map(fields).collect()
}
