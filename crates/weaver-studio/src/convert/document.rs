//! The old document: its nodes and edges, wherever it keeps what belongs to them.

use std::collections::BTreeMap;

use weaver_core::Value;
use weaver_core::value::Map;

use super::ConvertError;
use super::kinds::snake;

/// A node as it was drawn.
#[derive(Clone, Debug)]
pub(super) struct OldNode {
    pub id: String,
    /// What people called it.
    pub label: Option<String>,
    /// Its type as written.
    pub node_type: String,
    /// Its settings by their names in snake case.
    pub settings: Map,
    pub position: Option<(f64, f64)>,
}

/// An arrow.
#[derive(Clone, Debug)]
pub(super) struct OldEdge {
    pub source: String,
    pub target: String,
    /// Where on the node it begins, or what is written on it.
    pub handle: Option<String>,
    pub label: Option<String>,
    /// When it is taken, as an expression.
    pub condition: Option<String>,
}

impl OldEdge {
    /// What tells it from other arrows of its node.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [&self.handle, &self.label, &self.condition].into_iter().flatten().map(String::as_str)
    }

    /// What is best shown of it.
    pub fn word(&self) -> Option<&str> {
        self.label.as_deref().or(self.condition.as_deref()).or(self.handle.as_deref())
    }
}

/// The whole document.
#[derive(Debug)]
pub(super) struct Document {
    pub name: Option<String>,
    pub nodes: Vec<OldNode>,
    pub edges: Vec<OldEdge>,
    /// State keys that it declares, with the old names of their types.
    pub variables: BTreeMap<String, String>,
    /// Parts of it that were not understood, for warnings.
    pub left: Vec<String>,
}

/// Where documents keep the graph.
const AROUND: [&str; 6] = ["workflow", "graph", "data", "definition", "flow", "content"];
/// Where nodes keep their settings.
const SETTINGS: [&str; 7] =
    ["data", "config", "settings", "params", "parameters", "properties", "configuration"];

impl Document {
    pub fn read(value: &Value) -> Result<Self, ConvertError> {
        let mut around = value;
        let mut name = None;
        for _ in 0..4 {
            name = text(around, &["name", "title"]).or(name);
            if around.get("nodes").is_some() {
                break;
            }
            match AROUND.iter().find_map(|key| around.get(key)) {
                Some(inner) => around = inner,
                None => return Err(ConvertError::NoNodes),
            }
        }
        let mut left = Vec::new();
        let nodes = match around.get("nodes") {
            Some(Value::List(items)) => items.iter().map(|item| (None, item)).collect(),
            Some(Value::Map(map)) => map.iter().map(|(id, item)| (Some(&**id), item)).collect(),
            _ => Vec::new(),
        };
        if nodes.is_empty() {
            return Err(ConvertError::NoNodes);
        }
        let mut known: Vec<OldNode> = Vec::with_capacity(nodes.len());
        for (at, (id, item)) in nodes.into_iter().enumerate() {
            match node(id, item, at) {
                Some(node) if known.iter().any(|other| other.id == node.id) => {
                    left.push(format!("a second node `{}`", node.id));
                }
                Some(node) => known.push(node),
                None => left.push(format!("`nodes[{at}]`, which is no node")),
            }
        }
        let mut edges = Vec::new();
        let listed = ["edges", "connections", "links"].iter().find_map(|key| around.get(key));
        for (at, item) in listed.and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
            match edge(item) {
                Some(edge) => edges.push(edge),
                None => left.push(format!("`edges[{at}]`, which has no source and target")),
            }
        }
        let variables = variables(around);
        Ok(Document { name, nodes: known, edges, variables, left })
    }
}

fn node(id: Option<&str>, item: &Value, at: usize) -> Option<OldNode> {
    let map = item.as_map()?;
    let data = item.get("data");
    let inner = |keys: &[&str]| data.and_then(|data| text(data, keys));
    let label =
        text(item, &["label", "title", "name"]).or_else(|| inner(&["label", "title", "name"]));
    let id = id.map(String::from).or_else(|| text(item, &["id", "key"])).or_else(|| label.clone());
    // A canvas library has types of its own; what such nodes are is in their data.
    let own = text(item, &["type", "kind", "node_type", "nodeType"]);
    let shown = ["custom", "default", "node", "base", "input", "output"];
    let is_shown = own.as_deref().is_none_or(|own| shown.contains(&own));
    let node_type = inner(&["type", "kind", "node_type", "nodeType"]).filter(|_| is_shown).or(own);
    let mut settings = Map::new();
    collect(map, &mut settings, 0);
    let position = item
        .get("position")
        .or(Some(item))
        .and_then(|place| Some((place.get("x")?.as_f64()?, place.get("y")?.as_f64()?)));
    Some(OldNode {
        id: id.unwrap_or_else(|| format!("node_{at}")),
        label,
        node_type: node_type.unwrap_or_default(),
        settings,
        position,
    })
}

/// Gathers settings, wherever they are nested; the innermost are the node's own.
fn collect(map: &Map, settings: &mut Map, depth: u32) {
    for (key, value) in map {
        match value {
            Value::Map(inner) if SETTINGS.contains(&&**key) && depth < 3 => {
                collect(inner, settings, depth + 1);
            }
            _ => drop(settings.insert(snake(key).into(), value.clone())),
        }
    }
}

fn edge(item: &Value) -> Option<OldEdge> {
    if let Some([source, target]) = item.as_list() {
        let (source, target) = (source.as_str()?.to_string(), target.as_str()?.to_string());
        return Some(OldEdge { source, target, handle: None, label: None, condition: None });
    }
    let end = |keys: &[&str]| {
        keys.iter().find_map(|key| match item.get(key)? {
            Value::Map(inner) => {
                ["id", "node", "nodeId"].iter().find_map(|key| word(inner.get(*key)?))
            }
            other => word(other),
        })
    };
    let own = |keys: &[&str]| {
        text(item, keys).or_else(|| item.get("data").and_then(|data| text(data, keys)))
    };
    Some(OldEdge {
        source: end(&["source", "from", "sourceId", "source_id", "source_node"])?,
        target: end(&["target", "to", "targetId", "target_id", "target_node"])?,
        handle: own(&["sourceHandle", "source_handle", "sourcePort", "branch", "handle"])
            .filter(|handle| !is_plain_handle(handle)),
        label: own(&["label", "name"]),
        condition: own(&["condition", "expression", "when"]),
    })
}

/// The names that a node's only handle has.
fn is_plain_handle(handle: &str) -> bool {
    matches!(
        snake(handle).as_str(),
        "" | "source" | "out" | "output" | "right" | "bottom" | "default_source" | "a"
    )
}

fn variables(around: &Value) -> BTreeMap<String, String> {
    let keys = ["state", "variables", "state_schema", "stateSchema", "inputs", "schema"];
    let mut found = BTreeMap::new();
    for value in keys.iter().filter_map(|key| around.get(key)) {
        let value = value.get("fields").or_else(|| value.get("properties")).unwrap_or(value);
        match value {
            Value::List(items) => {
                for item in &**items {
                    let kind = text(item, &["type", "kind"]).unwrap_or_default();
                    let name = word(item).or_else(|| text(item, &["name", "key", "id"]));
                    found.extend(name.map(|name| (name, kind)));
                }
            }
            Value::Map(map) => {
                for (name, value) in &**map {
                    let kind = word(value).or_else(|| text(value, &["type", "kind"]));
                    found.insert(name.to_string(), kind.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    found
}

fn text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| value.get(key).and_then(word)).filter(|text| !text.trim().is_empty())
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
