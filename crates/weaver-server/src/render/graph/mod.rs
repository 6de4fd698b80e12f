//! Pictures of a graph: Mermaid, Graphviz and SVG.

mod dot;
mod layout;
mod mermaid;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

use weaver_core::spec::{END, EdgeKind, GraphSpec, NodeKind, START};

/// The nodes that a picture shows: entry, the graph's own, exit.
fn shown_nodes(graph: &GraphSpec) -> Vec<&str> {
    let own = graph.nodes.iter().map(|node| node.name.as_str());
    std::iter::once(START).chain(own).chain(std::iter::once(END)).collect()
}

/// The family of a node, for colour and shape.
fn family(graph: &GraphSpec, name: &str) -> &'static str {
    match graph.nodes.iter().find(|node| node.name == name).map(|node| &node.kind) {
        None => "terminal",
        Some(NodeKind::Function { .. }) => "function",
        Some(NodeKind::Subgraph { .. }) => "subgraph",
        Some(NodeKind::ToolNode { .. }) => "tool",
        Some(NodeKind::Dynamic { .. }) => "dynamic",
        Some(NodeKind::Typed(typed)) => match typed.node_type.as_str() {
            "llm" | "intent" | "rag" | "agent_call" => "agent",
            "http" | "database" | "code" | "file" | "mcp" => "tool",
            "condition" | "loop" | "parallel" => "logic",
            "wait" | "user_input" | "webhook" | "schedule" => "human",
            _ => "output",
        },
    }
}

/// The second line of a node: what runs it, where that is not the name itself.
fn subtitle(graph: &GraphSpec, name: &str) -> Option<String> {
    let node = graph.nodes.iter().find(|node| node.name == name)?;
    match &node.kind {
        NodeKind::Typed(typed) => Some(format!("nodes.{}", typed.node_type)),
        NodeKind::Subgraph { graph, .. } => Some(format!("graph {graph}")),
        NodeKind::ToolNode { tools, .. } => Some(tools.join(", ")),
        NodeKind::Dynamic { .. } => Some("dynamic".into()),
        NodeKind::Function { .. } => {
            node.function.clone().filter(|function| function != name).map(|f| format!("{f}()"))
        }
    }
}

/// What is written for an entry or exit.
fn title(name: &str) -> &str {
    match name {
        START => "start",
        END => "end",
        other => other,
    }
}

/// Drawn with a broken line: the route is decided when the graph runs.
fn is_conditional(kind: EdgeKind) -> bool {
    matches!(kind, EdgeKind::Conditional | EdgeKind::Command | EdgeKind::Send)
}
