//! Graphviz text.

use std::fmt::Write;

use weaver_core::spec::GraphSpec;

use super::{family, is_conditional, shown_nodes, subtitle, title};

/// A `digraph` for `dot -Tsvg`.
pub fn dot(graph: &GraphSpec) -> String {
    let mut out =
        String::from("digraph {\n    rankdir=TB;\n    node [shape=box, style=rounded];\n");
    for name in shown_nodes(graph) {
        let label = match subtitle(graph, name) {
            Some(subtitle) => format!("{name}\n{subtitle}"),
            None => title(name).to_string(),
        };
        let shape = match family(graph, name) {
            "terminal" => "oval",
            "logic" => "diamond",
            "subgraph" => "box3d",
            _ => "box",
        };
        let _ = writeln!(out, "    {} [label={}, shape={shape}];", quote(name), quote(&label));
    }
    for edge in &graph.edges {
        let style = if is_conditional(edge.kind) { "dashed" } else { "solid" };
        let label = edge.label.as_deref().filter(|label| *label != edge.target).unwrap_or("");
        let _ = writeln!(
            out,
            "    {} -> {} [style={style}, label={}];",
            quote(&edge.source),
            quote(&edge.target),
            quote(label)
        );
    }
    out.push_str("}\n");
    out
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
