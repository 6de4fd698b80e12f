//! The store fails before and after commits, again and again; the run is
//! continued each time. It comes to what it comes to without faults, and no call
//! whose result a node has seen is made a second time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::{Failure, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, ChannelKind, Graph, GraphBuilder, Input, InputCommand, NodeOutput,
    NodeSpec, Operator, Outcome, Reducer, Resume, Route, SendTo,
};
use weaver_runtime::replay::{ReplayRequest, replay};
use weaver_runtime::{
    Durability, EffectPolicy, EffectRequest, Error, Handler, RunRequest, TaskContext, drive, thread,
};
use weaver_store::{Batch, ExecutionQuery, Faults, OpenOptions, Store};

const MEMORY_SEEDS: u64 = 150;
const SQLITE_SEEDS: u64 = 20;
/// From this attempt on the store is sound, so that every run ends.
const FAULTY_ATTEMPTS: u64 = 12;

#[tokio::test]
async fn a_store_in_memory_that_fails_changes_nothing() {
    for seed in 0..MEMORY_SEEDS {
        check(Store::in_memory(), seed).await;
    }
}

#[tokio::test]
async fn a_store_on_disk_that_fails_changes_nothing() {
    for seed in 0..SQLITE_SEEDS {
        let data = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open_sqlite(data.path(), OpenOptions::default());
        check(store.expect("a store in it"), seed).await;
    }
}

/// A call whose outcome is not known is left to a person, and never made again.
#[tokio::test]
async fn what_must_happen_at_most_once_does() {
    let mut stuck = 0;
    for seed in 0..MEMORY_SEEDS {
        let world = World::new(EffectPolicy::AtMostOnce);
        let outcome = run(&Store::in_memory(), &world, Some((seed, 5))).await;
        stuck += u64::from(outcome.is_none());
        let fired = world.0.fired.lock().expect("no test panics in it");
        assert!(fired.values().all(|count| *count == 1), "seed {seed}: {fired:?}");
    }
    assert!(stuck > 0 && stuck < MEMORY_SEEDS, "{stuck} runs wait for a person");
}

async fn check(store: Store, seed: u64) {
    let sound = World::new(EffectPolicy::Change);
    let expected_store = Store::in_memory();
    let expected = run(&expected_store, &sound, None).await;
    let world = World::new(EffectPolicy::Change);
    let found = run(&store, &world, Some((seed, 60))).await;
    assert_eq!(found, expected, "seed {seed}");
    assert_eq!(steps(&store).await, steps(&expected_store).await, "seed {seed}");
    if seed.is_multiple_of(3) {
        replays(&store, &world, seed).await;
    }
    let twice = world.0.twice.lock().expect("no test panics in it");
    assert!(twice.is_empty(), "seed {seed}: made again after they had ended: {twice:?}");
}

/// Whatever happened on the way, the log goes through again as it went, and nothing
/// is fired.
async fn replays(store: &Store, world: &World, seed: u64) {
    let fired = world.0.fired.lock().expect("no test panics in it").clone();
    for execution in store.executions(ExecutionQuery::default()).await.expect("it can be read") {
        let request = ReplayRequest {
            execution: execution.id,
            graph: graph(),
            context: Value::Null,
            config: Value::map::<&str>([]),
        };
        match replay(store, Arc::new(world.clone()), request).await {
            Ok(replayed) => assert_eq!(replayed.differences, [], "seed {seed}"),
            // Its beginning, or the answer to its read, was lost.
            Err(Error::Invalid(message)) => assert!(message.contains("execution"), "{message}"),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert_eq!(*world.0.fired.lock().expect("no test panics in it"), fired, "seed {seed}");
}

/// Runs to the end, continuing after every fault; nothing if a person has to look.
/// With a seed so many of a thousand commits fail, and as many fail to say that
/// they did not.
async fn run(store: &Store, world: &World, seed: Option<(u64, u32)>) -> Option<Value> {
    let graph = graph();
    let mut input = Input::Value(Value::map([("n", Value::Int(0))]));
    for attempt in 0..FAULTY_ATTEMPTS + 3 {
        let faulty = match seed.filter(|_| attempt < FAULTY_ATTEMPTS) {
            Some((seed, per_mille)) => faults(seed * 100 + attempt, per_mille).wrap(store.clone()),
            None => store.clone(),
        };
        let mut request = RunRequest::new("t", graph.clone(), input.clone());
        request.durability = match seed.map_or(0, |(seed, _)| seed % 2) {
            0 => Durability::Async,
            _ => Durability::Sync,
        };
        let ended = drive(Some(faulty), Arc::new(world.clone()), request).await;
        // A new process would find everything that was on its way.
        store.append(Batch::standalone()).await.expect("the store below is sound");
        match ended.map(|report| report.outcome) {
            Ok(Outcome::Done { output }) => return Some(output),
            Ok(Outcome::Failed(failure)) if failure.code == "needs_attention" => return None,
            _ => {}
        }
        input = next_input(store).await.unwrap_or(input);
    }
    panic!("seed {seed:?} does not end");
}

/// How a person goes on: with the answer where one is asked for.
async fn next_input(store: &Store) -> Option<Input<Value>> {
    let (saved, _) = thread::load(store, "t", "", None).await.expect("it can be read")?;
    let snapshot = weaver_engine::Snapshot::latest(&graph(), &saved);
    let asked = snapshot.interrupts().next().is_some();
    Some(match asked {
        true => Input::Command(InputCommand {
            resume: Some(Resume::Bare(Value::Int(42))),
            ..InputCommand::default()
        }),
        false => Input::Continue,
    })
}

/// Step, source and next nodes of each checkpoint, newest first.
async fn steps(store: &Store) -> Vec<(i64, &'static str, Vec<String>)> {
    let history = thread::history(store, "t", "", 0).await.expect("it can be read");
    history.into_iter().map(|entry| (entry.step, entry.source, entry.next)).collect()
}

fn faults(seed: u64, per_mille: u32) -> Faults {
    Faults {
        seed,
        refuse_per_mille: per_mille,
        unknown_per_mille: per_mille,
        delay_per_mille: 200,
        read_per_mille: per_mille / 3,
    }
}

/// Two nodes beside each other, three sends, a loop, a question.
fn graph() -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    let add = |initial| ChannelKind::Reduced {
        reducer: Reducer::Operator(Operator::Add),
        initial: Some(initial),
    };
    graph.channel("log", add(Value::list([]))).channel("n", add(Value::Int(0)));
    for node in ["begin", "left", "right", "work", "join", "ask"] {
        graph.node(NodeSpec::function(node));
    }
    graph.edge("__start__", "begin").edge("begin", "left").edge("begin", "right");
    graph.branch("left", BranchSpec::function("fan"));
    graph.edge("work", "join").branch("join", BranchSpec::function("again"));
    graph.edge("ask", "__end__");
    graph.compile().expect("the graph is sound")
}

/// The nodes, and what they did to the outside.
#[derive(Clone)]
struct World(Arc<Inner>);

struct Inner {
    policy: EffectPolicy,
    fired: Mutex<HashMap<String, u32>>,
    ended: Mutex<HashSet<String>>,
    twice: Mutex<Vec<String>>,
}

impl World {
    fn new(policy: EffectPolicy) -> Self {
        World(Arc::new(Inner {
            policy,
            fired: Mutex::default(),
            ended: Mutex::default(),
            twice: Mutex::default(),
        }))
    }

    /// Two calls to the outside, then a line in the log.
    async fn node(
        &self,
        call: &Call<Value>,
        context: &TaskContext,
    ) -> Result<Answer<Value>, Failure> {
        let mut line = call.what.to_string();
        for what in ["first", "second"] {
            let answer = self.outside(context, &format!("{what} of {}", call.what)).await?;
            line = format!("{line} {answer}");
        }
        if &*call.what == "ask" {
            match call.answers.first() {
                Some(answer) => line = format!("{line} {answer}"),
                None => return Ok(Answer::Interrupted(vec![Value::str("well?")])),
            }
        }
        let count = i64::from(&*call.what == "join");
        let update = [("log", Value::list([Value::str(line)])), ("n", Value::Int(count))];
        Ok(Answer::Node(NodeOutput::Update(Value::map(update))))
    }

    async fn outside(&self, context: &TaskContext, what: &str) -> Result<Value, Failure> {
        let Inner { policy, fired, ended, twice } = &*self.0;
        let request = EffectRequest { kind: "tool", request: what.into(), policy: *policy };
        let key = Mutex::new(String::new());
        let answer = context.effect(request, |fire| {
            if ended.lock().expect("no test panics in it").contains(&fire.key) {
                twice.lock().expect("no test panics in it").push(format!("{what} ({})", fire.key));
            }
            *fired.lock().expect("no test panics in it").entry(fire.key.clone()).or_default() += 1;
            *key.lock().expect("no test panics in it") = fire.key;
            async move { Ok(Value::str(format!("[{what}]"))) }
        });
        let answer = answer.await?;
        ended.lock().expect("no test panics in it").insert(key.into_inner().expect("as above"));
        Ok(answer)
    }
}

impl Handler for World {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let world = self.clone();
        async move {
            let state = call.input.to_value();
            match &*call.what {
                "fan" => {
                    let send = |n| {
                        Route::Send(SendTo {
                            node: "work".into(),
                            arg: Value::map([("job", Value::Int(n))]),
                            timeout: None,
                        })
                    };
                    Answer::Routes((0..3).map(send).collect())
                }
                "again" => {
                    let enough = state.get("n").and_then(Value::as_int) >= Some(2);
                    Answer::Routes(vec![Route::Key(if enough { "ask" } else { "begin" }.into())])
                }
                _ => world.node(&call, &context).await.unwrap_or_else(Answer::Failed),
            }
        }
        .boxed()
    }
}
