//! [`StateGraph`]: a graph of Rust closures over a state that serde can read,
//! with a driver that needs no async runtime.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//! use weaver_engine::Operator;
//! use weaver_engine::typed::{END, START, StateGraph};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct State { topic: String, drafts: Vec<String> }
//!
//! let mut graph = StateGraph::<State>::new();
//! graph.reduce("drafts", Operator::Add);
//! graph.node("write", |state: State| json!({"drafts": [format!("On {}", state.topic)]}));
//! graph.edge(START, "write");
//! graph.route("write", |state: State| if state.drafts.len() < 3 { "write" } else { END });
//! let app = graph.compile().unwrap();
//! let state = app.invoke(&State { topic: "rain".into(), ..State::default() }).unwrap();
//! assert_eq!(state.drafts.len(), 3);
//! ```

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use weaver_core::{Failure, FailureKind, Timestamp, Value};

pub use weaver_core::spec::{END, START};

use crate::effect::{
    Answer, Call, CallKind, Command, Effect, Happened, NodeOutput, Outcome, Route,
};
use crate::graph::{
    BranchSpec, BuildError, ChannelKind, Graph, GraphBuilder, NodeKind, NodeSpec, Persistence,
    Reducer,
};
use crate::input::{Input, Origin, RunOptions};
use crate::memory::Memory;
use crate::operator::Operator;
use crate::policy::RetryPolicy;
use crate::run::Run;
use crate::value::StateValue;

/// What a closure is given besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    call: &'a Call<Value>,
}

impl Context<'_> {
    /// The answer to the task's `index`-th question. Without one, return
    /// [`Answer::Interrupted`] with the question (see [`StateGraph::node_raw`]).
    pub fn answer(&self, index: usize) -> Option<&Value> {
        self.call.answers.get(index)
    }

    /// Attempts count from 1.
    pub fn attempt(&self) -> u32 {
        self.call.task.attempt
    }
}

type Function = Arc<dyn Fn(&Call<Value>) -> Answer<Value> + Send + Sync>;

/// What a node closure may return.
pub trait IntoOutput {
    /// The engine's form of it.
    fn into_output(self) -> Answer<Value>;
}

impl IntoOutput for () {
    fn into_output(self) -> Answer<Value> {
        Answer::Node(NodeOutput::Nothing)
    }
}

impl IntoOutput for serde_json::Value {
    fn into_output(self) -> Answer<Value> {
        Answer::Node(NodeOutput::Update(Value::from(&self)))
    }
}

impl IntoOutput for Value {
    fn into_output(self) -> Answer<Value> {
        Answer::Node(NodeOutput::Update(self))
    }
}

impl IntoOutput for Command<Value> {
    fn into_output(self) -> Answer<Value> {
        Answer::Node(NodeOutput::Command(self))
    }
}

impl<T: IntoOutput, E: std::fmt::Display> IntoOutput for Result<T, E> {
    fn into_output(self) -> Answer<Value> {
        match self {
            Ok(output) => output.into_output(),
            Err(error) => Answer::Failed(Failure::new(
                FailureKind::Exception,
                "node_failed",
                error.to_string(),
            )),
        }
    }
}

/// A graph of closures. The keys of the state are the fields of `S`; a key that
/// no node has written yet reads as in `S::default()`.
pub struct StateGraph<S> {
    builder: GraphBuilder<Value>,
    functions: HashMap<Arc<str>, Function>,
    default: Value,
    state: PhantomData<fn(S) -> S>,
}

impl<S: Serialize + DeserializeOwned + Default + 'static> Default for StateGraph<S> {
    fn default() -> Self {
        StateGraph::new()
    }
}

impl<S: Serialize + DeserializeOwned + Default + 'static> StateGraph<S> {
    /// A graph without nodes.
    ///
    /// # Panics
    /// If `S` does not serialize to an object.
    pub fn new() -> Self {
        let default = to_value(&S::default()).expect("the default state must serialize");
        let mut builder = GraphBuilder::new();
        for (key, _) in default.fields().expect("the state must be a struct with named fields") {
            builder.channel(key, ChannelKind::LastValue);
        }
        StateGraph { builder, functions: HashMap::new(), default, state: PhantomData }
    }

    /// Lets writes to a key merge with an operator, starting from its default.
    pub fn reduce(&mut self, key: &str, operator: Operator) -> &mut Self {
        let initial = self.default.get(key).cloned();
        let reducer = Reducer::Operator(operator);
        self.builder.channel(key, ChannelKind::Reduced { reducer, initial });
        self
    }

    /// Adds a node: a closure from the state to a partial update.
    pub fn node<O: IntoOutput>(
        &mut self,
        name: &str,
        function: impl Fn(S) -> O + Send + Sync + 'static,
    ) -> &mut Self {
        self.node_with(NodeSpec::function(name), move |state, _| function(state))
    }

    /// Adds a node that is tried again as the policy says.
    pub fn node_retried<O: IntoOutput>(
        &mut self,
        name: &str,
        policy: RetryPolicy,
        function: impl Fn(S) -> O + Send + Sync + 'static,
    ) -> &mut Self {
        let spec = NodeSpec { retry: vec![policy], ..NodeSpec::function(name) };
        self.node_with(spec, move |state, _| function(state))
    }

    /// Adds a node with all that a [`NodeSpec`] says.
    pub fn node_with<O: IntoOutput>(
        &mut self,
        spec: NodeSpec<Value>,
        function: impl Fn(S, Context<'_>) -> O + Send + Sync + 'static,
    ) -> &mut Self {
        let default = self.default.clone();
        self.node_raw(spec, move |call| match read_state(&default, call.input.to_value()) {
            Ok(state) => function(state, Context { call }).into_output(),
            Err(failure) => Answer::Failed(failure),
        })
    }

    /// Adds a node whose closure answers the engine's call itself.
    pub fn node_raw(
        &mut self,
        spec: NodeSpec<Value>,
        function: impl Fn(&Call<Value>) -> Answer<Value> + Send + Sync + 'static,
    ) -> &mut Self {
        if let NodeKind::Function(what) = &spec.kind {
            self.functions.insert(what.clone(), Arc::new(function));
        }
        self.builder.node(spec);
        self
    }

    /// Adds another graph as a node; keys of the same name are shared.
    pub fn subgraph<T>(&mut self, name: &str, app: &App<T>, persistence: Persistence) -> &mut Self {
        let own = app.functions.iter().map(|(what, function)| (what.clone(), function.clone()));
        self.functions.extend(own);
        let kind = NodeKind::Subgraph(app.graph.clone(), persistence);
        self.builder.node(NodeSpec::new(name, kind));
        self
    }

    /// Adds an edge.
    pub fn edge(&mut self, from: &str, to: &str) -> &mut Self {
        self.builder.edge(from, to);
        self
    }

    /// Adds a join: `to` runs once all of `from` have run.
    pub fn join<'a>(&mut self, from: impl IntoIterator<Item = &'a str>, to: &str) -> &mut Self {
        self.builder.join(from, to);
        self
    }

    /// Adds a conditional edge: a closure from the state to the next node's name.
    pub fn route(
        &mut self,
        from: &str,
        function: impl Fn(S) -> &'static str + Send + Sync + 'static,
    ) -> &mut Self {
        let default = self.default.clone();
        let count = self.functions.len();
        let what: Arc<str> = format!("route {count} of {from}").into();
        let answer = move |call: &Call<Value>| match read_state(&default, call.input.to_value()) {
            Ok(state) => Answer::Routes(vec![Route::Key(Value::str(function(state)))]),
            Err(failure) => Answer::Failed(failure),
        };
        self.functions.insert(what.clone(), Arc::new(answer));
        self.builder.branch(from, BranchSpec::function(what));
        self
    }

    /// The builder, for everything else.
    pub fn builder(&mut self) -> &mut GraphBuilder<Value> {
        &mut self.builder
    }

    /// Checks the graph. Functions of subgraphs share one set of names.
    pub fn compile(&self) -> Result<App<S>, Vec<BuildError>> {
        Ok(App {
            graph: self.builder.compile()?,
            functions: self.functions.clone(),
            default: self.default.clone(),
            state: PhantomData,
        })
    }
}

/// A compiled graph of closures.
pub struct App<S> {
    graph: Graph<Value>,
    functions: HashMap<Arc<str>, Function>,
    default: Value,
    state: PhantomData<fn(S) -> S>,
}

impl<S: Serialize + DeserializeOwned + Default + 'static> App<S> {
    /// The graph, for hosts that drive it themselves; see [`App::answer`].
    pub fn graph(&self) -> &Graph<Value> {
        &self.graph
    }

    /// Runs the graph on a state to its end. Pauses between attempts are not slept.
    pub fn invoke(&self, state: &S) -> Result<S, Failure> {
        let input = to_value(state)?;
        let run = Run::start(
            self.graph.clone(),
            Origin::default(),
            Input::Value(input),
            RunOptions::default(),
            Timestamp(0),
        );
        match self.drive(run, &mut Memory::new()) {
            Outcome::Done { output } => read_state(&self.default, output),
            Outcome::Failed(failure) => Err(failure),
            Outcome::Interrupted { .. } => Err(Failure::new(
                FailureKind::InvalidInput,
                "interrupted",
                "The graph waits for an answer; use `App::drive` with a memory to resume it.",
            )),
            Outcome::Drained | Outcome::Cancelled => {
                Err(Failure::new(FailureKind::Cancelled, "cancelled", "The run was stopped."))
            }
        }
    }

    /// Drives a run to its end, keeping its checkpoints in `memory`. Time is
    /// virtual: it moves only where the run waits for it.
    pub fn drive(&self, mut run: Run<Value>, memory: &mut Memory<Value>) -> Outcome<Value> {
        let mut now = Timestamp(0);
        loop {
            let Some(effect) = run.poll_effect() else {
                now = run.poll_timeout().unwrap_or(now);
                run.handle(now, Happened::Timeout);
                continue;
            };
            match effect {
                Effect::Call(call) => {
                    let (id, answer) = (call.id, self.answer(&call));
                    drop(call);
                    run.handle(now, Happened::Returned { id, answer });
                }
                Effect::Commit(commit) => memory.commit(commit),
                Effect::SaveWrites(writes) => memory.save_writes(writes),
                Effect::Load(load) => {
                    let saved = memory.load(&load);
                    run.handle(now, Happened::Loaded { id: load.id, saved });
                }
                Effect::CacheGet { id, .. } => {
                    run.handle(now, Happened::Cached { id, writes: None });
                }
                Effect::Finish(outcome) => return outcome,
                Effect::Stop(_)
                | Effect::CachePut { .. }
                | Effect::Invoked { .. }
                | Effect::Retry { .. }
                | Effect::Emit(_)
                | Effect::Notice(_) => {}
            }
        }
    }

    /// Answers a call of the engine.
    pub fn answer(&self, call: &Call<Value>) -> Answer<Value> {
        match (self.functions.get(&call.what), call.kind) {
            (Some(function), CallKind::Node | CallKind::Branch | CallKind::ErrorHandler) => {
                function(call)
            }
            _ => Answer::Failed(Failure::new(
                FailureKind::Internal,
                "unknown_function",
                format!("`{}` is no closure of this graph.", call.what),
            )),
        }
    }
}

fn to_value<S: Serialize>(state: &S) -> Result<Value, Failure> {
    serde_json::to_value(state).map(|json| Value::from(&json)).map_err(|error| {
        Failure::new(FailureKind::InvalidInput, "bad_state", format!("state: {error}"))
    })
}

/// Reads a state, with the default's values for keys that are missing.
fn read_state<S: DeserializeOwned>(default: &Value, value: Value) -> Result<S, Failure> {
    let mut fields = default.fields().unwrap_or_default();
    for (key, value) in value.fields().unwrap_or_default() {
        match fields.iter_mut().find(|(other, _)| *other == key) {
            Some((_, slot)) => *slot = value,
            None => fields.push((key, value)),
        }
    }
    let json = serde_json::Value::from(&Value::from_fields(fields));
    serde_json::from_value(json).map_err(|error| {
        Failure::exception("TypeError", format!("the state does not fit: {error}"))
    })
}
