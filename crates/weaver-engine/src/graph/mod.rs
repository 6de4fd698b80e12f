//! [`Graph`]: a compiled graph, names interned to numbers.

mod builder;
mod compile;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::{
    BranchSpec, BuildError, ChannelKind, GraphBuilder, Managed, NodeKind, NodeSpec, Persistence,
    Reducer, Targets,
};

use weaver_core::FastMap;

use crate::channels::Channels;
use crate::checkpoint::{CheckpointState, TaskPath, TaskRef};
use crate::policy::{CachePolicy, RetryPolicy, TimeoutPolicy};
use crate::value::StateValue;
use crate::view::{StateView, ViewKey};

/// A compiled graph. Cloning costs a reference count.
pub struct Graph<V>(pub(crate) Arc<Plan<V>>);

impl<V> Clone for Graph<V> {
    fn clone(&self) -> Self {
        Graph(self.0.clone())
    }
}

impl<V> fmt::Debug for Graph<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl<V> PartialEq for Graph<V> {
    /// The same compiled graph, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<V: StateValue> Graph<V> {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Names of its nodes, sorted, without the entry and error handlers.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.nodes.iter().filter(|node| !node.hidden && !node.is_handler).map(|node| &node.name)
    }

    /// Names of all state keys.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys.iter().map(|key| &key.name)
    }

    /// Names of the keys of its context.
    pub fn context(&self) -> &[Arc<str>] {
        &self.0.context
    }

    pub(crate) fn breakpoints(&self, targets: &Targets) -> Breakpoints {
        let plan = &self.0;
        let named = |node: &Node<V>| match targets {
            Targets::All => !node.hidden,
            Targets::Names(names) => names.contains(&node.name),
        };
        breakpoints(plan.nodes.iter().map(named))
    }

    /// The subgraph that a node is, if it is one.
    pub fn subgraph(&self, node: &str) -> Option<(&Graph<V>, Persistence)> {
        match &self.0.nodes[*self.0.node_ids.get(node)? as usize].body {
            Body::Subgraph(graph, persistence) => Some((graph, *persistence)),
            _ => None,
        }
    }

    /// The function that a node is, as the graph's builder named it.
    pub fn function(&self, node: &str) -> Option<&Arc<str>> {
        match &self.0.nodes[*self.0.node_ids.get(node)? as usize].body {
            Body::Function(what) => Some(what),
            _ => None,
        }
    }

    /// What a task of the superstep at a checkpoint was given, as one value; nothing
    /// for the entry and for a node that sees how many steps are left, which the
    /// checkpoint does not say.
    pub fn task_input(&self, state: &CheckpointState<V>, task: &TaskRef) -> Option<V> {
        let plan = &self.0;
        let node = &plan.nodes[*plan.node_ids.get(&task.node)? as usize];
        match task.path {
            TaskPath::Push(index) => Some(state.sends.get(index as usize)?.arg.clone()),
            TaskPath::Pull(_) if matches!(node.body, Body::Function(_)) => {
                let channel = |(_, key): &(Arc<str>, ViewKey)| matches!(key, ViewKey::Channel(_));
                let view = StateView {
                    values: Channels::restore(plan, state, false).values,
                    keys: node.view.clone(),
                    overlay: Vec::new(),
                    extra: Vec::new(),
                    remaining_steps: 0,
                };
                node.view.iter().all(channel).then(|| view.to_value())
            }
            _ => None,
        }
    }

    /// Whether it has a channel that a checkpoint names: a state key, or what triggers
    /// a node (`branch:to:node`, `join:a+b:node`).
    pub fn has_channel(&self, name: &str) -> bool {
        self.0.key_ids.contains_key(name)
            || self.0.control_ids.contains_key(name)
            || name == &*self.0.nodes[self.0.start as usize].name
    }

    /// The metadata of a node.
    pub fn metadata(&self, node: &str) -> Option<&V> {
        self.0.nodes[*self.0.node_ids.get(node)? as usize].metadata.as_ref()
    }
}

/// Whether the run stops at a node, by number; nothing if it stops at none, so that
/// a step need not look.
pub(crate) type Breakpoints = Option<Arc<[bool]>>;

/// The inside of a [`Graph`]. Channels are numbered: state keys first, then the
/// entry's input, then control channels.
pub(crate) struct Plan<V> {
    pub name: Arc<str>,
    pub keys: Vec<Key<V>>,
    pub key_ids: FastMap<Arc<str>, u32>,
    pub controls: Vec<ControlSpec>,
    /// Controls of deferred nodes.
    pub deferred: Vec<u32>,
    pub control_ids: FastMap<Arc<str>, u32>,
    /// Triggers of all nodes together.
    pub trigger_count: usize,
    /// Sorted by name, so that the number is the order in which tasks apply.
    pub nodes: Vec<Node<V>>,
    pub node_ids: FastMap<Arc<str>, u32>,
    pub start: u32,
    /// State keys that input may write.
    pub input: Vec<bool>,
    /// What `invoke` returns and `values` and `updates` show.
    pub output: Arc<[(Arc<str>, ViewKey)]>,
    pub is_output: Vec<bool>,
    /// All state keys.
    pub all: Arc<[(Arc<str>, ViewKey)]>,
    /// State keys that empty themselves when a step does not write them.
    pub fleeting: Vec<u32>,
    /// State keys that are never saved.
    pub has_untracked: bool,
    pub interrupt_before: Breakpoints,
    pub interrupt_after: Breakpoints,
    pub context: Vec<Arc<str>>,
    /// What it remembers when a node function invokes it.
    pub persistence: Persistence,
}

impl<V> Plan<V> {
    /// The entry's input channel.
    pub fn start_channel(&self) -> usize {
        self.keys.len()
    }

    /// The channel of a control.
    pub fn control_channel(&self, control: u32) -> usize {
        self.keys.len() + 1 + control as usize
    }

    /// The channel of a node's n-th trigger.
    pub fn trigger_channel(&self, node: u32, position: usize) -> usize {
        if node == self.start {
            return self.start_channel();
        }
        self.control_channel(self.nodes[node as usize].triggers[position])
    }

    /// The place of a node's n-th trigger among those of all nodes.
    pub fn trigger_place(&self, node: u32, position: usize) -> usize {
        self.nodes[node as usize].first_trigger as usize + position
    }

    /// Whether a channel is never saved.
    pub fn is_untracked(&self, channel: usize) -> bool {
        self.has_untracked
            && matches!(
                self.keys.get(channel),
                Some(Key { kind: ChannelKind::Untracked { .. }, .. })
            )
    }

    pub fn channel_count(&self) -> usize {
        self.keys.len() + 1 + self.controls.len()
    }

    pub fn channel_name(&self, channel: usize) -> Arc<str> {
        match channel.checked_sub(self.keys.len()) {
            None => self.keys[channel].name.clone(),
            Some(0) => self.nodes[self.start as usize].name.clone(),
            Some(n) => self.controls[n - 1].name.clone(),
        }
    }
}

pub(crate) fn breakpoints(stops: impl Iterator<Item = bool> + Clone) -> Breakpoints {
    stops.clone().any(|stop| stop).then(|| stops.collect())
}

/// A state key.
pub(crate) struct Key<V> {
    pub name: Arc<str>,
    pub kind: ChannelKind<V>,
}

/// A channel that triggers a node.
pub(crate) struct ControlSpec {
    /// `branch:to:node`, or `join:a+b:node`.
    pub name: Arc<str>,
    pub node: u32,
    pub defer: bool,
    /// Of a join: the sources, sorted.
    pub sources: Option<Vec<Arc<str>>>,
}

impl ControlSpec {
    /// Holds for one step only, unlike joins and signals of deferred nodes.
    pub fn is_plain(&self) -> bool {
        !self.defer && self.sources.is_none()
    }
}

/// What runs a node.
pub(crate) enum Body<V> {
    Start,
    Function(Arc<str>),
    Subgraph(Graph<V>, Persistence),
}

/// A node.
pub(crate) struct Node<V> {
    pub name: Arc<str>,
    pub name_hash: u64,
    /// Its place in the order in which nodes were added.
    pub added: u32,
    pub body: Body<V>,
    pub view: Arc<[(Arc<str>, ViewKey)]>,
    pub schema: Option<Arc<str>>,
    /// Control channels: its own signal first, then joins.
    pub triggers: Vec<u32>,
    pub trigger_names: Arc<[Arc<str>]>,
    /// Triggers of the nodes before it.
    pub first_trigger: u32,
    /// Nodes that run after it.
    pub edges: Vec<u32>,
    /// Joins that it is a source of: control channel and position.
    pub joins: Vec<(u32, u32)>,
    pub branches: Vec<Branch<V>>,
    pub retry: Vec<RetryPolicy>,
    pub timeout: TimeoutPolicy,
    pub cache: Option<CachePolicy>,
    pub handler: Option<u32>,
    pub is_handler: bool,
    pub hidden: bool,
    pub metadata: Option<V>,
}

impl<V> Node<V> {
    /// Nothing but what it returns says what runs after it.
    pub fn chooses_by_commands(&self) -> bool {
        self.edges.is_empty() && self.joins.is_empty() && self.branches.is_empty()
    }

    /// The limits of an attempt; a send may bring its own run limit.
    pub fn limits(&self, send: Option<Duration>) -> TimeoutPolicy {
        TimeoutPolicy { run: send.or(self.timeout.run), idle: self.timeout.idle }
    }
}

/// A conditional edge.
pub(crate) struct Branch<V> {
    pub what: Arc<str>,
    pub view: Arc<[(Arc<str>, ViewKey)]>,
    pub schema: Option<Arc<str>>,
    /// Whether what the node returned beyond the state is passed on.
    pub passthrough: bool,
    pub targets: Option<Vec<(V, Arc<str>)>>,
}
