//! Replays through the crate's one door: what is served, what time it is, what differs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{
    Answer, Call, ChannelKind, Graph, GraphBuilder, Input, NodeOutput, NodeSpec, Outcome,
    RetryPolicy,
};
use weaver_runtime::replay::{DifferenceKind, ReplayRequest, Replayed, replay};
use weaver_runtime::{EffectPolicy, EffectRequest, Error, Handler, RunRequest, TaskContext, drive};
use weaver_store::{ExecutionId, Store};

/// One node that calls the outside. The first calls of all fail.
#[derive(Clone)]
struct Caller {
    asks: &'static str,
    failures: u32,
    fired: Arc<AtomicU32>,
}

impl Caller {
    fn new(asks: &'static str, failures: u32) -> Self {
        Caller { asks, failures, fired: Arc::default() }
    }
}

impl Handler for Caller {
    fn call(&self, _: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let caller = self.clone();
        async move {
            let request = EffectRequest {
                kind: "tool",
                request: caller.asks.into(),
                policy: EffectPolicy::Ask,
            };
            let called = context.effect(request, |_| async {
                let count = caller.fired.fetch_add(1, Ordering::Relaxed);
                match count < caller.failures {
                    true => Err(Failure::new(FailureKind::Tool, "tool_failed", "no").retryable()),
                    false => Ok(Value::Int(i64::from(count))),
                }
            });
            match called.await {
                Ok(value) => Answer::Node(NodeOutput::Update(Value::map([("n", value)]))),
                Err(failure) => Answer::Failed(failure),
            }
        }
        .boxed()
    }
}

fn graph(pause: Duration) -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    graph.channel("n", ChannelKind::LastValue);
    let mut node = NodeSpec::function("work");
    node.retry = vec![RetryPolicy { initial_interval: pause, ..RetryPolicy::default() }];
    graph.node(node).edge("__start__", "work").edge("work", "__end__");
    graph.compile().expect("the graph is sound")
}

async fn run(store: &Store, caller: &Caller) -> (ExecutionId, Outcome<Value>) {
    let input = Input::Value(Value::map([("n", Value::Int(-1))]));
    let request = RunRequest::new("t", graph(Duration::from_millis(1)), input);
    let report = drive(Some(store.clone()), Arc::new(caller.clone()), request).await;
    let report = report.expect("the store is sound");
    (report.execution, report.outcome)
}

async fn again(store: &Store, caller: &Caller, execution: ExecutionId) -> Result<Replayed, Error> {
    // Pauses of a replay pass at once, however long they are.
    let request = ReplayRequest {
        execution,
        graph: graph(Duration::from_secs(3600)),
        context: Value::Null,
        config: Value::map::<&str>([]),
    };
    replay(store, Arc::new(caller.clone()), request).await
}

#[tokio::test]
async fn failed_attempts_fail_again_and_nothing_is_fired() {
    let store = Store::in_memory();
    let caller = Caller::new("a", 2);
    let (execution, outcome) = run(&store, &caller).await;
    let output = Value::map([("n", Value::Int(2))]);
    assert_eq!(outcome, Outcome::Done { output: output.clone() });
    let replayed = again(&store, &caller, execution).await.expect("it is recorded");
    assert_eq!((replayed.differences, replayed.outcome), (vec![], Outcome::Done { output }));
    assert_eq!(replayed.served.get("tool"), Some(&3), "two failures and a result");
    assert_eq!(caller.fired.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_run_that_failed_fails_again() {
    let store = Store::in_memory();
    let caller = Caller::new("a", u32::MAX);
    let (execution, _) = run(&store, &caller).await;
    let replayed = again(&store, &caller, execution).await.expect("it is recorded");
    assert_eq!(replayed.differences, []);
    assert!(matches!(replayed.outcome, Outcome::Failed(failure) if failure.code == "tool_failed"));
}

#[tokio::test]
async fn another_call_is_a_difference_and_is_not_fired() {
    let store = Store::in_memory();
    let (execution, _) = run(&store, &Caller::new("a", 0)).await;
    let other = Caller::new("b", 0);
    let replayed = again(&store, &other, execution).await.expect("it is recorded");
    let first = &replayed.differences[0];
    assert_eq!(first.kind, DifferenceKind::CallChanged("tool".into()));
    assert_eq!((first.step, first.node.as_deref()), (1, Some("work")));
    assert_eq!((&first.recorded, &first.now), (&Value::Int(0), &"b".into()));
    assert_eq!(other.fired.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_did_not_run_is_refused() {
    let store = Store::in_memory();
    let caller = Caller::new("a", 0);
    let unknown = again(&store, &caller, ExecutionId::generate()).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))));
}
