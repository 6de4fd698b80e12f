//! `nodes.parallel` that does not simply wait for all its branches.
//!
//! A join of the engine waits for all its sources. For `join="any"`, a number, or
//! `max_concurrency`, each branch ends in a hidden *tick* that counts, and a hidden
//! *gate* behind the ticks starts further branches and goes on once enough have ended.

use weaver_core::spec::{END, EdgeSpec, GraphSpec, NodeKind, Setting, TypedNode};
use weaver_core::{Span, Value};
use weaver_engine::{self as engine, ChannelKind, GraphBuilder, Operator, Reducer};

use super::Target;
use crate::typed::{GATE, TICK};

/// A parallel node that needs a gate.
pub struct Gated<'a> {
    name: &'a str,
    node: &'a TypedNode,
    lasts: Vec<String>,
    then: String,
}

/// The parallel nodes of a graph that need a gate.
pub fn gated(graph: &GraphSpec) -> Vec<Gated<'_>> {
    let gated = graph.nodes.iter().map(|node| match &node.kind {
        NodeKind::Typed(typed) => Gated::new(&node.name, typed),
        _ => None,
    });
    gated.flatten().collect()
}

impl<'a> Gated<'a> {
    fn new(name: &'a str, node: &'a TypedNode) -> Option<Self> {
        if node.node_type != "parallel" {
            return None;
        }
        let setting = |name: &str| {
            let found = node.settings.iter().find(|setting| setting.name == name)?;
            Some(&found.value).filter(|value| !value.is_null())
        };
        let waits_for_all = setting("join").is_none_or(|join| join.as_str() == Some("all"));
        if waits_for_all && setting("max_concurrency").is_none() {
            return None;
        }
        let last = |branch: &Value| {
            let last = branch.as_str().or_else(|| branch.as_list()?.last()?.as_str());
            last.map(String::from)
        };
        let branches = setting("branches").and_then(Value::as_list).unwrap_or_default();
        Some(Gated {
            name,
            node,
            lasts: branches.iter().filter_map(last).collect(),
            then: setting("then").and_then(Value::as_str).unwrap_or(END).to_string(),
        })
    }

    /// Whether an arrow is the join that the gate stands in for.
    pub fn replaces(&self, edge: &EdgeSpec) -> bool {
        edge.target == self.then && self.lasts.contains(&edge.source)
    }

    /// Adds the hidden nodes and their counters.
    pub fn build(
        &self,
        graph: &GraphSpec,
        builder: &mut GraphBuilder<Value>,
    ) -> Vec<(String, Target)> {
        let counter = format!("__ended:{}", self.name);
        let seen = format!("__seen:{}", self.name);
        let reducer = Reducer::Operator(Operator::Add);
        builder
            .private_channel(&*counter, ChannelKind::Reduced { reducer, initial: Some(0.into()) });
        builder.private_channel(&*seen, ChannelKind::LastValue);
        let gate = format!("{}__gate", self.name);
        let mut targets = Vec::new();
        let mut add = |name: String, node_type: &str, settings: Vec<Setting>| {
            let what = format!("{}.{name}", graph.name);
            let mut node =
                engine::NodeSpec::new(&*name, engine::NodeKind::Function(what.as_str().into()));
            node.input = Some(vec![counter.as_str().into(), seen.as_str().into()]);
            builder.node(node);
            let node = TypedNode { node_type: node_type.into(), settings };
            targets.push((what, Target::Typed { name, node, keys: [].into() }));
        };
        let setting = |name: &str, value: &str| Setting {
            name: name.into(),
            value: value.into(),
            span: Span::default(),
        };
        let mut settings = self.node.settings.clone();
        settings.extend([setting("counter", &counter), setting("seen", &seen)]);
        add(gate.clone(), GATE, settings);
        for number in 0..self.lasts.len() {
            add(self.tick(number), TICK, vec![setting("counter", &counter)]);
        }
        for (number, last) in self.lasts.iter().enumerate() {
            let tick = self.tick(number);
            builder.edge(&**last, &*tick);
            builder.edge(&*tick, &*gate);
        }
        targets
    }

    fn tick(&self, number: usize) -> String {
        format!("{}__tick_{number}", self.name)
    }
}
