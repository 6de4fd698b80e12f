//! Mermaid flowchart text.

use std::fmt::Write;

use weaver_core::spec::GraphSpec;

use super::{family, is_conditional, shown_nodes, subtitle, title};

/// A `flowchart TD` that GitHub and other Markdown readers draw.
pub fn mermaid(graph: &GraphSpec) -> String {
    let nodes = shown_nodes(graph);
    let id = |name: &str| nodes.iter().position(|node| *node == name).map(|i| format!("n{i}"));
    let mut out = String::from("flowchart TD\n");
    for (i, name) in nodes.iter().enumerate() {
        let label = match subtitle(graph, name) {
            Some(subtitle) => format!("{}<br/><small>{}</small>", escape(name), escape(&subtitle)),
            None => escape(title(name)),
        };
        let (open, close) = match family(graph, name) {
            "terminal" => ("([\"", "\"])"),
            "logic" => ("{{\"", "\"}}"),
            "subgraph" => ("[[\"", "\"]]"),
            "human" => ("[/\"", "\"/]"),
            _ => ("[\"", "\"]"),
        };
        let _ = writeln!(out, "    n{i}{open}{label}{close}");
    }
    for edge in &graph.edges {
        let (Some(source), Some(target)) = (id(&edge.source), id(&edge.target)) else { continue };
        let arrow = if is_conditional(edge.kind) { "-.->" } else { "-->" };
        match &edge.label {
            Some(label) if *label != edge.target => {
                let _ = writeln!(out, "    {source} {arrow}|\"{}\"| {target}", escape(label));
            }
            _ => {
                let _ = writeln!(out, "    {source} {arrow} {target}");
            }
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
