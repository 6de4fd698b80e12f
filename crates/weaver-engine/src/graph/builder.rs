//! [`GraphBuilder`]: the parts of a graph, by name.

use std::fmt;
use std::sync::Arc;

use crate::graph::Graph;
use crate::operator::Operator;
use crate::policy::{CachePolicy, RetryPolicy, TimeoutPolicy};
use crate::value::StateValue;

/// How writes to a state key merge, and what the key holds between steps.
#[derive(Clone, Debug)]
pub enum ChannelKind<V> {
    /// One write a step replaces the value; two are an error.
    LastValue,
    /// Writes are folded over the value in task order.
    Reduced {
        /// The function.
        reducer: Reducer<V>,
        /// What it starts as; absent: the first write becomes the value.
        initial: Option<V>,
    },
    /// A list of what was written, lists flattened.
    Topic {
        /// Keeps growing, instead of starting anew with each step.
        accumulate: bool,
    },
    /// Holds for one step only.
    Ephemeral {
        /// Whether two writes in one step are an error.
        guard: bool,
    },
    /// The last write of a step; all are assumed to be equal.
    AnyValue,
    /// Like `LastValue` (or, unguarded, its last write), but never saved.
    Untracked {
        /// Whether two writes in one step are an error.
        guard: bool,
    },
    /// Reduced by one call `reducer(value, writes)` a step. Every reduced key is
    /// saved as what was appended, where that is enough.
    Delta {
        /// The function; a native one is folded.
        reducer: Reducer<V>,
        /// What it starts as.
        initial: Option<V>,
    },
}

/// A pure function of two values.
pub type Closure<V> = Arc<dyn Fn(V, V) -> Result<V, String> + Send + Sync>;

/// The function of a reduced key.
#[derive(Clone)]
pub enum Reducer<V> {
    /// An operator of Python.
    Operator(Operator),
    /// `add_messages`.
    AddMessages,
    /// A native function; the error is a sentence.
    Closure(Closure<V>),
    /// A function that the host runs, by name.
    External(Arc<str>),
}

impl<V> fmt::Debug for Reducer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reducer::Operator(operator) => write!(f, "{operator:?}"),
            Reducer::AddMessages => f.write_str("AddMessages"),
            Reducer::Closure(_) => f.write_str("Closure"),
            Reducer::External(name) => write!(f, "External({name})"),
        }
    }
}

/// A computed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managed {
    /// `IsLastStep`.
    IsLastStep,
    /// `RemainingSteps`.
    RemainingSteps,
}

/// What a subgraph remembers: `compile(checkpointer=...)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// `None`: resumable within one task of the parent, forgets between calls.
    #[default]
    Inherit,
    /// `True`: own memory across calls.
    Own,
    /// `False`: nothing is saved.
    Off,
}

/// What runs a node.
#[derive(Clone, Debug)]
pub enum NodeKind<V> {
    /// A function of the host, by a name of its choice.
    Function(Arc<str>),
    /// Another graph; keys of the same name are shared.
    Subgraph(Graph<V>, Persistence),
}

/// A node to add.
#[derive(Clone, Debug)]
pub struct NodeSpec<V> {
    /// Its name, unique in the graph.
    pub name: Arc<str>,
    /// What runs it.
    pub kind: NodeKind<V>,
    /// The keys that it sees; absent: all but private ones.
    pub input: Option<Vec<Arc<str>>>,
    /// The name of its input schema, if the host must make an instance of it.
    pub schema: Option<Arc<str>>,
    /// Runs only when everything else has ended.
    pub defer: bool,
    /// The first that matches a failure decides.
    pub retry: Vec<RetryPolicy>,
    /// Limits of one attempt.
    pub timeout: TimeoutPolicy,
    /// Reuse of its writes.
    pub cache: Option<CachePolicy>,
    /// A function that runs when its retries are spent.
    pub error_handler: Option<Arc<str>>,
    /// Whether that function serves all nodes without their own: then one node runs it.
    pub handler_is_default: bool,
    /// Whatever the host wants to find again.
    pub metadata: Option<V>,
}

impl<V> NodeSpec<V> {
    /// A node without policies.
    pub fn new(name: impl Into<Arc<str>>, kind: NodeKind<V>) -> Self {
        NodeSpec {
            name: name.into(),
            kind,
            input: None,
            schema: None,
            defer: false,
            retry: Vec::new(),
            timeout: TimeoutPolicy::default(),
            cache: None,
            error_handler: None,
            handler_is_default: false,
            metadata: None,
        }
    }

    /// A node that the function of the same name runs.
    pub fn function(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        NodeSpec::new(name.clone(), NodeKind::Function(name))
    }
}

/// A conditional edge to add.
#[derive(Clone, Debug)]
pub struct BranchSpec<V> {
    /// Unique for its source.
    pub name: Arc<str>,
    /// The routing function, by a name of the host's choice.
    pub what: Arc<str>,
    /// The keys that it sees; absent: those of its source.
    pub input: Option<Vec<Arc<str>>>,
    /// The name of its input schema, if the host must make an instance of it.
    pub schema: Option<Arc<str>>,
    /// Node names by answer; absent: the answer is the name.
    pub targets: Option<Vec<(V, Arc<str>)>>,
}

impl<V> BranchSpec<V> {
    /// A branch whose answers are node names.
    pub fn function(what: impl Into<Arc<str>>) -> Self {
        let what = what.into();
        BranchSpec { name: what.clone(), what, input: None, schema: None, targets: None }
    }
}

/// Some nodes, for breakpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// `"*"`.
    All,
    /// These.
    Names(Vec<Arc<str>>),
}

impl Default for Targets {
    fn default() -> Self {
        Targets::Names(Vec::new())
    }
}

/// Why a graph does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// A stable word: `unknown_node`, `duplicate_node`, `no_entry` …
    pub code: &'static str,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

/// The parts of a graph. Nothing is checked before [`GraphBuilder::compile`],
/// so that all problems come at once.
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder<V> {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) channels: Vec<(Arc<str>, ChannelKind<V>, bool)>,
    pub(crate) managed: Vec<(Arc<str>, Managed)>,
    pub(crate) nodes: Vec<NodeSpec<V>>,
    pub(crate) edges: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) joins: Vec<(Vec<Arc<str>>, Arc<str>)>,
    pub(crate) branches: Vec<(Arc<str>, BranchSpec<V>)>,
    pub(crate) input: Option<Vec<Arc<str>>>,
    pub(crate) output: Option<Vec<Arc<str>>>,
    pub(crate) context: Vec<Arc<str>>,
    pub(crate) interrupt_before: Targets,
    pub(crate) interrupt_after: Targets,
    pub(crate) persistence: Persistence,
}

impl<V: StateValue> GraphBuilder<V> {
    /// An empty graph.
    pub fn new() -> Self {
        GraphBuilder {
            name: None,
            channels: Vec::new(),
            managed: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            joins: Vec::new(),
            branches: Vec::new(),
            input: None,
            output: None,
            context: Vec::new(),
            interrupt_before: Targets::default(),
            interrupt_after: Targets::default(),
            persistence: Persistence::default(),
        }
    }

    /// Names the graph; default `LangGraph`.
    pub fn name(&mut self, name: impl Into<Arc<str>>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a key of the state schema. A later one of the same name replaces it
    /// if it is plain, and is an error if both have kinds of their own.
    pub fn channel(&mut self, name: impl Into<Arc<str>>, kind: ChannelKind<V>) -> &mut Self {
        self.channels.push((name.into(), kind, false));
        self
    }

    /// Adds a key that only nodes' own schemas, or input or output, have.
    pub fn private_channel(
        &mut self,
        name: impl Into<Arc<str>>,
        kind: ChannelKind<V>,
    ) -> &mut Self {
        self.channels.push((name.into(), kind, true));
        self
    }

    /// Adds a computed key.
    pub fn managed(&mut self, name: impl Into<Arc<str>>, managed: Managed) -> &mut Self {
        self.managed.push((name.into(), managed));
        self
    }

    /// Adds a node.
    pub fn node(&mut self, node: NodeSpec<V>) -> &mut Self {
        self.nodes.push(node);
        self
    }

    /// Adds an edge; `__start__` and `__end__` are entry and exit.
    pub fn edge(&mut self, from: impl Into<Arc<str>>, to: impl Into<Arc<str>>) -> &mut Self {
        self.edges.push((from.into(), to.into()));
        self
    }

    /// Adds a join: `to` runs once all of `from` have run since it last did.
    pub fn join<N: Into<Arc<str>>>(
        &mut self,
        from: impl IntoIterator<Item = N>,
        to: impl Into<Arc<str>>,
    ) -> &mut Self {
        self.joins.push((from.into_iter().map(Into::into).collect(), to.into()));
        self
    }

    /// Adds a conditional edge.
    pub fn branch(&mut self, from: impl Into<Arc<str>>, branch: BranchSpec<V>) -> &mut Self {
        self.branches.push((from.into(), branch));
        self
    }

    /// Limits the keys that input may write; default all but private ones.
    pub fn input(&mut self, keys: Vec<Arc<str>>) -> &mut Self {
        self.input = Some(keys);
        self
    }

    /// Limits the keys that output shows; default all but private ones.
    pub fn output(&mut self, keys: Vec<Arc<str>>) -> &mut Self {
        self.output = Some(keys);
        self
    }

    /// Names the keys of the context, for the host.
    pub fn context(&mut self, keys: Vec<Arc<str>>) -> &mut Self {
        self.context = keys;
        self
    }

    /// Stops before steps that contain one of these nodes.
    pub fn interrupt_before(&mut self, nodes: Targets) -> &mut Self {
        self.interrupt_before = nodes;
        self
    }

    /// Stops after steps that contained one of these nodes.
    pub fn interrupt_after(&mut self, nodes: Targets) -> &mut Self {
        self.interrupt_after = nodes;
        self
    }

    /// Says what the graph remembers when a node function invokes it; a node that
    /// is a subgraph says it itself.
    pub fn persistence(&mut self, persistence: Persistence) -> &mut Self {
        self.persistence = persistence;
        self
    }

    /// Checks everything and interns the names.
    pub fn compile(&self) -> Result<Graph<V>, Vec<BuildError>> {
        super::compile::compile(self)
    }
}
