//! Problems of whole graphs: ends that do not exist, nodes that nothing reaches,
//! writes that collide.

use std::ops::Range;

use weaver_core::spec::{END, EdgeKind, NodeKind, START};
use weaver_core::{FastMap, FastSet, Severity};

use crate::analysis::SchemaMap;
use crate::assemble::{Assembled, is_end};
use crate::problem::{Problems, suggestion};

/// Checks one graph. `broken` are the chunks that do not parse: what is missing
/// there is not reported as missing.
pub(crate) fn check(
    graph: &Assembled,
    schemas: &SchemaMap<'_>,
    broken: &[Range<usize>],
    problems: &mut Problems,
) {
    let incomplete = !broken.is_empty() || !graph.spec.dynamic.is_empty();
    names(graph, problems);
    timeouts(graph, problems);
    ends(graph, incomplete, broken, problems);
    interrupts(graph, incomplete, problems);
    duplicates(graph, problems);
    if !incomplete {
        reach(graph, problems);
    }
    if graph.spec.compile.span.is_none() && broken.is_empty() {
        let message = format!("graph `{}` is never compiled", graph.spec.name);
        problems.warning("not_compiled", &graph.place, message, "add `app = graph.compile()`");
    }
    state_keys(graph, schemas, problems);
    writers(graph, problems);
}

fn names(graph: &Assembled, problems: &mut Problems) {
    for (node, place) in graph.spec.nodes.iter().zip(&graph.node_places) {
        let reserved = is_end(&node.name);
        let bad = node.name.chars().find(|c| matches!(c, '|' | ':'));
        if reserved || node.name.is_empty() || bad.is_some() {
            let message = match bad {
                Some(bad) => format!("the node name `{}` contains `{bad}`", node.name),
                None if node.name.is_empty() => "the node name is empty".to_string(),
                None => format!("the node name `{}` is reserved", node.name),
            };
            let help = "choose another name, without `|` and `:`";
            problems.error("invalid_node_name", place, message, help);
        }
    }
}

/// LangGraph refuses time limits on what it could not stop.
fn timeouts(graph: &Assembled, problems: &mut Problems) {
    let for_all = graph.spec.node_defaults.timeout.as_ref();
    for ((node, place), sync) in
        graph.spec.nodes.iter().zip(&graph.node_places).zip(&graph.sync_nodes)
    {
        if *sync && node.policies.timeout.as_ref().or(for_all).is_some() {
            let message = format!("node `{}` has a time limit but is not async", node.name);
            let help = "make it `async def`, or remove `timeout=`";
            problems.error("bad_argument", place, message, help);
        }
    }
}

fn ends(graph: &Assembled, incomplete: bool, broken: &[Range<usize>], problems: &mut Problems) {
    let mut known: Vec<&str> = graph.spec.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut set: FastSet<&str> = FastSet::default();
    known.retain(|name| set.insert(name));
    // A node that is only known when the graph is built could be the one that is meant.
    let open = graph.spec.dynamic.iter().any(|d| d.reason.contains("node's name"));
    let sure = !(open || incomplete && known.is_empty());
    let mut unknown = |name: &str, place: &Range<usize>, what: &str, severity: Severity| {
        let half_typed = broken.iter().any(|b| b.start <= place.start && place.start < b.end);
        if !set.contains(name) && !is_end(name) && sure && !half_typed {
            let ignored = if severity == Severity::Error { "" } else { ": it is ignored" };
            let message = format!("{what} `{name}` is no node of this graph{ignored}");
            let help = suggestion(name, "node", &known);
            problems.add("unknown_node", severity, place.clone(), message, Some(help));
        }
    };
    let mut wrong_ends: Vec<(&'static str, Range<usize>, String)> = Vec::new();
    for (edge, place) in graph.spec.edges.iter().zip(&graph.edge_places) {
        let (source, target) = (&place.source, &place.target);
        // What a function answers is only looked at when it runs, and then ignored.
        let severity = if place.declared { Severity::Error } else { Severity::Warning };
        unknown(&edge.source, source, "the source", Severity::Error);
        unknown(&edge.target, target, "the target", severity);
        if edge.source == END {
            wrong_ends.push(("edge_from_end", source.clone(), "an edge cannot leave END".into()));
        }
        if edge.target == START {
            wrong_ends.push(("edge_to_start", target.clone(), "an edge cannot go to START".into()));
        }
    }
    for (branch, place) in
        graph.spec.branches.iter().map(|b| (b, b.span.start as usize..b.span.end as usize))
    {
        unknown(&branch.source, &place, "the source", Severity::Error);
    }
    for (code, place, message) in wrong_ends {
        problems.error(code, &place, message, "swap source and target, or choose another node");
    }
}

fn interrupts(graph: &Assembled, incomplete: bool, problems: &mut Problems) {
    let compile = &graph.spec.compile;
    let Some(span) = compile.span else { return };
    let known: Vec<&str> = graph.spec.nodes.iter().map(|node| node.name.as_str()).collect();
    for name in compile.interrupt_before.iter().chain(&compile.interrupt_after) {
        if name != "*" && !known.contains(&name.as_str()) && !incomplete {
            let place = span.start as usize..span.end as usize;
            let message = format!("`{name}` to interrupt at is no node of this graph");
            problems.error("unknown_node", &place, message, suggestion(name, "node", &known));
        }
    }
}

fn duplicates(graph: &Assembled, problems: &mut Problems) {
    let mut seen: FastMap<&str, u32> = FastMap::default();
    for (node, place) in graph.spec.nodes.iter().zip(&graph.node_places) {
        match seen.get(node.name.as_str()) {
            Some(line) => {
                let message = format!("node `{}` was already added in line {line}", node.name);
                problems.error("duplicate_node", place, message, "give one of them another name");
            }
            None => {
                seen.insert(&node.name, node.line);
            }
        }
    }
    let mut edges: FastSet<(&str, &str)> = FastSet::default();
    for edge in graph.spec.edges.iter().filter(|edge| edge.kind == EdgeKind::Plain) {
        if !edges.insert((&edge.source, &edge.target)) {
            let place = edge.span.start as usize..edge.span.end as usize;
            let message =
                format!("the edge from `{}` to `{}` is there twice", edge.source, edge.target);
            problems.warning("duplicate_edge", &place, message, "remove one: it changes nothing");
        }
    }
}

/// No entry, nodes that nothing reaches, nodes that nothing follows.
fn reach(graph: &Assembled, problems: &mut Problems) {
    let spec = &graph.spec;
    if spec.nodes.is_empty() {
        return;
    }
    // An edge whose end is mistyped is missing elsewhere: that is one problem, not two.
    let is_known = |name: &str| is_end(name) || spec.nodes.iter().any(|node| node.name == name);
    let mut ends = spec.edges.iter().zip(&graph.edge_places);
    let mistyped = ends
        .any(|(edge, place)| !is_known(&edge.source) || place.declared && !is_known(&edge.target))
        || spec.branches.iter().any(|branch| !is_known(&branch.source));
    let mut following: FastMap<&str, Vec<&str>> = FastMap::default();
    for edge in &spec.edges {
        following.entry(&edge.source).or_default().push(&edge.target);
    }
    let branching: FastSet<&str> = spec.branches.iter().map(|b| b.source.as_str()).collect();
    if !following.contains_key(START) && !branching.contains(START) {
        let message = format!("graph `{}` has no entry", spec.name);
        let first = &spec.nodes[0].name;
        let help = format!("add an edge from START, such as `add_edge(START, \"{first}\")`");
        problems.error("no_entry", &graph.place, message, help);
        return;
    }
    let mut reached: FastSet<&str> = FastSet::default();
    let mut open = vec![START];
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(following.get(name).into_iter().flatten());
        }
    }
    let anywhere = graph.open_sources.iter().any(|source| reached.contains(source.as_str()));
    for (index, (node, place)) in spec.nodes.iter().zip(&graph.node_places).enumerate() {
        if !mistyped && !anywhere && !reached.contains(node.name.as_str()) {
            let message = format!("nothing leads to node `{}`", node.name);
            problems.warning("unreachable_node", place, message, "add an edge to it or remove it");
        }
        let decides = graph.outcomes[index].as_ref().is_some_and(|o| o.uses_command());
        if !mistyped
            && !following.contains_key(node.name.as_str())
            && !branching.contains(node.name.as_str())
            && !decides
        {
            let message = format!("nothing follows node `{}`: the run ends there", node.name);
            let help = format!("add `add_edge(\"{}\", END)` to say so", node.name);
            problems.add("dead_end", Severity::Info, place.clone(), message, Some(help));
        }
    }
}

/// Keys that nodes write and the state does not have.
fn state_keys(graph: &Assembled, schemas: &SchemaMap<'_>, problems: &mut Problems) {
    let spec = &graph.spec;
    let mut known: Vec<&str> = spec.state.fields.iter().map(|field| field.name.as_str()).collect();
    if known.is_empty() {
        return;
    }
    let private = spec.nodes.iter().filter_map(|node| node.input_schema.as_ref());
    let others = [&spec.input_schema, &spec.output_schema];
    for name in private.chain(others.into_iter().flatten()) {
        match schemas.get(name.as_str()) {
            Some(schema) => known.extend(schema.fields.iter().map(|field| field.name.as_str())),
            None => return,
        }
    }
    // A function may serve several nodes: its place counts once.
    let mut seen: FastSet<usize> = FastSet::default();
    let mut unknown = |key: &str, place: &Range<usize>, node: &str| {
        if !known.contains(&key) && seen.insert(place.start) {
            let message = format!("node `{node}` writes `{key}`, which is no key of the state");
            let help = suggestion(key, "key", &known);
            problems.warning("unknown_state_key", place, message, help);
        }
    };
    for (node, outcomes) in spec.nodes.iter().zip(&graph.outcomes) {
        for (key, place) in outcomes.iter().flat_map(|outcomes| &outcomes.updates) {
            unknown(key, place, &node.name);
        }
        if let NodeKind::Typed(typed) = &node.kind {
            for setting in typed
                .settings
                .iter()
                .filter(|s| matches!(&*s.name, "into" | "item_key" | "index_key"))
            {
                let place = setting.span.start as usize..setting.span.end as usize;
                if let Some(key) = setting.value.as_str() {
                    unknown(key, &place, &node.name);
                }
            }
        }
    }
}

/// Two nodes that surely run in one step and surely write the same plain key.
fn writers(graph: &Assembled, problems: &mut Problems) {
    let spec = &graph.spec;
    let plain: FastSet<&str> = spec
        .state
        .fields
        .iter()
        .filter(|field| field.reducer.is_none() && field.managed.is_none())
        .map(|field| field.name.as_str())
        .collect();
    let index: FastMap<&str, usize> =
        spec.nodes.iter().enumerate().map(|(i, node)| (node.name.as_str(), i)).collect();
    let mut together: FastMap<&str, Vec<&str>> = FastMap::default();
    for edge in spec.edges.iter().filter(|edge| edge.kind == EdgeKind::Plain && edge.target != END)
    {
        together.entry(&edge.source).or_default().push(&edge.target);
    }
    let mut groups: Vec<(&str, Vec<&str>)> = together.into_iter().collect();
    groups.sort_unstable();
    for (source, targets) in groups {
        let mut writers: FastMap<&str, &str> = FastMap::default();
        for target in targets {
            let Some(position) = index.get(target) else { continue };
            if spec.nodes[*position].defer {
                continue;
            }
            let outcomes = graph.outcomes[*position].as_ref();
            let surely = outcomes.filter(|outcomes| outcomes.sole_update);
            for (key, place) in surely.iter().flat_map(|outcomes| &outcomes.updates) {
                if !plain.contains(key.as_str()) {
                    continue;
                }
                match writers.get(key.as_str()) {
                    Some(other) if *other != target => {
                        let message = format!(
                            "`{other}` and `{target}` both run after `{source}` and write `{key}`, which has no reducer"
                        );
                        let help = format!(
                            "give the key a reducer: `{key}: Annotated[list, operator.add]`, or write different keys"
                        );
                        problems.warning("two_writers", place, message, help);
                    }
                    _ => {
                        writers.insert(key, target);
                    }
                }
            }
        }
    }
}
