//! Old JSON workflows as Python files: [`convert`].
//!
//! Nothing is lost in silence: what has no counterpart becomes a node or a comment with
//! `TODO` in the file, and a [`Warning`].

mod document;
mod kinds;
mod routes;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use weaver_core::Value;
use weaver_core::spec::{END, START};
use weaver_core::value::Map;

use crate::typed_nodes::{NodeType, node_type};
use document::{Document, OldNode};
use kinds::{Kind, fitted, is_shown, kind, setting};

/// A converted workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Converted {
    /// The Python file.
    pub source: String,
    /// What has no counterpart, in the order of the document.
    pub warnings: Vec<Warning>,
    /// Where the old canvas showed the nodes, by their new names.
    pub layout: BTreeMap<String, Position>,
}

/// Something of the old document that the file does not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The old node, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// One sentence: what, and what stands in the file instead.
    pub message: String,
}

/// A place on the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Position {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// Why a document is no workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertError {
    /// It has no `nodes`, or they are empty.
    NoNodes,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document has no `nodes`: it is no old workflow")
    }
}

impl std::error::Error for ConvertError {}

/// Converts an old document: `{"nodes": [...], "edges": [...]}`, at its top or below
/// `workflow`, `graph` or the like.
pub fn convert(document: &Value) -> Result<Converted, ConvertError> {
    let document = Document::read(document)?;
    let mut plan = Plan::default();
    for left in &document.left {
        plan.warn(None, format!("{left}, is left out"));
    }
    plan.name_nodes(&document);
    plan.nodes(&document);
    plan.route(&document);
    plan.fields(&document);
    let source = write::file(&document, &plan);
    Ok(Converted { source, warnings: plan.warnings, layout: plan.layout })
}

/// The new graph.
#[derive(Default)]
struct Plan {
    /// New names by old ids; the entry and the exit are nodes like others here.
    names: BTreeMap<String, String>,
    nodes: Vec<Node>,
    edges: Vec<(String, String)>,
    conditions: Vec<Condition>,
    /// Old ids of nodes whose ways on are settings of a parallel node.
    chained: BTreeSet<String>,
    /// State keys with their types.
    fields: Vec<(String, String)>,
    warnings: Vec<Warning>,
    layout: BTreeMap<String, Position>,
}

/// A new node.
struct Node {
    id: String,
    name: String,
    /// The typed node that it is, or nothing for a function that does nothing yet.
    typed: Option<&'static NodeType>,
    settings: Map,
    /// What is to be done, line by line.
    todo: Vec<String>,
}

/// Conditional edges whose function is to be written.
struct Condition {
    source: String,
    routes: Vec<(String, String)>,
    todo: Vec<String>,
}

impl Plan {
    fn warn(&mut self, node: Option<&str>, message: String) {
        self.warnings.push(Warning { node: node.map(String::from), message });
    }

    /// Nodes are called as people called them, as far as that tells them apart.
    fn name_nodes(&mut self, document: &Document) {
        let labels = document.nodes.iter().filter_map(|node| node.label.as_deref());
        let labels: Vec<&str> = labels.collect();
        for node in &document.nodes {
            let name = match kind(&node.node_type) {
                Kind::Start => START.to_string(),
                Kind::End => END.to_string(),
                _ => {
                    let label = node
                        .label
                        .as_deref()
                        .filter(|label| labels.iter().filter(|other| *other == label).count() == 1);
                    self.free_name(label.unwrap_or(&node.id))
                }
            };
            if let (Some((x, y)), false) = (node.position, name == START || name == END) {
                self.layout.insert(name.clone(), Position { x, y });
            }
            self.names.insert(node.id.clone(), name);
        }
    }

    fn free_name(&self, wanted: &str) -> String {
        let wanted: String =
            wanted.trim().chars().map(|c| if matches!(c, '|' | ':') { '_' } else { c }).collect();
        let wanted = match wanted.as_str() {
            "" => "node".to_string(),
            START | END => format!("{wanted}node"),
            _ => wanted,
        };
        let taken = |name: &String| self.names.values().any(|known| known == name);
        let mut name = wanted.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{wanted} {count}");
        }
        name
    }

    fn nodes(&mut self, document: &Document) {
        for old in &document.nodes {
            let name = self.names[&old.id].clone();
            match kind(&old.node_type) {
                Kind::Start | Kind::End => {
                    for key in old.settings.keys().filter(|key| !is_end_setting(key)) {
                        let message = format!(
                            "the setting `{key}` is left out: the entry and the exit have no settings"
                        );
                        self.warnings.push(Warning { node: Some(old.id.clone()), message });
                    }
                }
                Kind::Typed(typed) => self.typed_node(old, name, typed),
                Kind::Unknown => self.unknown_node(old, name),
            }
        }
    }

    fn typed_node(&mut self, old: &OldNode, name: String, typed: &str) {
        let Some(kind) = node_type(typed) else { return self.unknown_node(old, name) };
        let mut settings = Map::new();
        let mut todo = Vec::new();
        for (key, value) in &old.settings {
            if routes::is_route_setting(typed, key) || value.is_null() {
                continue;
            }
            let known = setting(typed, key, kind.arguments);
            let argument = known.and_then(|known| kind.argument(known));
            let fit = argument.and_then(|argument| fitted(argument.kind, value));
            match (argument, fit) {
                (Some(argument), Some(value)) if !settings.contains_key(argument.name) => {
                    settings.insert(argument.name.into(), value);
                }
                (None, _) if is_shown(key) => {}
                (argument, _) => {
                    let why = match argument {
                        Some(argument) => format!("does not fit `{}`", argument.name),
                        None => "has no counterpart".into(),
                    };
                    todo.push(format!("{key} = {}", value.to_json()));
                    let message = format!("the setting `{key}` {why}; it is kept as a comment");
                    self.warn(Some(&old.id), message);
                }
            }
        }
        if typed == "store" {
            default_setting(&mut settings, "op", "put");
        }
        self.nodes.push(Node { id: old.id.clone(), name, typed: Some(kind), settings, todo });
    }

    fn unknown_node(&mut self, old: &OldNode, name: String) {
        let shown = match old.node_type.as_str() {
            "" => "a node without a type".to_string(),
            other => format!("the node type `{other}`"),
        };
        let message = format!(
            "{shown} has no counterpart; a function with its settings as comments stands in its place"
        );
        self.warn(Some(&old.id), message);
        let mut todo = vec![format!("{shown} has no counterpart. Its settings were:")];
        let settings = old.settings.iter().filter(|(key, _)| {
            !matches!(&***key, "label" | "title" | "name" | "id" | "type" | "position")
        });
        todo.extend(settings.map(|(key, value)| format!("{key} = {}", value.to_json())));
        let id = old.id.clone();
        self.nodes.push(Node { id, name, typed: None, settings: Map::new(), todo });
    }

    /// State keys: those that are declared, written by a node, or read by a template.
    fn fields(&mut self, document: &Document) {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, kind: &str| {
            let fits = crate::edit::style::is_identifier(name);
            if fits && !fields.iter().any(|(known, _)| known == name) {
                fields.push((name.to_string(), python_type(name, kind).to_string()));
            }
            fits
        };
        let mut odd = Vec::new();
        for (name, kind) in &document.variables {
            if !add(name, kind) {
                odd.push(name.clone());
            }
        }
        for node in &self.nodes {
            for key in ["into", "item_key", "index_key", "messages_key"] {
                if let Some(name) = node.settings.get(key).and_then(Value::as_str) {
                    add(name, "");
                }
            }
        }
        for node in &self.nodes {
            for value in node.settings.values() {
                template_names(value, &mut |name| {
                    add(name, "");
                });
            }
        }
        self.fields = fields;
        for name in odd {
            self.warn(None, format!("the variable `{name}` is left out: it is no Python name"));
        }
    }
}

fn default_setting(settings: &mut Map, name: &str, value: &str) {
    if !settings.contains_key(name) {
        settings.insert(name.into(), value.into());
    }
}

/// What an entry or an exit may say without anything being lost.
fn is_end_setting(key: &str) -> bool {
    is_shown(key)
        || matches!(key, "inputs" | "variables" | "outputs" | "source_position" | "target_position")
}

/// The Python type of a variable.
fn python_type(name: &str, kind: &str) -> &'static str {
    match kinds::snake(kind).as_str() {
        "str" | "string" | "text" => "str",
        "int" | "integer" => "int",
        "float" | "number" => "float",
        "bool" | "boolean" => "bool",
        "list" | "array" if name == "messages" => "Annotated[list, add_messages]",
        "list" | "array" => "list",
        "dict" | "object" | "json" | "map" => "dict",
        _ if name == "messages" => "Annotated[list, add_messages]",
        _ => "Any",
    }
}

/// The first names of what stands between `{{` and `}}` in texts.
fn template_names(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Str(text) => {
            for part in text.split("{{").skip(1) {
                let inside = part.split("}}").next().unwrap_or_default().trim_start();
                let end = inside.find(|c: char| !c.is_alphanumeric() && c != '_');
                see(&inside[..end.unwrap_or(inside.len())]);
            }
        }
        Value::List(items) => items.iter().for_each(|item| template_names(item, see)),
        Value::Map(map) => map.values().for_each(|value| template_names(value, see)),
        _ => {}
    }
}
