//! [`Reuse`]: runs a changed graph, and takes what has not changed from earlier runs.
//!
//! A node's result is found by the hash of its code and of what it was given. Nothing
//! is kept for this: the log holds the inputs and the writes of every superstep, and
//! the hash of the code follows from the source that an execution is pinned to.
//!
//! What a node was given is the state that it sees. Who runs it (ids, the number of
//! the superstep, the attempt) is not part of that; context, config and settings are,
//! and a run under others is not looked at.

mod index;
mod savings;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use weaver_core::event::Usage;
use weaver_core::{Hash, Value};
use weaver_engine::{Answer, Call, CallKind, CheckpointId, Graph, TaskId};
use weaver_store::{Effect, ExecutionId, Lane, Store};

use crate::error::{Error, store_failure};
use crate::past::{Past, Served, name_of};
use crate::request::RunRequest;
use crate::task::{Handler, TaskContext};
use index::Index;
pub use savings::Savings;

/// What is known of the code of one version of a file.
pub struct Code {
    /// The graph that is run.
    pub graph: Graph<Value>,
    /// All graphs that functions may invoke.
    pub graphs: Vec<Graph<Value>>,
    /// The functions of nodes, by the name that the graph has for them.
    pub nodes: HashMap<String, NodeCode>,
}

/// The code of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeCode {
    /// A hash of everything that its meaning depends on.
    pub hash: Hash,
    /// Whether its writes and where it goes are all that it does. Otherwise it runs,
    /// and only its calls are answered from the log.
    pub whole: bool,
}

/// An earlier execution, with the code that it ran.
pub struct Earlier {
    /// Which.
    pub execution: ExecutionId,
    /// The code of the version that it is pinned to.
    pub code: Arc<Code>,
}

/// Where the run that is done again started.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Its input.
    pub input: Value,
    /// The checkpoint that the input was added to; absent: a new history.
    pub at: Option<CheckpointId>,
}

/// What was not spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Calls of models.
    pub model_calls: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Tokens.
    pub usage: Usage,
    /// Millionths of a US dollar.
    pub cost_micros: u64,
    /// Time of nodes, added up.
    pub duration_us: u64,
}

/// Runs a graph with what earlier runs have come to.
#[derive(Clone)]
pub struct Reuse(Arc<Inner>);

struct Inner {
    store: Store,
    code: Arc<Code>,
    index: Mutex<Index>,
    savings: Mutex<Savings>,
    served: Arc<Mutex<Served>>,
    /// Which recorded task stands behind a task of this run.
    stands_for: Mutex<HashMap<TaskId, (Lane, Arc<str>)>>,
}

/// The result of a node in an earlier run.
struct StepResult {
    lane: Lane,
    task: Arc<str>,
    /// What it came to; nothing if the log cannot say all of it.
    answer: Option<Answer<Value>>,
    cost: Cost,
}

/// Results by the hash of code and input, in the order in which they came about.
type Results = HashMap<Hash, VecDeque<StepResult>>;

impl Beginning {
    /// Where an execution started; nothing for one that was not given an input.
    pub async fn of(store: &Store, execution: ExecutionId) -> Result<Option<Self>, Error> {
        index::beginning(store, execution).await
    }
}

impl Reuse {
    /// Reads earlier executions, the newest first: what the first of them has of a
    /// node and an input counts. `request` is the run that is to come.
    pub async fn new(
        store: &Store,
        code: Arc<Code>,
        earlier: &[Earlier],
        request: &RunRequest,
    ) -> Result<Self, Error> {
        let index = Index::read(store, earlier, crate::open::surroundings(request)).await?;
        Ok(Reuse(Arc::new(Inner {
            store: store.clone(),
            code,
            index: Mutex::new(index),
            savings: Mutex::default(),
            served: Arc::default(),
            stands_for: Mutex::default(),
        })))
    }

    /// How many executions could be gone by: none, if context, settings or the model
    /// were others.
    pub fn executions(&self) -> usize {
        self.0.index.lock().expect("nothing panics while it is held").executions
    }

    /// The handler of the run; `handler` runs what has changed.
    pub fn handler(&self, handler: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Reuser { reuse: self.clone(), handler })
    }

    /// What was taken from earlier runs so far.
    pub fn savings(&self) -> Savings {
        *self.0.savings.lock().expect("nothing panics while it is held")
    }
}

struct Reuser {
    reuse: Reuse,
    handler: Arc<dyn Handler>,
}

impl Handler for Reuser {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let (inner, handler) = (self.reuse.0.clone(), self.handler.clone());
        async move {
            match call.kind {
                CallKind::Node => inner.node(handler, call, context).await,
                _ => inner.beside(handler, call, context).await,
            }
        }
        .boxed()
    }
}

impl Inner {
    async fn node(
        &self,
        handler: Arc<dyn Handler>,
        call: Call<Value>,
        context: TaskContext,
    ) -> Answer<Value> {
        let Some((found, code)) = self.find(&call) else {
            self.savings().ran += 1;
            return handler.call(call, context).await;
        };
        let effects = match self.store.effects(found.lane.clone(), found.task.clone()).await {
            Ok(effects) => effects,
            Err(error) => return Answer::Failed(store_failure(error)),
        };
        let names = (found.lane.clone(), found.task.clone());
        self.stands_for
            .lock()
            .expect("nothing panics while it is held")
            .insert(call.task.id, names);
        // What is in the memory now may be something else.
        let remembers = effects.iter().any(|effect| &*effect.kind == MEMORY);
        if let (Some(answer), true, false) = (found.answer, code.whole, remembers) {
            context.reused(cost_value(&found.cost));
            let savings = &mut *self.savings();
            savings.reused += 1;
            savings.saved.add(&found.cost);
            return answer;
        }
        self.savings().ran += 1;
        let own = without_memory(effects);
        context.effects.follow(self.past(own.clone()));
        let answer = handler.call(call, context.clone()).await;
        let spared = self.count(&own, &found.cost);
        if spared != Cost::default() {
            context.spared(cost_value(&spared));
        }
        answer
    }

    /// Routing functions, reducers and the like run; their calls are answered.
    async fn beside(
        &self,
        handler: Arc<dyn Handler>,
        call: Call<Value>,
        context: TaskContext,
    ) -> Answer<Value> {
        let stands_for = {
            let known = self.stands_for.lock().expect("nothing panics while it is held");
            known.get(&call.task.id).cloned()
        };
        if let Some((lane, task)) = stands_for {
            let name = format!("{task}/{:?}:{}", call.kind, call.what);
            match self.store.effects(lane, name.into()).await {
                Ok(effects) => context.effects.follow(self.past(without_memory(effects))),
                Err(error) => return Answer::Failed(store_failure(error)),
            }
        }
        handler.call(call, context).await
    }

    fn find(&self, call: &Call<Value>) -> Option<(StepResult, NodeCode)> {
        // A task that has asked goes on where it asked.
        if !call.answers.is_empty() || call.task.attempt > 1 {
            return None;
        }
        let code = *self.code.nodes.get(&*call.what)?;
        let key = key_of(code.hash, &call.task.node, &call.input.to_value());
        let mut index = self.index.lock().expect("nothing panics while it is held");
        Some((index.results.get_mut(&key)?.pop_front()?, code))
    }

    fn past(&self, own: Vec<Effect>) -> Past {
        Past { own, others: Vec::new(), served: self.served.clone(), missing: None }
    }

    /// Adds what the served calls of a task that ran cost then.
    fn count(&self, own: &[Effect], cost: &Cost) -> Cost {
        let served = self.served.lock().expect("nothing panics while it is held");
        let of = |kind: &str| {
            let all = own.iter().filter(|effect| &*effect.kind == kind);
            let (yes, no): (Vec<_>, Vec<_>) =
                all.partition(|effect| served.calls.contains(&name_of(effect)));
            (yes.len() as u64, no.is_empty())
        };
        let (model_calls, all) = of("model");
        let mut saved = Cost { model_calls, tool_calls: of("tool").0, ..Cost::default() };
        // Of some of the calls only the sum is known.
        if all {
            (saved.usage, saved.cost_micros) = (cost.usage, cost.cost_micros);
        }
        self.savings().saved.add(&saved);
        saved
    }

    fn savings(&self) -> std::sync::MutexGuard<'_, Savings> {
        self.savings.lock().expect("nothing panics while it is held")
    }
}

impl Cost {
    fn add(&mut self, other: &Cost) {
        self.model_calls += other.model_calls;
        self.tool_calls += other.tool_calls;
        self.usage += other.usage;
        self.cost_micros += other.cost_micros;
        self.duration_us += other.duration_us;
    }
}

/// The kind of a read of long-term memory.
const MEMORY: &str = "memory";

fn without_memory(mut effects: Vec<Effect>) -> Vec<Effect> {
    effects.retain(|effect| &*effect.kind != MEMORY);
    effects
}

fn cost_value(cost: &Cost) -> Value {
    Value::from(&serde_json::to_value(cost).expect("a cost has a JSON form"))
}

/// What a step result is found by. The order of the state's keys does not matter.
fn key_of(code: Hash, node: &str, input: &Value) -> Hash {
    let text = match (input.as_map(), input.tag()) {
        (Some(map), None) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            Value::map(sorted.into_iter().map(|(key, value)| (key.clone(), value.clone())))
                .to_json()
        }
        _ => input.to_json(),
    };
    Hash::of_parts([&code.0[..], node.as_bytes(), text.as_bytes()])
}
