//! What operations mean, said on the graph alone: the other half of the round-trip law.

use std::collections::BTreeMap;

use weaver_core::Value;
use weaver_core::spec::{END, EdgeKind, GraphSpec, NodeKind, ReducerSpec, START};
use weaver_studio::edit::{NewNode, Operation};

/// A graph without places and order: a dataclass has fields with defaults last.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub nodes: BTreeMap<String, Node>,
    pub edges: Vec<Edge>,
    pub fields: Vec<(String, String, Option<String>)>,
    pub interrupts: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: String,
    /// Settings that name no nodes, as JSON: where a typed node goes is in its edges.
    pub settings: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub source: String,
    pub target: String,
    pub kind: &'static str,
    /// What the arrow says, if that is not the target's name.
    pub label: Option<String>,
}

/// Settings that are drawn as edges.
const DRAWN: [&str; 10] = [
    "rules",
    "default",
    "intents",
    "fallback",
    "body",
    "exit",
    "goto",
    "on_timeout",
    "branches",
    "then",
];

pub fn model(graph: &GraphSpec) -> Model {
    let nodes = graph.nodes.iter().map(|node| {
        let mut settings = BTreeMap::new();
        let kind = match &node.kind {
            // What is written in the call may name nodes itself.
            NodeKind::Function { .. } => {
                let written = node.function.as_deref().unwrap_or("");
                format!("function {}", written.split(['(', ' ']).next().unwrap_or(""))
            }
            NodeKind::Typed(typed) => {
                let kept = typed.settings.iter().filter(|s| !DRAWN.contains(&s.name.as_str()));
                settings.extend(kept.map(|s| (s.name.clone(), s.value.to_json())));
                format!("nodes.{}", typed.node_type)
            }
            NodeKind::Subgraph { graph, .. } => format!("graph {graph}"),
            NodeKind::ToolNode { tools, .. } => format!("tools {tools:?}"),
            NodeKind::Dynamic { .. } => "dynamic".into(),
        };
        (node.name.clone(), Node { kind, settings })
    });
    let edges = graph.edges.iter().map(|edge| Edge {
        source: edge.source.clone(),
        target: edge.target.clone(),
        kind: kind(edge.kind),
        label: edge.label.clone().filter(|label| *label != edge.target),
    });
    let fields = graph.state.fields.iter().map(|field| {
        (field.name.clone(), field.annotation.clone(), field.reducer.as_ref().map(reducer))
    });
    let compile = &graph.compile;
    let interrupts = compile.interrupt_before.iter().chain(&compile.interrupt_after);
    Model {
        nodes: nodes.collect(),
        edges: edges.collect(),
        fields: fields.collect(),
        interrupts: interrupts.cloned().collect(),
    }
    .sorted()
}

fn kind(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Plain => "plain",
        EdgeKind::Join => "join",
        EdgeKind::Conditional => "conditional",
        EdgeKind::Command => "command",
        EdgeKind::Send => "send",
    }
}

fn reducer(reducer: &ReducerSpec) -> String {
    match reducer {
        // A lambda is known by its place.
        ReducerSpec::Function { name } => name.split('@').next().unwrap_or_default().into(),
        other => {
            serde_json::to_value(other).expect("plain data")["kind"].as_str().unwrap_or("").into()
        }
    }
}

impl Model {
    fn sorted(mut self) -> Self {
        self.edges.sort();
        self.fields.sort();
        self
    }

    fn edge(&mut self, source: &str, target: &str, kind: &'static str, label: Option<&str>) {
        let label = label.map(String::from).filter(|label| label != target);
        self.edges.push(Edge { source: source.into(), target: target.into(), kind, label });
    }

    fn is_kind(&self, name: &str, kind: &str) -> bool {
        self.nodes.get(name).is_some_and(|node| node.kind == kind)
    }

    /// What one graph has and the other lacks, for people.
    pub fn difference(&self, expected: &Model) -> String {
        let lines = |model: &Model| -> Vec<String> {
            let nodes = model.nodes.iter().map(|node| format!("{node:?}"));
            let edges = model.edges.iter().map(|edge| format!("{edge:?}"));
            let fields = model.fields.iter().map(|field| format!("{field:?}"));
            nodes.chain(edges).chain(fields).chain(model.interrupts.iter().cloned()).collect()
        };
        let (found, expected) = (lines(self), lines(expected));
        let more = found.iter().filter(|line| !expected.contains(line)).map(|l| format!("+ {l}"));
        let less = expected.iter().filter(|line| !found.contains(line)).map(|l| format!("- {l}"));
        let lines: Vec<String> = more.chain(less).collect();
        format!("the graph is not what was asked for:\n{}", lines.join("\n"))
    }

    /// The graph after an operation that can be done.
    pub fn apply(mut self, operation: &Operation) -> Model {
        match operation {
            Operation::AddNode { name, node } => self.add_node(name, node),
            Operation::RemoveNode { name, .. } => self.remove_node(name),
            Operation::RenameNode { name, to } => self.rename_node(name, to),
            Operation::SetNode { name, settings } => {
                let node = self.nodes.get_mut(name).expect("the node is there");
                for (setting, value) in settings {
                    match value {
                        Value::Null => drop(node.settings.remove(&**setting)),
                        value => drop(node.settings.insert(setting.to_string(), value.to_json())),
                    }
                }
            }
            Operation::AddEdge { source, target } => self.edge(source, target, "plain", None),
            Operation::RemoveEdge { source, target } => self
                .edges
                .retain(|edge| !(edge.is(source, target) && matches!(edge.kind, "plain" | "join"))),
            Operation::RedirectEdge { source, target, to_source, to_target } => {
                let plain = |edge: &&mut Edge| {
                    edge.is(source, target) && matches!(edge.kind, "plain" | "join")
                };
                for edge in self.edges.iter_mut().filter(plain) {
                    edge.source = to_source.as_ref().unwrap_or(source).clone();
                    edge.target = to_target.as_ref().unwrap_or(target).clone();
                }
            }
            Operation::AddCondition { source, routes, .. } => {
                for (route, target) in routes {
                    let target = target.as_str().expect("targets are text");
                    self.edge(source, target, "conditional", Some(route));
                }
            }
            Operation::RemoveCondition { .. } => unreachable!("checked as an inverse"),
            Operation::AddBranch { source, route, target, .. } => {
                self.edge(source, target, "conditional", Some(route));
            }
            Operation::SetBranch { source, route, to_route, target, .. } => {
                for edge in &mut self.edges {
                    if edge.source == *source && edge.says(route) && edge.kind == "conditional" {
                        let label = to_route.as_ref().unwrap_or(route).clone();
                        edge.target = target.as_ref().unwrap_or(&edge.target).clone();
                        edge.label = Some(label).filter(|label| *label != edge.target);
                    }
                }
            }
            Operation::RemoveBranch { source, route, .. } => self.remove_branch(source, route),
            Operation::SetEntry { target } => {
                self.edges.retain(|edge| edge.source != START);
                self.edge(START, target, "plain", None);
            }
            Operation::AddField { name, annotation, reducer, .. } => {
                self.fields.push((name.clone(), annotation.clone(), reducer.clone()));
            }
            Operation::SetField { name, annotation, reducer, .. } => {
                for field in self.fields.iter_mut().filter(|field| field.0 == *name) {
                    field.1 = annotation.as_ref().unwrap_or(&field.1).clone();
                    field.2 = reducer.clone().unwrap_or(field.2.take());
                }
            }
            Operation::RenameField { name, to, .. } => self.rename_field(name, to),
            Operation::RemoveField { name, .. } => self.fields.retain(|field| field.0 != *name),
        }
        self.sorted()
    }

    fn rename_field(&mut self, name: &str, to: &str) {
        for field in self.fields.iter_mut().filter(|field| field.0 == name) {
            field.0 = to.into();
        }
        for node in self.nodes.values_mut() {
            let has_into = node.settings.contains_key("into");
            for (setting, value) in &mut node.settings {
                *value = match setting.as_str() {
                    "into" | "messages_key" | "item_key" | "index_key" | "while_" | "items" => {
                        with_word(value, name, to)
                    }
                    // Without a key for the answer, each field goes to that of its name.
                    "fields" | "form" if !has_into => with_word(value, name, to),
                    _ => in_braces(value, name, to),
                };
            }
        }
        for edge in &mut self.edges {
            let decides = self.nodes.get(&edge.source).is_some_and(|n| n.kind == "nodes.condition");
            if decides {
                edge.label = edge.label.take().map(|label| with_word(&label, name, to));
            }
        }
    }

    fn add_node(&mut self, name: &str, node: &NewNode) {
        let mut settings = BTreeMap::new();
        let kind = match node {
            NewNode::Function { function } => format!("function {function}"),
            NewNode::NewFunction { new_function } => format!("function {new_function}"),
            NewNode::Typed { typed, settings: given } => {
                if typed == "condition" {
                    for rule in given["rules"].as_list().expect("rules are a list") {
                        let of = |key| rule.get(key).and_then(Value::as_str).expect("text");
                        self.edge(name, of("goto"), "conditional", Some(of("if")));
                    }
                    self.edge(name, END, "conditional", Some("default"));
                }
                let kept = given.iter().filter(|(key, _)| !DRAWN.contains(&&***key));
                settings.extend(kept.map(|(key, value)| (key.to_string(), value.to_json())));
                format!("nodes.{typed}")
            }
        };
        self.nodes.insert(name.into(), Node { kind, settings });
    }

    fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
        self.interrupts.retain(|interrupt| interrupt != name);
        let mut edges = std::mem::take(&mut self.edges);
        for edge in &mut edges {
            // What a typed node does when nothing else fits goes to the exit then.
            let last_resort = [("condition", "default"), ("intent", "fallback"), ("loop", "exit")];
            let is_last_resort = last_resort.iter().any(|(kind, label)| {
                self.is_kind(&edge.source, &format!("nodes.{kind}"))
                    && edge.label.as_deref() == Some(label)
            });
            if edge.target == name && is_last_resort {
                edge.target = END.into();
            }
        }
        edges.retain(|edge| edge.source != name && edge.target != name);
        self.edges = edges;
    }

    fn rename_node(&mut self, name: &str, to: &str) {
        let rename = |known: &mut String| {
            if known == name {
                *known = to.into();
            }
        };
        if let Some(node) = self.nodes.remove(name) {
            self.nodes.insert(to.into(), node);
        }
        self.interrupts.iter_mut().for_each(rename);
        for edge in &mut self.edges {
            rename(&mut edge.source);
            rename(&mut edge.target);
        }
    }

    fn remove_branch(&mut self, source: &str, route: &str) {
        let default = [("condition", "default"), ("intent", "fallback"), ("loop", "exit")];
        let to_end = default
            .iter()
            .any(|(kind, label)| self.is_kind(source, &format!("nodes.{kind}")) && route == *label);
        for edge in &mut self.edges {
            if to_end && edge.source == source && edge.says(route) {
                edge.target = END.into();
            }
        }
        self.edges.retain(|edge| {
            to_end || !(edge.source == source && edge.says(route) && edge.kind == "conditional")
        });
    }

    /// Without labels that say no more than a target, before or after it was renamed.
    pub fn without_names(mut self, names: &[&str]) -> Model {
        for edge in &mut self.edges {
            edge.label = edge.label.take().filter(|label| !names.contains(&label.as_str()));
        }
        self.sorted()
    }
}

impl Edge {
    fn is(&self, source: &str, target: &str) -> bool {
        self.source == source && self.target == target
    }

    /// Whether the arrow's word is the given one.
    pub fn says(&self, route: &str) -> bool {
        self.label.as_deref().unwrap_or(&self.target) == route
    }
}

/// A template with a word replaced where it is evaluated.
fn in_braces(text: &str, word: &str, by: &str) -> String {
    let mut parts = text.split("{{");
    let mut result = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (code, rest) = part.split_once("}}").unwrap_or((part, ""));
        result += &format!("{{{{{}}}}}{rest}", with_word(code, word, by));
    }
    result
}

/// An expression with a name replaced; attributes of that name stay.
fn with_word(text: &str, word: &str, by: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut result = String::new();
    for part in text.split_inclusive(|c| !is_word(c)) {
        let name = part.trim_end_matches(|c| !is_word(c));
        match name == word && !result.ends_with('.') {
            true => result += &part.replacen(word, by, 1),
            false => result += part,
        }
    }
    result
}
