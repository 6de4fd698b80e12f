//! [`code`]: what each node's meaning depends on, as a hash.

use std::collections::{BTreeMap, BTreeSet};

use weaver_core::Hash;
use weaver_core::spec::{FileSpec, GraphSpec, NodeKind, NodeSpec, ReducerSpec};
use weaver_runtime::reuse::{Code, NodeCode};
use weaver_studio::Analysis;

use super::Plan;

/// The code of the nodes of a compiled file: their functions with all that these use,
/// the settings of typed nodes, and the tools, schemas and functions that either names.
pub fn code(analysis: &Analysis, plan: &Plan) -> Code {
    let spec = &analysis.spec;
    // What functions keep in variables of the module is no part of any node's input.
    let hidden = spec.problems.iter().any(|problem| problem.code == "global_state");
    let mut nodes = std::collections::HashMap::new();
    for graph in &spec.graphs {
        for node in &graph.nodes {
            let mut parts = Parts::new(analysis);
            parts.node(graph, node);
            let whole = !hidden && parts.whole && keeps_to_state(graph, node);
            let code = NodeCode { hash: parts.hash(), whole };
            nodes.insert(format!("{}.{}", graph.name, node.name), code);
        }
    }
    Code { graph: plan.graph.clone(), graphs: plan.graphs.values().cloned().collect(), nodes }
}

/// Whether all that a node returns is in its writes: state that is never saved is not,
/// nor what a routing function sees beyond the state.
fn keeps_to_state(graph: &GraphSpec, node: &NodeSpec) -> bool {
    let unsaved = |reducer: &Option<ReducerSpec>| matches!(reducer, Some(ReducerSpec::Channel { class, .. }) if class == "UntrackedValue");
    let passes_on = node.input_schema.is_some()
        && graph.branches.iter().any(|branch| branch.source == node.name);
    !passes_on && !graph.state.fields.iter().any(|field| unsaved(&field.reducer))
}

/// What a hash is made of.
struct Parts<'a> {
    analysis: &'a Analysis,
    parts: BTreeMap<String, String>,
    /// Functions, tools and schemas that are in it.
    known: BTreeSet<String>,
    whole: bool,
}

impl<'a> Parts<'a> {
    fn new(analysis: &'a Analysis) -> Self {
        Parts { analysis, parts: BTreeMap::new(), known: BTreeSet::new(), whole: true }
    }

    fn spec(&self) -> &'a FileSpec {
        &self.analysis.spec
    }

    fn node(&mut self, graph: &GraphSpec, node: &NodeSpec) {
        let schema = node.input_schema.as_deref().unwrap_or(&graph.state.schema);
        self.schema(schema);
        self.add("metadata", node.metadata.to_json());
        match &node.kind {
            NodeKind::Function { id } => self.function(id),
            NodeKind::Typed(typed) => {
                self.add("type", typed.node_type.clone());
                let mut texts = String::new();
                for setting in &typed.settings {
                    let text = setting.value.to_json();
                    self.named(&text);
                    texts.push_str(&text);
                    self.add(&format!("setting {}", setting.name), text);
                }
                // A template may name a key without a value: whether the state has it counts.
                let texts = words(&texts);
                let fields = graph.state.fields.iter().map(|field| field.name.as_str());
                let keys: Vec<&str> = fields.filter(|name| texts.contains(name)).collect();
                self.add("keys", keys.join(" "));
            }
            NodeKind::ToolNode { tools, messages_key, handle_errors } => {
                self.add("tools", format!("{tools:?} {messages_key} {handle_errors:?}"));
                tools.iter().for_each(|tool| self.tool(tool));
            }
            // Its nodes have code of their own.
            NodeKind::Subgraph { .. } | NodeKind::Dynamic { .. } => self.whole = false,
        }
    }

    fn function(&mut self, id: &str) {
        if !self.known.insert(format!("function {id}")) {
            return;
        }
        let Some(function) = self.spec().functions.iter().find(|own| own.id == id) else { return };
        self.add(&format!("function {}", function.code_hash), String::new());
        let Some((text, graphs)) = weaver_studio::function(self.analysis, id) else { return };
        // What the graph does that it invokes is seen when it is invoked.
        self.whole &= graphs.is_empty();
        self.tools_in(&words(&text));
    }

    fn tool(&mut self, name: &str) {
        if !self.known.insert(format!("tool {name}")) {
            return;
        }
        let Some(tool) = self.spec().tools.iter().find(|tool| tool.name == name) else { return };
        let parts = [tool.description.as_str(), &tool.parameters.to_json()].join("\n");
        self.add(&format!("tool {name}"), parts);
        self.function(&tool.function);
    }

    fn schema(&mut self, name: &str) {
        if !self.known.insert(format!("schema {name}")) {
            return;
        }
        let schema = self.spec().schemas.iter().find(|schema| schema.name == name);
        // Instances are checked and filled in; a plain dict is what it is.
        use weaver_core::spec::SchemaKind::{Dataclass, Pydantic};
        if let Some(schema) = schema.filter(|own| matches!(own.kind, Dataclass | Pydantic)) {
            self.add(&format!("schema {name}"), schema.json_schema.to_json());
        }
    }

    /// Takes in the tools that are named: a function may give a model their names.
    fn tools_in(&mut self, words: &BTreeSet<&str>) {
        let named = |name: &&str| words.contains(name);
        let names = self.spec().tools.iter().map(|tool| tool.name.as_str());
        names.filter(named).for_each(|name| self.tool(name));
    }

    /// Takes in everything of the file that a setting names.
    fn named(&mut self, setting: &str) {
        let words = words(setting);
        self.tools_in(&words);
        let spec = self.spec();
        for function in spec.functions.iter().filter(|own| words.contains(own.id.as_str())) {
            self.function(&function.id);
        }
        for schema in spec.schemas.iter().filter(|own| words.contains(own.name.as_str())) {
            self.add(&format!("named {}", schema.name), schema.json_schema.to_json());
        }
    }

    fn add(&mut self, name: &str, text: String) {
        self.parts.insert(name.to_string(), text);
    }

    fn hash(&self) -> Hash {
        let parts = self.parts.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
        Hash::of_parts(parts)
    }
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect()
}
