//! From names to numbers, with all checks.

use std::sync::Arc;

use weaver_core::spec::{END, START};

use super::{Body, Branch, BuildError, ControlSpec, Graph, GraphBuilder, Key, Node, Plan};
use super::{BranchSpec, ChannelKind, Managed, NodeKind, NodeSpec, Targets};
use super::{Breakpoints, breakpoints};
use weaver_core::FastMap;

use crate::hash::IdHasher;
use crate::policy::{CachePolicy, RetryPolicy, TimeoutPolicy};
use crate::value::StateValue;
use crate::view::ViewKey;

type View = Arc<[(Arc<str>, ViewKey)]>;

/// Prefix of the node that runs another node's error handler.
const HANDLER: &str = "__error_handler__";
/// The node that runs the error handler of all nodes without their own.
const DEFAULT_HANDLER: &str = "__default_error_handler__";

pub(super) fn compile<V: StateValue>(
    builder: &GraphBuilder<V>,
) -> Result<Graph<V>, Vec<BuildError>> {
    let mut compiler = Compiler { builder, errors: Vec::new() };
    let keys = compiler.keys();
    let key_ids = index(keys.iter().map(|key| &key.name));
    let mut nodes = compiler.nodes(&keys, &key_ids);
    let node_ids = index(nodes.iter().map(|node| &node.name));
    compiler.check_names();
    let controls = compiler.controls(&mut nodes, &node_ids);
    compiler.edges(&mut nodes, &node_ids);
    compiler.branches(&mut nodes, &node_ids, &keys, &key_ids);
    compiler.check_entry();
    let default = compiler.shared_view(&keys);
    let output = match &builder.output {
        Some(names) => compiler.view(names, &key_ids, "output"),
        None => without_managed(&default),
    };
    let input = match &builder.input {
        Some(names) => compiler.view(names, &key_ids, "input"),
        None => without_managed(&default),
    };
    let interrupt_before = compiler.targets(&builder.interrupt_before, &nodes, &node_ids);
    let interrupt_after = compiler.targets(&builder.interrupt_after, &nodes, &node_ids);
    if !compiler.errors.is_empty() {
        return Err(compiler.errors);
    }
    Ok(Graph(Arc::new(Plan {
        name: builder.name.clone().unwrap_or_else(|| "LangGraph".into()),
        input: mask(&input, keys.len()),
        is_output: mask(&output, keys.len()),
        output,
        all: keys.iter().zip(0..).map(|(key, n)| (key.name.clone(), ViewKey::Channel(n))).collect(),
        fleeting: (0..keys.len() as u32).filter(|n| is_fleeting(&keys[*n as usize].kind)).collect(),
        has_untracked: keys.iter().any(|key| matches!(key.kind, ChannelKind::Untracked { .. })),
        control_ids: index(controls.iter().map(|control| &control.name)),
        deferred: (0..controls.len() as u32).filter(|n| controls[*n as usize].defer).collect(),
        start: node_ids[START],
        trigger_count: nodes.iter().map(|node| node.triggers.len()).sum(),
        interrupt_before,
        interrupt_after,
        context: builder.context.clone(),
        persistence: builder.persistence,
        keys,
        key_ids,
        controls,
        nodes,
        node_ids,
    })))
}

fn index<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> FastMap<Arc<str>, u32> {
    names.cloned().zip(0..).collect()
}

fn mask(view: &View, len: usize) -> Vec<bool> {
    let mut mask = vec![false; len];
    for (_, key) in view.iter() {
        if let ViewKey::Channel(n) = key {
            mask[*n as usize] = true;
        }
    }
    mask
}

fn without_managed(view: &View) -> View {
    view.iter().filter(|(_, key)| matches!(key, ViewKey::Channel(_))).cloned().collect()
}

fn is_fleeting<V>(kind: &ChannelKind<V>) -> bool {
    matches!(
        kind,
        ChannelKind::Ephemeral { .. }
            | ChannelKind::Topic { accumulate: false }
            | ChannelKind::AnyValue
    )
}

struct Compiler<'a, V> {
    builder: &'a GraphBuilder<V>,
    errors: Vec<BuildError>,
}

impl<V: StateValue> Compiler<'_, V> {
    fn error(&mut self, code: &'static str, message: String) {
        self.errors.push(BuildError { code, message });
    }

    /// One key for each name: a plain declaration gives way to one with a kind.
    fn keys(&mut self) -> Vec<Key<V>> {
        let mut keys: Vec<Key<V>> = Vec::new();
        let mut ids: FastMap<Arc<str>, usize> = FastMap::default();
        for (name, kind, _) in &self.builder.channels {
            match ids.get(name) {
                None => {
                    ids.insert(name.clone(), keys.len());
                    keys.push(Key { name: name.clone(), kind: kind.clone() });
                }
                Some(_) if matches!(kind, ChannelKind::LastValue) => {}
                Some(&id) if matches!(keys[id].kind, ChannelKind::LastValue) => {
                    keys[id].kind = kind.clone();
                }
                Some(_) => {
                    let message = format!("key `{name}` is declared twice with different reducers");
                    self.error("duplicate_channel", message);
                }
            }
        }
        keys
    }

    /// All keys that are not private, and computed ones.
    fn shared_view(&self, keys: &[Key<V>]) -> View {
        let public = |name: &Arc<str>| {
            self.builder.channels.iter().any(|(other, _, private)| other == name && !private)
        };
        let mut view: Vec<_> = keys
            .iter()
            .zip(0..)
            .filter(|(key, _)| public(&key.name))
            .map(|(key, n)| (key.name.clone(), ViewKey::Channel(n)))
            .collect();
        view.extend(self.builder.managed.iter().map(|(name, kind)| (name.clone(), managed(*kind))));
        view.into()
    }

    fn view(&mut self, names: &[Arc<str>], key_ids: &FastMap<Arc<str>, u32>, whose: &str) -> View {
        let mut view = Vec::with_capacity(names.len());
        for name in names {
            let computed = self.builder.managed.iter().find(|(other, _)| other == name);
            match (key_ids.get(name), computed) {
                (Some(n), _) => view.push((name.clone(), ViewKey::Channel(*n))),
                (None, Some((_, kind))) => view.push((name.clone(), managed(*kind))),
                (None, None) => {
                    self.error(
                        "unknown_channel",
                        format!("{whose} names `{name}`, which is no key of the state"),
                    );
                }
            }
        }
        view.into()
    }

    /// The nodes with entry and error handlers, sorted by name, without edges.
    fn nodes(&mut self, keys: &[Key<V>], key_ids: &FastMap<Arc<str>, u32>) -> Vec<Node<V>> {
        let shared = self.shared_view(keys);
        let mut nodes = vec![plain_node(START.into(), Body::Start, shared.clone())];
        nodes[0].hidden = true;
        let mut handlers = Vec::new();
        for spec in &self.builder.nodes {
            let view = match &spec.input {
                Some(names) => self.view(names, key_ids, &format!("node `{}`", spec.name)),
                None => shared.clone(),
            };
            if let Some(what) = &spec.error_handler {
                let (name, view): (Arc<str>, _) = match spec.handler_is_default {
                    true => (DEFAULT_HANDLER.into(), shared.clone()),
                    false => (format!("{HANDLER}{}", spec.name).into(), view.clone()),
                };
                handlers.push((spec.name.clone(), name.clone()));
                if nodes.iter().all(|node| node.name != name) {
                    let mut handler = plain_node(name, Body::Function(what.clone()), view);
                    handler.is_handler = true;
                    handler.schema = spec.schema.clone();
                    nodes.push(handler);
                }
            }
            nodes.push(node(spec, view));
        }
        (0..).zip(&mut nodes).for_each(|(place, node)| node.added = place);
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let ids = index(nodes.iter().map(|node| &node.name));
        for (name, handler) in handlers {
            nodes[ids[&name] as usize].handler = Some(ids[&handler]);
        }
        nodes
    }

    fn check_names(&mut self) {
        for (position, spec) in self.builder.nodes.iter().enumerate() {
            let name = &spec.name;
            if &**name == START || &**name == END {
                self.error("reserved_name", format!("node name `{name}` is reserved"));
            } else if name.is_empty() || name.contains([':', '|']) {
                self.error(
                    "reserved_name",
                    format!("node name `{name}` must have no `:` or `|` and not be empty"),
                );
            }
            if self.builder.nodes[..position].iter().any(|other| other.name == *name) {
                self.error("duplicate_node", format!("node `{name}` is added twice"));
            }
        }
    }

    /// Every node's own signal, and the joins.
    fn controls(
        &mut self,
        nodes: &mut [Node<V>],
        node_ids: &FastMap<Arc<str>, u32>,
    ) -> Vec<ControlSpec> {
        let deferred: Vec<bool> = nodes
            .iter()
            .map(|node| self.builder.nodes.iter().any(|spec| spec.name == node.name && spec.defer))
            .collect();
        let mut controls: Vec<ControlSpec> = nodes
            .iter_mut()
            .zip(0..)
            .map(|(node, number)| {
                node.triggers.push(number);
                let name = format!("branch:to:{}", node.name).into();
                ControlSpec { name, node: number, defer: deferred[number as usize], sources: None }
            })
            .collect();
        for (from, to) in &self.builder.joins {
            if let Some(mut control) = self.join(from, to, node_ids) {
                let number = controls.len() as u32;
                control.defer = deferred[control.node as usize];
                for (source, slot) in control.sources.iter().flatten().zip(0..) {
                    nodes[node_ids[source] as usize].joins.push((number, slot));
                }
                nodes[control.node as usize].triggers.push(number);
                controls.push(control);
            }
        }
        let mut triggers = 0;
        for node in nodes {
            node.first_trigger = triggers;
            triggers += node.triggers.len() as u32;
            let mut names: Vec<_> =
                node.triggers.iter().map(|n| controls[*n as usize].name.clone()).collect();
            names.sort();
            node.trigger_names = names.into();
        }
        controls
    }

    fn join(
        &mut self,
        from: &[Arc<str>],
        to: &Arc<str>,
        node_ids: &FastMap<Arc<str>, u32>,
    ) -> Option<ControlSpec> {
        if from.is_empty() {
            self.error("empty_join", format!("the join into `{to}` has no source"));
            return None;
        }
        let known = from.iter().filter(|source| !self.check_source(source, node_ids)).count() == 0;
        if &**to == END || !self.check_target(to, node_ids) || !known {
            return None;
        }
        let mut sources = from.to_vec();
        sources.sort();
        sources.dedup();
        let names: Vec<&str> = from.iter().map(|name| &**name).collect();
        let name = format!("join:{}:{to}", names.join("+")).into();
        Some(ControlSpec { name, node: node_ids[to], defer: false, sources: Some(sources) })
    }

    fn check_source(&mut self, name: &Arc<str>, node_ids: &FastMap<Arc<str>, u32>) -> bool {
        if &**name == END {
            self.error("edge_from_end", "the exit cannot be the source of an edge".into());
            return false;
        }
        self.check_node(name, node_ids, "source")
    }

    fn check_target(&mut self, name: &Arc<str>, node_ids: &FastMap<Arc<str>, u32>) -> bool {
        if &**name == START {
            self.error("edge_to_start", "the entry cannot be the target of an edge".into());
            return false;
        }
        &**name == END || self.check_node(name, node_ids, "target")
    }

    fn check_node(
        &mut self,
        name: &Arc<str>,
        node_ids: &FastMap<Arc<str>, u32>,
        role: &str,
    ) -> bool {
        let known = node_ids.contains_key(name);
        if !known {
            self.error("unknown_node", format!("the {role} of an edge, `{name}`, is no node"));
        }
        known
    }

    fn edges(&mut self, nodes: &mut [Node<V>], node_ids: &FastMap<Arc<str>, u32>) {
        for (from, to) in &self.builder.edges {
            let known = self.check_source(from, node_ids);
            if self.check_target(to, node_ids) && known && &**to != END {
                let (from, to) = (node_ids[from] as usize, node_ids[to]);
                if !nodes[from].edges.contains(&to) {
                    nodes[from].edges.push(to);
                }
            }
        }
    }

    fn branches(
        &mut self,
        nodes: &mut [Node<V>],
        node_ids: &FastMap<Arc<str>, u32>,
        keys: &[Key<V>],
        key_ids: &FastMap<Arc<str>, u32>,
    ) {
        let shared = self.shared_view(keys);
        for (position, (from, spec)) in self.builder.branches.iter().enumerate() {
            if !self.check_source(from, node_ids) {
                continue;
            }
            let same = |(other, branch): &(Arc<str>, BranchSpec<V>)| {
                other == from && branch.name == spec.name
            };
            if self.builder.branches[..position].iter().any(same) {
                self.error(
                    "duplicate_branch",
                    format!("`{from}` has two branches named `{}`", spec.name),
                );
            }
            for (_, target) in spec.targets.iter().flatten() {
                self.check_target(target, node_ids);
            }
            let source = &mut nodes[node_ids[from] as usize];
            let view = match &spec.input {
                Some(names) => self.view(names, key_ids, &format!("branch `{}`", spec.name)),
                None if source.hidden => shared.clone(),
                None => source.view.clone(),
            };
            source.branches.push(Branch {
                what: spec.what.clone(),
                schema: spec.schema.clone(),
                passthrough: spec.input.is_none(),
                targets: spec.targets.clone(),
                view,
            });
        }
    }

    fn check_entry(&mut self) {
        let leaves = |from: &Arc<str>| &**from == START;
        let entry = self.builder.edges.iter().any(|(from, _)| leaves(from))
            || self.builder.branches.iter().any(|(from, _)| leaves(from))
            || self.builder.joins.iter().any(|(from, _)| from.iter().any(leaves));
        if !entry {
            self.error("no_entry", "no edge leaves the entry: add an edge from `__start__`".into());
        }
    }

    fn targets(
        &mut self,
        targets: &Targets,
        nodes: &[Node<V>],
        node_ids: &FastMap<Arc<str>, u32>,
    ) -> Breakpoints {
        let mut mask = vec![false; nodes.len()];
        match targets {
            Targets::All => {
                for (slot, node) in mask.iter_mut().zip(nodes) {
                    *slot = !node.hidden;
                }
            }
            Targets::Names(names) => {
                for name in names {
                    match node_ids.get(name) {
                        Some(n) => mask[*n as usize] = true,
                        None => self
                            .error("unknown_node", format!("the breakpoint `{name}` is no node")),
                    }
                }
            }
        }
        breakpoints(mask.into_iter())
    }
}

fn managed(kind: Managed) -> ViewKey {
    match kind {
        Managed::IsLastStep => ViewKey::IsLastStep,
        Managed::RemainingSteps => ViewKey::RemainingSteps,
    }
}

fn node<V>(spec: &NodeSpec<V>, view: View) -> Node<V>
where
    V: StateValue,
{
    let body = match &spec.kind {
        NodeKind::Function(what) => Body::Function(what.clone()),
        NodeKind::Subgraph(graph, persistence) => Body::Subgraph(graph.clone(), *persistence),
    };
    let mut node = plain_node(spec.name.clone(), body, view);
    node.schema = spec.schema.clone();
    node.retry.clone_from(&spec.retry);
    node.timeout = spec.timeout;
    node.cache.clone_from(&spec.cache);
    node.metadata.clone_from(&spec.metadata);
    node
}

fn plain_node<V>(name: Arc<str>, body: Body<V>, view: View) -> Node<V> {
    Node {
        name_hash: IdHasher::new(5).text(&name).finish() as u64,
        name,
        added: 0,
        body,
        view,
        schema: None,
        triggers: Vec::new(),
        trigger_names: Vec::new().into(),
        first_trigger: 0,
        edges: Vec::new(),
        joins: Vec::new(),
        branches: Vec::new(),
        retry: Vec::<RetryPolicy>::new(),
        timeout: TimeoutPolicy::default(),
        cache: None::<CachePolicy>,
        handler: None,
        is_handler: false,
        hidden: false,
        metadata: None,
    }
}
