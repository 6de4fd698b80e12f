//! An SVG picture that follows the reader's light or dark theme.

use std::fmt::Write;

use weaver_core::spec::GraphSpec;

use super::layout::{Box, Layout, layout};
use super::{family, is_conditional, shown_nodes, subtitle, title};

const STYLE: &str = "\
  svg { font-family: ui-sans-serif, system-ui, 'Segoe UI', sans-serif; font-size: 14px; }
  .paper { fill: #ffffff; } .name { fill: #17202b; font-weight: 600; } .sub { fill: #5a6675; font-size: 11.5px; }
  .edge { fill: none; stroke: #7c8896; stroke-width: 1.5; } .maybe { stroke-dasharray: 5 4; } .tip { fill: #7c8896; }
  .label { fill: #3d4855; font-size: 11.5px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
  .node { stroke-width: 1.5; } .terminal { fill: #eef1f4; stroke: #7c8896; }
  .function { fill: #e8f1fd; stroke: #2f6fc4; } .agent { fill: #f1ebfd; stroke: #7a4fd0; }
  .tool { fill: #e6f5ef; stroke: #1d8560; } .logic { fill: #fdf3df; stroke: #b3730b; }
  .human { fill: #fde9ec; stroke: #c23d55; } .output { fill: #e5f4f7; stroke: #17808f; }
  .subgraph { fill: #eef0fb; stroke: #4453b8; } .dynamic { fill: #f4f4f4; stroke: #8a8a8a; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #12161c; } .name { fill: #eef2f6; } .sub { fill: #a3afbd; } .edge { stroke: #8693a2; } .tip { fill: #8693a2; }
    .label { fill: #c8d1db; stroke: #12161c; }
    .terminal { fill: #232a33; } .function { fill: #16283f; } .agent { fill: #2a2144; } .tool { fill: #123329; }
    .logic { fill: #3a2c10; } .human { fill: #401c25; } .output { fill: #103338; } .subgraph { fill: #1e2346; } .dynamic { fill: #262626; }
  }
";

/// The whole picture.
pub fn svg(graph: &GraphSpec) -> String {
    let nodes = shown_nodes(graph);
    let boxes: Vec<Box> = nodes.iter().map(|name| measure(graph, name)).collect();
    let place = |name: &str| nodes.iter().position(|node| *node == name);
    let drawn: Vec<_> = graph
        .edges
        .iter()
        .filter_map(|edge| Some((edge, (place(&edge.source)?, place(&edge.target)?))))
        .collect();
    let ends: Vec<(usize, usize)> = drawn.iter().map(|(_, ends)| *ends).collect();
    let placed = layout(&boxes, &ends);
    let (width, height) = (placed.size.0.ceil() + 40.0, placed.size.1.ceil());
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Graph {}\">",
        escape(&graph.name)
    );
    let _ = writeln!(out, "<style>\n{STYLE}</style>");
    out.push_str("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5 L8 4 L0 7.5 z\"/></marker></defs>\n");
    let _ =
        writeln!(out, "<rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"12\"/>");
    let mut labels = String::new();
    for (e, (edge, ends)) in drawn.iter().enumerate() {
        let points = route(&placed, &boxes, *ends, e);
        let class = if is_conditional(edge.kind) { "edge maybe" } else { "edge" };
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#tip)\"/>",
            curve(&points)
        );
        if let Some(label) = edge.label.as_ref().filter(|label| **label != edge.target) {
            let (x, y) = midpoint(&points);
            let _ = writeln!(
                labels,
                "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
                escape(label)
            );
        }
    }
    for (name, (size, centre)) in nodes.iter().zip(boxes.iter().zip(&placed.centres)) {
        out.push_str(&node(graph, name, size, *centre));
    }
    out.push_str(&labels);
    out.push_str("</svg>\n");
    out
}

fn measure(graph: &GraphSpec, name: &str) -> Box {
    let subtitle = subtitle(graph, name);
    let widest = (text_width(title(name)) * 8.0)
        .max(subtitle.as_deref().map_or(0.0, |text| text_width(text) * 6.4));
    let height = if subtitle.is_some() { 50.0 } else { 38.0 };
    Box { width: (widest + 34.0).max(72.0), height }
}

/// Width in Latin letters; ideographs and kana take two.
fn text_width(text: &str) -> f64 {
    console::measure_text_width(text) as f64
}

fn node(graph: &GraphSpec, name: &str, size: &Box, (x, y): (f64, f64)) -> String {
    let family = family(graph, name);
    let radius = if family == "terminal" { size.height / 2.0 } else { 9.0 };
    let mut out = format!(
        "<g><rect class=\"node {family}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\"/>",
        x - size.width / 2.0,
        y - size.height / 2.0,
        size.width,
        size.height
    );
    let subtitle = subtitle(graph, name);
    let baseline = if subtitle.is_some() { y - 2.0 } else { y + 5.0 };
    let _ = write!(
        out,
        "<text class=\"name\" x=\"{x:.1}\" y=\"{baseline:.1}\" text-anchor=\"middle\">{}</text>",
        escape(title(name))
    );
    if let Some(subtitle) = subtitle {
        let _ = write!(
            out,
            "<text class=\"sub\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            y + 15.0,
            escape(&subtitle)
        );
    }
    out.push_str("</g>\n");
    out
}

/// From the border of the source, through the bends, to the border of the target.
fn route(
    placed: &Layout,
    boxes: &[Box],
    (source, target): (usize, usize),
    edge: usize,
) -> Vec<(f64, f64)> {
    let (sx, sy) = placed.centres[source];
    let (tx, ty) = placed.centres[target];
    if source == target {
        let right = sx + boxes[source].width / 2.0;
        return vec![
            (right, sy - 8.0),
            (right + 34.0, sy - 22.0),
            (right + 34.0, sy + 22.0),
            (right, sy + 8.0),
        ];
    }
    let down = ty > sy;
    let border =
        |node: usize, below: bool| boxes[node].height / 2.0 * if below { 1.0 } else { -1.0 };
    let bends = &placed.bends[edge];
    // A loop back to the node right above would lie on the way down: bow it out.
    let bow = !down && bends.is_empty();
    if bow {
        let right = (sx + boxes[source].width / 2.0).max(tx + boxes[target].width / 2.0);
        return vec![
            (sx + boxes[source].width / 2.0, sy),
            (right + 30.0, (sy + ty) / 2.0),
            (tx + boxes[target].width / 2.0, ty),
        ];
    }
    let mut points = vec![(sx, sy + border(source, down))];
    points.extend(bends);
    points.push((tx, ty + border(target, !down)));
    points
}

/// A smooth path: vertical tangents at every point of a descending or rising way.
fn curve(points: &[(f64, f64)]) -> String {
    let mut d = format!("M{:.1} {:.1}", points[0].0, points[0].1);
    let sideways = points.len() == 3 && (points[1].0 - points[0].0).abs() > 1.0 && {
        let x = points[1].0;
        x > points[0].0 && x > points[2].0 && points[0].1 > points[2].1
    };
    if sideways || points.len() == 4 && points[1].0 == points[2].0 && points[1].1 < points[2].1 {
        let (a, b) = (points[1], points[points.len() - 2]);
        let end = points[points.len() - 1];
        let (ay, by) = if points.len() == 3 { (points[0].1, end.1) } else { (a.1, b.1) };
        let _ = write!(d, " C{:.1} {ay:.1} {:.1} {by:.1} {:.1} {:.1}", a.0, b.0, end.0, end.1);
        return d;
    }
    for pair in points.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let middle = (ay + by) / 2.0;
        let _ = write!(d, " C{ax:.1} {middle:.1} {bx:.1} {middle:.1} {bx:.1} {by:.1}");
    }
    d
}

fn midpoint(points: &[(f64, f64)]) -> (f64, f64) {
    let half = points.len() / 2;
    let (a, b) = (points[half - 1], points[half]);
    match points.len() % 2 {
        0 => ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0 + 4.0),
        _ => (b.0, b.1 + 4.0),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
