//! Schedulers on one store: what is submitted ends once, whoever dies on the way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weaver_core::{Failure, FailureKind, Hash, Timestamp, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, Graph, GraphBuilder, NodeOutput, NodeSpec, Route, RunOptions,
};
use weaver_runtime::executions::{Once, Refused, Submission, View};
use weaver_runtime::scheduler::{Job, Options, Prepared, Workshop};
use weaver_runtime::{
    EffectPolicy, EffectRequest, Executions, Handler, Order, Scheduler, TaskContext,
};
use weaver_store::{
    Clock, ExecutionId, ExecutionStatus, IdempotencyKey, Store, WorkState, WorkflowVersion,
};

const LEASE: Duration = Duration::from_secs(30);
const AT_MOST: Duration = Duration::from_secs(20);

/// A house with a clock that tests move, and what the nodes in it did.
struct House {
    store: Store,
    clock: Clock,
    world: World,
}

impl House {
    fn new() -> Self {
        let clock = Clock::default();
        let store = Store::in_memory_at(clock.clone());
        House { store, clock, world: World::default() }
    }

    fn executions(&self) -> Executions {
        Executions::new(self.store.clone())
    }

    async fn submit(&self, node: &str) -> ExecutionId {
        let execution = self.executions().submit(submission(node)).await;
        execution.expect("it is accepted").id
    }

    fn start(&self, owner: &str) -> Started {
        let mut options = Options::new(owner);
        options.poll = Duration::from_millis(10);
        options.lease = LEASE;
        options.grace = Duration::from_millis(200);
        let workshop = Arc::new(self.world.clone());
        let drain = CancellationToken::new();
        let scheduler = Scheduler::new(self.store.clone(), workshop, options);
        Started { task: tokio::spawn(scheduler.run(drain.clone())), drain }
    }

    async fn ended(&self, id: ExecutionId) -> View {
        self.until(id, |view| view.execution.status.is_end()).await
    }

    async fn until(&self, id: ExecutionId, wanted: impl Fn(&View) -> bool) -> View {
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

struct Started {
    task: JoinHandle<()>,
    drain: CancellationToken,
}

impl Started {
    /// The process is gone, and tells nobody.
    fn kill(self) {
        self.task.abort();
    }

    async fn drain(self) {
        self.drain.cancel();
        self.task.await.expect("a drained scheduler returns");
    }
}

/// What runs the nodes, and what they did.
#[derive(Clone)]
struct World(Arc<Inner>);

struct Inner {
    fired: Mutex<Vec<String>>,
    /// Held calls go on once it is true.
    gate: watch::Sender<bool>,
    /// A held call has begun.
    held: Notify,
    /// A held call was dropped.
    dropped: Notify,
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
    fn fired(&self) -> Vec<String> {
        self.0.fired.lock().expect("no test panics in it").clone()
    }

    async fn node(
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
        let said = call.answers.first().cloned().unwrap_or_default();
        Ok(Answer::Node(NodeOutput::Update(Value::map([("said", said)]))))
    }

    async fn hold(&self) {
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
        let prepared = match &*job.version.source {
            "broken" => Err(Failure::new(FailureKind::InvalidInput, "workflow_invalid", "no")),
            node => Ok(Prepared {
                graph: graph(node),
                handler: Arc::new(self.clone()),
                context: Value::Null,
                config: Value::map::<&str>([]),
                options: RunOptions { recursion_limit: u32::MAX, ..RunOptions::default() },
            }),
        };
        async { prepared }.boxed()
    }
}

/// `first`, then the node (`spin` again and again until the gate opens), then `last`.
fn graph(node: &str) -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    graph.channel("said", weaver_engine::ChannelKind::LastValue);
    for name in ["first", node, "last"] {
        graph.node(NodeSpec::function(name));
    }
    graph.edge("__start__", "first").edge("first", node).edge("last", "__end__");
    match node {
        "spin" => graph.branch(node, BranchSpec::function("enough")),
        _ => graph.edge(node, "last"),
    };
    graph.compile().expect("the graph is sound")
}

fn submission(node: &str) -> Submission {
    let version = WorkflowVersion {
        hash: Hash::of(node.as_bytes()),
        file: "test.py".into(),
        source: node.into(),
        created: Timestamp::default(),
    };
    let input = Value::map([("said", Value::Null)]);
    Submission::new(version, Order { input, ..Order::default() })
}

#[tokio::test]
async fn what_is_submitted_ends_once_beside_other_schedulers() {
    let house = House::new();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(house.submit("work").await);
    }
    let schedulers = [house.start("a"), house.start("b")];
    for id in ids {
        assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    }
    let mut fired = house.world.fired();
    assert_eq!(fired.len(), 120);
    fired.sort();
    fired.dedup();
    assert_eq!(fired.len(), 120, "each call has its own key");
    for scheduler in schedulers {
        scheduler.drain().await;
    }
}

#[tokio::test]
async fn who_dies_is_succeeded_and_nothing_is_done_twice() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    first.kill();
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    house.clock.advance(LEASE + Duration::from_secs(1));
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    assert_eq!(house.world.fired().len(), 3, "recorded calls are served, not made");
    second.drain().await;
}

#[tokio::test]
async fn a_question_waits_and_its_answer_counts_once() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("ask").await;
    let waiting = |view: &View| view.execution.status == ExecutionStatus::Waiting;
    let view = house.until(id, waiting).await;
    let executions = house.executions();
    let questions = executions.questions(&view.execution).await.unwrap();
    assert_eq!(questions.len(), 1);
    let name = questions[0].id.to_string();
    executions.answer(id, None, &"yes".into()).await.unwrap();
    house.ended(id).await;
    // The same again is harmless, even when all is over; another is refused.
    executions.answer(id, Some(&name), &"yes".into()).await.unwrap();
    let second = executions.answer(id, Some(&name), &"no".into()).await;
    assert!(matches!(second, Err(Refused::Conflict(_))), "{second:?}");
    let nothing = executions.answer(id, None, &"yes".into()).await;
    assert!(matches!(nothing, Err(Refused::Conflict(_))), "{nothing:?}");
    assert_eq!(house.world.fired().len(), 3);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_deadline_of_days_passes_by_the_databases_clock() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("ask_until").await;
    let view = house.until(id, |view| view.execution.status == ExecutionStatus::Waiting).await;
    assert!(view.work.expect("it is in the queue").run_at.is_some());
    house.clock.advance(Duration::from_secs(3 * 86_400 + 1));
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    scheduler.drain().await;
}

/// Hosts differ: what a deadline counts from is the database's time, as what it is
/// compared with.
#[tokio::test]
async fn a_host_whose_clock_is_wrong_passes_no_deadline_early() {
    let house = House::new();
    house.clock.advance(Duration::from_secs(10 * 86_400));
    let scheduler = house.start("a");
    let id = house.submit("ask_until").await;
    let waits = |view: &View| view.execution.status == ExecutionStatus::Waiting;
    let view = house.until(id, waits).await;
    let until = view.work.and_then(|work| work.run_at).expect("it waits for a time");
    let asked = house.executions().questions(&view.execution).await.unwrap()[0].asked;
    let now = house.store.queue().now().await.unwrap();
    assert!(asked.0 <= now.0 && until.0 > now.after(Duration::from_secs(3 * 86_400 - 60)).0);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_cancel_stops_what_runs_and_nothing_more_is_written() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    let executions = house.executions();
    let view = executions.cancel(id, Some("enough")).await.unwrap();
    assert_eq!(view.execution.status, ExecutionStatus::Cancelled);
    let head = house.store.head(id).await.unwrap();
    let heard = tokio::time::timeout(AT_MOST, house.world.0.dropped.notified());
    heard.await.expect("the node's work is dropped");
    scheduler.drain().await;
    assert_eq!(house.store.head(id).await.unwrap(), head, "the log ends with the cancel");
    let again = executions.cancel(id, None).await.unwrap();
    assert_eq!(again.execution.status, ExecutionStatus::Cancelled);
}

#[tokio::test]
async fn a_paused_execution_goes_on_when_it_may() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("spin").await;
    house.until(id, |view| view.execution.status == ExecutionStatus::Running).await;
    let executions = house.executions();
    executions.pause(id).await.unwrap();
    house.until(id, |view| view.execution.status == ExecutionStatus::Paused).await;
    let fired = house.world.fired().len();
    house.world.0.gate.send_replace(true);
    executions.unpause(id).await.unwrap();
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    let rest = house.world.fired().len() - fired;
    assert!((1..=2).contains(&rest), "it goes on where it was held: {rest} calls");
    scheduler.drain().await;
}

#[tokio::test]
async fn what_kills_its_driver_each_time_is_given_up_and_can_be_tried_again() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("panic").await;
    for delivery in 1..=5 {
        house
            .until(id, |view| view.work.as_ref().is_some_and(|work| work.deliveries == delivery))
            .await;
        house.clock.advance(LEASE + Duration::from_secs(1));
    }
    let is_dead =
        |view: &View| view.work.as_ref().is_some_and(|work| work.state == WorkState::Dead);
    house.until(id, is_dead).await;
    house.executions().retry(id).await.unwrap();
    house.until(id, |view| !is_dead(view)).await;
    scheduler.drain().await;
}

#[tokio::test]
async fn a_failed_execution_goes_on_from_its_last_checkpoint() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("fail").await;
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    assert_eq!(house.world.fired().len(), 1);
    house.executions().retry(id).await.unwrap();
    house.ended(id).await;
    assert_eq!(house.world.fired().len(), 1, "the first node is not run again");
    let broken = house.submit("broken").await;
    let view = house.ended(broken).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    let refused = house.executions().retry(ExecutionId::generate()).await;
    assert!(matches!(refused, Err(Refused::NotFound(_))), "{refused:?}");
    scheduler.drain().await;
}

#[tokio::test]
async fn a_drain_hands_back_what_does_not_end() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    first.drain().await;
    let view = house.executions().get(id).await.unwrap();
    let work = view.work.expect("it is still to be done");
    assert_eq!((work.state, work.deliveries), (WorkState::Ready, 0));
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    second.drain().await;
}

#[tokio::test]
async fn the_same_submission_twice_is_one_execution() {
    let house = House::new();
    let once = |body: &str| {
        let key =
            IdempotencyKey { caller: "me".into(), route: "submit".into(), key: "order-7".into() };
        Some(Once { key, body: Hash::of(body.as_bytes()) })
    };
    let executions = house.executions();
    let submit = |body: &'static str| {
        let submission = Submission { once: once(body), ..submission("work") };
        let executions = executions.clone();
        async move { executions.submit(submission).await }
    };
    let (one, two) = tokio::join!(submit("a"), submit("a"));
    assert_eq!(one.unwrap().id, two.unwrap().id);
    assert!(matches!(submit("b").await, Err(Refused::KeyReused)));
}
