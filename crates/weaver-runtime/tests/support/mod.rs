//! [`House`]: schedulers on a store in memory with a clock that tests move.

#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weaver_core::task::{Assignment, CallResult, Made, Outcome};
use weaver_core::{Failure, FailureKind, Hash, Timestamp, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, Graph, GraphBuilder, NodeOutput, NodeSpec, RetryOn, RetryPolicy,
    Route, RunOptions,
};
use weaver_runtime::children::{Ended, waiting_for};
use weaver_runtime::executions::{Submission, View};
use weaver_runtime::scheduler::{Job, Options, Prepared, Workshop};
use weaver_runtime::tasks::{self, Report};
use weaver_runtime::{
    EffectPolicy, EffectRequest, Executions, Handler, Order, Scheduler, TaskContext,
};
use weaver_store::{Clock, ExecutionId, Store, WorkflowVersion};

pub const LEASE: Duration = Duration::from_secs(30);
/// The text that workers have.
pub const TEXT: &str = "text";
pub const AT_MOST: Duration = Duration::from_secs(20);

/// A house with a clock that tests move, and what the nodes in it did.
pub struct House {
    pub store: Store,
    pub clock: Clock,
    pub world: World,
}

impl House {
    pub fn new() -> Self {
        House::at(Clock::default())
    }

    pub fn at(clock: Clock) -> Self {
        let store = Store::in_memory_at(clock.clone());
        House { store, clock, world: World::default() }
    }

    pub fn executions(&self) -> Executions {
        Executions::new(self.store.clone())
    }

    pub async fn submit(&self, node: &str) -> ExecutionId {
        let execution = self.executions().submit(submission(node)).await;
        execution.expect("it is accepted").id
    }

    pub fn start(&self, owner: &str) -> Started {
        self.start_on(self.store.clone(), owner, 256)
    }

    pub fn start_on(&self, store: Store, owner: &str, slots: usize) -> Started {
        self.start_with(store, owner, |options| options.slots = slots)
    }

    pub fn start_with(
        &self,
        store: Store,
        owner: &str,
        change: impl FnOnce(&mut Options),
    ) -> Started {
        let mut options = Options::new(owner);
        options.poll = Duration::from_millis(10);
        options.lease = LEASE;
        options.grace = Duration::from_millis(200);
        change(&mut options);
        let workshop = Arc::new(self.world.clone());
        let drain = CancellationToken::new();
        let scheduler = Scheduler::new(store, workshop, options);
        Started { task: tokio::spawn(scheduler.run(drain.clone())), drain }
    }

    pub async fn ended(&self, id: ExecutionId) -> View {
        self.until(id, |view| view.execution.status.is_end()).await
    }

    pub async fn until(&self, id: ExecutionId, wanted: impl Fn(&View) -> bool) -> View {
        let executions = self.executions();
        let wait = async {
            loop {
                let view = executions.get(id).await.expect("it is there");
                if wanted(&view) {
                    return view;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(AT_MOST, wait).await {
            Ok(view) => view,
            Err(_) => panic!("it does not come to that: {:?}", executions.get(id).await),
        }
    }
}

pub struct Started {
    task: JoinHandle<()>,
    drain: CancellationToken,
}

impl Started {
    /// The process is gone, and tells nobody.
    pub fn kill(self) {
        self.task.abort();
    }

    pub async fn drain(self) {
        self.drain.cancel();
        self.task.await.expect("a drained scheduler returns");
    }
}

/// What runs the nodes, and what they did.
#[derive(Clone)]
pub struct World(pub Arc<Inner>);

pub struct Inner {
    pub fired: Mutex<Vec<String>>,
    /// Held calls go on once it is true.
    pub gate: watch::Sender<bool>,
    /// A held call has begun.
    pub held: Notify,
    /// A held call was dropped.
    pub dropped: Notify,
}

impl Default for World {
    fn default() -> Self {
        World(Arc::new(Inner {
            fired: Mutex::default(),
            gate: watch::channel(false).0,
            held: Notify::new(),
            dropped: Notify::new(),
        }))
    }
}

impl World {
    pub fn fired(&self) -> Vec<String> {
        self.0.fired.lock().expect("no test panics in it").clone()
    }

    pub async fn node(
        &self,
        call: &Call<Value>,
        context: &TaskContext,
    ) -> Result<Answer<Value>, Failure> {
        let what = &*call.what;
        if what == "enough" {
            let next = if *self.0.gate.borrow() { "last" } else { "spin" };
            return Ok(Answer::Routes(vec![Route::Key(next.into())]));
        }
        if what == "panic" {
            panic!("a poisoned node");
        }
        if what.starts_with("worker") {
            return self.worker(call);
        }
        if let Some(graph) = what.strip_prefix("start_") {
            return self.start_child(call, context, graph).await;
        }
        if what == "spend" || what == "spend_hold" {
            let purse = context.run().purse.as_ref().expect("the execution has a budget");
            for _ in 0..2 {
                let spending = purse.reserve(60, "a call").await?;
                if what == "spend_hold" {
                    self.hold().await;
                }
                spending.settle(50).await?;
            }
            return Ok(Answer::Node(NodeOutput::Update(Value::map::<&str>([]))));
        }
        if what == "fail" {
            return Err(Failure::new(FailureKind::Exception, "node_failed", "it never works"));
        }
        let request =
            EffectRequest { kind: "tool", request: what.into(), policy: EffectPolicy::Change };
        let effect = context.effect(request, |fire| {
            self.0.fired.lock().expect("no test panics in it").push(fire.key);
            async { Ok(Value::Null) }
        });
        effect.await?;
        match what {
            "hold" => self.hold().await,
            "ask" if call.answers.is_empty() => {
                return Ok(Answer::Interrupted(vec![Value::str("well?")]));
            }
            "ask_until" if call.answers.is_empty() => {
                let question = [("deadline_seconds", Value::Int(3 * 86_400))];
                return Ok(Answer::Interrupted(vec![Value::map(question)]));
            }
            _ => {}
        }
        let said = match what {
            "tell" => Value::str("a long story ".repeat(1_000)),
            _ => call.answers.first().cloned().unwrap_or_default(),
        };
        Ok(Answer::Node(NodeOutput::Update(Value::map([("said", said)]))))
    }

    /// Has a worker do it, and each call that it asks for.
    fn worker(&self, call: &Call<Value>) -> Result<Answer<Value>, Failure> {
        let mut made = Made::default();
        let mut row = None;
        for answer in &call.answers {
            let report = Report::from_answer(answer).expect("a worker has answered");
            if report.attempt != call.task.attempt {
                continue;
            }
            match report.outcome {
                Outcome::Returned(value) => {
                    return Ok(Answer::Node(NodeOutput::Update(Value::map([("said", value)]))));
                }
                Outcome::Failed(failure) => return Err(failure),
                Outcome::Asked(value) => return Ok(Answer::Interrupted(vec![value])),
                Outcome::Called(asked) => {
                    made = report.made;
                    made.results.push(CallResult::Returned(asked.name.into()));
                    row = Some(report.row);
                }
            }
        }
        Ok(Answer::Interrupted(vec![tasks::question(&Assignment {
            text: TEXT.into(),
            file: "test.py".into(),
            node: call.task.node.to_string(),
            function: call.what.to_string(),
            args: Vec::new(),
            kwargs: Default::default(),
            input_class: None,
            answers: Vec::new(),
            made,
            attempt: call.task.attempt,
            timeout_ms: None,
            row,
        })]))
    }

    /// Starts an execution and waits for its end.
    async fn start_child(
        &self,
        call: &Call<Value>,
        context: &TaskContext,
        graph: &str,
    ) -> Result<Answer<Value>, Failure> {
        let children = context.run().children.as_ref().expect("a scheduler drives it");
        let request = EffectRequest {
            kind: "execution",
            request: graph.into(),
            policy: EffectPolicy::Change,
        };
        let input = Value::map([("said", Value::Null)]);
        let started = context.effect(request, |fire| async move {
            let graph = if graph == "start_self" { "start_start_self" } else { graph };
            let child = children.start(&fire.key, graph, input).await?;
            Ok(child.to_string().into())
        });
        let child = started.await?;
        let child = child.as_str().expect("an id is text");
        let ended = match call.answers.last() {
            Some(answer) => Some(Ended::from_answer(answer)),
            None => children.ended(child).await?,
        };
        match ended {
            None => Ok(Answer::Interrupted(vec![waiting_for(child)])),
            Some(Ended::Completed(values)) => {
                Ok(Answer::Node(NodeOutput::Update(Value::map([("said", values)]))))
            }
            Some(Ended::Badly(reason)) => {
                Err(Failure::new(FailureKind::Exception, "execution_failed", reason))
            }
        }
    }

    pub async fn hold(&self) {
        struct Dropped(Arc<Inner>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.dropped.notify_one();
            }
        }
        let _dropped = Dropped(self.0.clone());
        self.0.held.notify_one();
        let mut gate = self.0.gate.subscribe();
        gate.wait_for(|open| *open).await.expect("the gate is there");
    }
}

impl Handler for World {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let world = self.clone();
        async move { world.node(&call, &context).await.unwrap_or_else(Answer::Failed) }.boxed()
    }
}

impl Workshop for World {
    fn prepare(&self, job: Job) -> BoxFuture<'_, Result<Prepared, Failure>> {
        let prepared = match job.order.graph.as_deref().unwrap_or(&job.version.source) {
            "broken" => Err(Failure::new(FailureKind::InvalidInput, "workflow_invalid", "no")),
            node => Ok(Prepared {
                graph: graph(node),
                handler: Arc::new(self.clone()),
                context: Value::Null,
                config: Value::map::<&str>([]),
                options: RunOptions { recursion_limit: u32::MAX, ..RunOptions::default() },
                surroundings: None,
            }),
        };
        async { prepared }.boxed()
    }
}

/// `first`, then the node (`spin` again and again until the gate opens), then `last`,
/// but after `tell` nothing.
pub fn graph(node: &str) -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    graph.channel("said", weaver_engine::ChannelKind::LastValue);
    for name in ["first", node, "last"] {
        let mut made = NodeSpec::function(name);
        if name == "worker_retry" {
            made.retry = vec![RetryPolicy {
                initial_interval: Duration::from_millis(1),
                retry_on: RetryOn::Classes(vec!["Exception".into()]),
                ..RetryPolicy::default()
            }];
        }
        graph.node(made);
    }
    graph.edge("__start__", "first").edge("first", node).edge("last", "__end__");
    match node {
        "spin" => graph.branch(node, BranchSpec::function("enough")),
        "tell" => graph.edge(node, "__end__"),
        _ => graph.edge(node, "last"),
    };
    graph.compile().expect("the graph is sound")
}

pub fn submission(node: &str) -> Submission {
    let version = WorkflowVersion {
        hash: Hash::of(node.as_bytes()),
        file: "test.py".into(),
        source: node.into(),
        created: Timestamp::default(),
    };
    let input = Value::map([("said", Value::Null)]);
    Submission::new(version, Order { input, ..Order::default() })
}
