//! Operations that a canvas could ask for, and what undoes them.

use weaver_core::Value;
use weaver_core::spec::{END, EdgeKind, GraphSpec, NodeKind, START, TypedNode};
use weaver_core::value::Map;
use weaver_studio::edit::{NewNode, Operation};

use crate::corpus::Random;

/// An operation on a graph; nothing where the graph has no place for it.
pub fn operation(graph: &GraphSpec, text: &str, random: &mut Random) -> Option<Operation> {
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    if names.is_empty() {
        return Some(add_node(graph, text, random));
    }
    let node = |random: &mut Random| random.pick(&names).to_string();
    let source = |random: &mut Random| match random.one_in(8) {
        true => START.to_string(),
        false => random.pick(&names).to_string(),
    };
    let target = |random: &mut Random| match random.one_in(6) {
        true => END.to_string(),
        false => random.pick(&names).to_string(),
    };
    let fresh = format!("new {}", random.below(50));
    Some(match random.below(22) {
        0..=2 => add_node(graph, text, random),
        3 | 4 => Operation::RemoveNode { name: node(random), remove_function: random.one_in(3) },
        5..=7 => Operation::RenameNode { name: node(random), to: fresh },
        8 | 9 => return set_node(graph, random),
        10 | 11 => Operation::AddEdge { source: source(random), target: target(random) },
        12 => {
            let edge = plain_edge(graph, random)?;
            Operation::RemoveEdge { source: edge.0, target: edge.1 }
        }
        13 | 14 => {
            let (from, to) = plain_edge(graph, random)?;
            let to_source = random.one_in(3).then(|| source(random));
            let to_target = (to_source.is_none() || random.one_in(3)).then(|| target(random));
            Operation::RedirectEdge { source: from, target: to, to_source, to_target }
        }
        15 => add_condition(source(random), target(random), target(random), text, random),
        16 | 17 => return route(graph, target(random), random),
        18 => Operation::SetEntry { target: node(random) },
        _ => return field(graph, random),
    })
}

fn add_node(graph: &GraphSpec, text: &str, random: &mut Random) -> Operation {
    let name = format!("added \"{}\"", random.below(30));
    let target = graph.nodes.first().map_or(END, |node| node.name.as_str());
    let typed = |typed: &str, settings: &[(&str, Value)]| NewNode::Typed {
        typed: typed.into(),
        settings: settings.iter().map(|(key, value)| ((*key).into(), value.clone())).collect(),
    };
    let node = match random.below(5) {
        0 => NewNode::NewFunction { new_function: format!("added_{}", random.below(40)) },
        1 => match function(text, random) {
            Some(function) => NewNode::Function { function },
            None => NewNode::NewFunction { new_function: format!("added_{}", random.below(40)) },
        },
        2 => typed("llm", &[
            ("model", "openai/gpt-4o".into()),
            ("prompt", "It's \"{{ question }}\"\nwith a \\ and a long line behind it, so long that one line is not enough".into()),
            ("temperature", 0.25.into()),
        ]),
        3 => {
            let rule = Value::map([("if", "score > 1".into()), ("goto", target.into())]);
            typed("condition", &[("rules", Value::list([rule]))])
        }
        _ => typed("http", &[
            ("url", "https://example.com".into()),
            ("headers", Value::map([("a", "b".into())])),
            ("allow_status", Value::list([404.into()])),
            ("timeout", 5.into()),
        ]),
    };
    Operation::AddNode { name, node }
}

/// A function of the module that says nothing about where it goes.
fn function(text: &str, random: &mut Random) -> Option<String> {
    if text.contains("Send(") {
        return None;
    }
    let names = text.lines().filter(|line| line.ends_with("-> dict:"));
    let names = names.filter_map(|line| line.strip_prefix("def "));
    let names: Vec<&str> = names.filter_map(|line| line.split('(').next()).collect();
    let plain =
        names.iter().filter(|name| !name.starts_with("route") && !name.starts_with("build"));
    let plain: Vec<&&str> = plain.collect();
    (!plain.is_empty()).then(|| random.pick(&plain).to_string())
}

fn set_node(graph: &GraphSpec, random: &mut Random) -> Option<Operation> {
    let typed = typed_nodes(graph);
    if typed.is_empty() {
        return None;
    }
    let (name, node) = random.pick(&typed);
    let mut settings = Map::new();
    let kept = |setting: &&str| node.settings.iter().any(|known| known.name == **setting);
    let candidates: &[(&str, Value)] = match node.node_type.as_str() {
        "llm" => &[
            ("prompt", "Other \"words\"\nin lines".into()),
            ("temperature", 0.75.into()),
            ("max_tokens", 100.into()),
            ("system", "Be kind.".into()),
            ("into", "answer".into()),
        ],
        "http" => &[
            ("headers", Value::map([("a", "1".into()), ("c", "3".into())])),
            ("allow_status", Value::list([404.into(), 409.into(), 410.into()])),
            ("method", "POST".into()),
            ("json", Value::map([("deep", Value::list([Value::Null, true.into(), (-2).into()]))])),
            ("timeout", Value::Int(9)),
        ],
        "response" => &[("text", "{{ answer }}".into()), ("into", "answer".into())],
        "code" => &[("code", "result = 1".into()), ("cpu_seconds", 1.5.into())],
        _ => return None,
    };
    for _ in 0..1 + random.below(2) {
        let (setting, value) = random.pick(candidates);
        let remove = random.one_in(4) && kept(setting);
        settings.insert((*setting).into(), if remove { Value::Null } else { value.clone() });
    }
    Some(Operation::SetNode { name: name.clone(), settings })
}

fn typed_nodes(graph: &GraphSpec) -> Vec<(String, &TypedNode)> {
    let typed = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Typed(typed) => Some((node.name.clone(), typed)),
        _ => None,
    });
    typed.collect()
}

fn plain_edge(graph: &GraphSpec, random: &mut Random) -> Option<(String, String)> {
    let plain = graph.edges.iter().filter(|e| matches!(e.kind, EdgeKind::Plain | EdgeKind::Join));
    let plain: Vec<_> = plain.collect();
    let edge = (!plain.is_empty()).then(|| random.pick(&plain))?;
    Some((edge.source.clone(), edge.target.clone()))
}

fn add_condition(
    source: String,
    first: String,
    second: String,
    text: &str,
    random: &mut Random,
) -> Operation {
    let mut routes = Map::new();
    routes.insert("it's so".into(), first.as_str().into());
    if random.one_in(2) {
        routes.insert("no".into(), second.as_str().into());
    }
    let deciders = text.lines().filter_map(|line| line.strip_prefix("def route"));
    let deciders: Vec<&str> = deciders.filter_map(|line| line.split('(').next()).collect();
    // A function that sends has arrows of its own.
    let known = !deciders.is_empty() && !text.contains("Send(") && random.one_in(2);
    let function = known.then(|| format!("route{}", random.pick(&deciders)));
    let new_function = (!known).then(|| format!("decide_{}", random.below(40)));
    Operation::AddCondition { source, function, new_function, routes }
}

/// An operation on a route.
fn route(graph: &GraphSpec, target: String, random: &mut Random) -> Option<Operation> {
    let routes = graph.edges.iter().filter(|edge| edge.kind == EdgeKind::Conditional);
    let routes: Vec<_> = routes.collect();
    let edge = *(!routes.is_empty()).then(|| random.pick(&routes))?;
    let mut branches = graph.branches.iter().filter(|branch| branch.source == edge.source);
    let branch = branches.clone().find(|branch| branch.span == edge.span);
    let typed = graph.nodes.iter().find(|node| node.span == edge.span && node.name == edge.source);
    let several = branches.by_ref().count() > 1;
    // A source with both kinds of routes, or two arrows with one word, is no plain case.
    let label = edge.label.clone()?;
    let same = |other: &&&weaver_core::spec::EdgeSpec| {
        other.source == edge.source && other.label.as_ref() == Some(&label)
    };
    if several || routes.iter().filter(same).count() > 1 || (branch.is_none() && typed.is_none()) {
        return None;
    }
    if typed.is_some() && branch.is_some() {
        return None;
    }
    let source = edge.source.clone();
    let branch = branch.map(|branch| branch.name.clone()).filter(|_| random.one_in(2));
    Some(match random.below(4) {
        0 => {
            let route = format!("score > {}", random.below(90));
            Operation::AddBranch { source, branch, route, target }
        }
        1 => Operation::RemoveBranch { source, branch, route: label },
        2 => {
            let to_route = Some(format!("word {}", random.below(90)));
            Operation::SetBranch { source, branch, route: label, to_route, target: None }
        }
        _ => Operation::SetBranch {
            source,
            branch,
            route: label,
            to_route: None,
            target: Some(target),
        },
    })
}

fn field(graph: &GraphSpec, random: &mut Random) -> Option<Operation> {
    let known = (!graph.state.fields.is_empty()).then(|| random.pick(&graph.state.fields));
    let annotation = random.pick(&["int", "str", "list[str]", "dict[str, int]"]).to_string();
    Some(match random.below(7) {
        0 => {
            let reducer = random.one_in(2).then(|| "add".to_string());
            let name = format!("field_{}", random.below(40));
            Operation::AddField { schema: None, name, annotation, reducer }
        }
        1 => Operation::RemoveField { schema: None, name: known?.name.clone() },
        2 => Operation::SetField {
            schema: None,
            name: known?.name.clone(),
            annotation: Some(annotation),
            reducer: None,
        },
        3..=5 => {
            let to = format!("field_{}", random.below(40));
            Operation::RenameField { schema: None, name: known?.name.clone(), to }
        }
        _ => Operation::SetField {
            schema: None,
            name: known?.name.clone(),
            annotation: None,
            reducer: Some(random.one_in(2).then(|| "max".to_string())),
        },
    })
}

/// The operation that gives the text back, for one that has such an inverse.
pub fn inverse(operation: &Operation, graph: &GraphSpec, text: &str) -> Option<Operation> {
    Some(match operation {
        Operation::AddNode { name, node } => {
            let imports = matches!(node, NewNode::Typed { .. })
                && !text.contains("from agentweaver import nodes");
            if imports {
                return None;
            }
            let remove_function = matches!(node, NewNode::NewFunction { .. });
            Operation::RemoveNode { name: name.clone(), remove_function }
        }
        Operation::AddEdge { source, target } => {
            Operation::RemoveEdge { source: source.clone(), target: target.clone() }
        }
        Operation::RenameNode { name, to } => {
            // A name that the function gave is written out from then on.
            let node = graph.nodes.iter().find(|node| node.name == *name)?;
            let code = &text[node.span.start as usize..node.span.end as usize];
            let explicit =
                code.contains(&format!("\"{name}\"")) || code.contains(&format!("'{name}'"));
            let intents = text.contains("nodes.intent(");
            let odd = name.contains(['|', ':']);
            if !explicit || intents || odd {
                return None;
            }
            Operation::RenameNode { name: to.clone(), to: name.clone() }
        }
        Operation::AddBranch { source, branch, route, .. } if has_dict(graph, source, text) => {
            Operation::RemoveBranch {
                source: source.clone(),
                branch: branch.clone(),
                route: route.clone(),
            }
        }
        Operation::SetBranch { source, branch, route, to_route: Some(to_route), target: None }
            if has_dict(graph, source, text) && route != END =>
        {
            Operation::SetBranch {
                source: source.clone(),
                branch: branch.clone(),
                route: to_route.clone(),
                to_route: Some(route.clone()),
                target: None,
            }
        }
        Operation::AddCondition { source, function: Some(function), .. } => {
            Operation::RemoveCondition { source: source.clone(), branch: Some(function.clone()) }
        }
        Operation::AddField { name, reducer: None, .. } => {
            Operation::RemoveField { schema: None, name: name.clone() }
        }
        Operation::RenameField { schema, name, to } => {
            let (schema, name, to) = (schema.clone(), to.clone(), name.clone());
            Operation::RenameField { schema, name, to }
        }
        Operation::SetNode { name, settings } if settings.len() == 1 => {
            let node = graph.nodes.iter().find(|node| node.name == *name)?;
            let NodeKind::Typed(typed) = &node.kind else { return None };
            let (setting, value) = settings.first()?;
            let known = typed.settings.iter().any(|known| known.name == **setting);
            if known || value.is_null() {
                return None;
            }
            let settings = Map::from_iter([(setting.clone(), Value::Null)]);
            Operation::SetNode { name: name.clone(), settings }
        }
        _ => return None,
    })
}

/// The routes of the source's one branch are a dict in its call, with text keys.
fn has_dict(graph: &GraphSpec, source: &str, text: &str) -> bool {
    let mut branches = graph.branches.iter().filter(|branch| branch.source == source);
    let (Some(branch), None) = (branches.next(), branches.next()) else { return false };
    let code = &text[branch.span.start as usize..branch.span.end as usize];
    code.contains('{') && !code.contains("True") && !code.contains("False")
}
