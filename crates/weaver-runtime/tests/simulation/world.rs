//! [`World`]: what the nodes of the simulated executions do to the outside, and the
//! book that is kept of it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, ChannelKind, Graph, GraphBuilder, NodeOutput, NodeSpec, Operator,
    Reducer, RetryPolicy, Route, RunOptions, SendTo,
};
use weaver_runtime::scheduler::{Job, Prepared, Workshop};
use weaver_runtime::{EffectPolicy, EffectRequest, Handler, TaskContext};

/// What an execution is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Nodes beside each other, sends, a loop, a question.
    Mixed,
    /// The question is answered by time after [`DEADLINE`], unless a person does.
    Deadline,
    /// Calls that may happen at most once.
    AtMostOnce,
}

pub const SHAPES: [Shape; 3] = [Shape::Mixed, Shape::Deadline, Shape::AtMostOnce];

/// Of the question of [`Shape::Deadline`].
pub const DEADLINE: Duration = Duration::from_secs(120);

impl Shape {
    /// What stands for it in a stored version.
    pub fn source(self) -> String {
        format!("{self:?}")
    }

    fn of(source: &str) -> Self {
        let found = SHAPES.into_iter().find(|shape| shape.source() == source);
        found.expect("only shapes are submitted")
    }

    fn policy(self) -> EffectPolicy {
        match self {
            Shape::AtMostOnce => EffectPolicy::AtMostOnce,
            _ => EffectPolicy::Change,
        }
    }
}

/// The book of what was done to the outside.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Book>>);

#[derive(Default)]
pub struct Book {
    /// How often each call was made, by its key.
    pub fired: HashMap<String, u32>,
    /// What each key was for.
    pub meant: HashMap<String, String>,
    /// Calls whose result a node has seen.
    seen: HashSet<String>,
    /// Calls that were made again after that.
    pub twice: Vec<String>,
    /// Keys that came with another wish than before.
    pub confused: Vec<String>,
}

impl World {
    pub fn book<T>(&self, read: impl FnOnce(&mut Book) -> T) -> T {
        read(&mut self.0.lock().expect("no test panics in it"))
    }

    /// The world as one process reaches it.
    pub fn hands(&self) -> Hands {
        Hands { world: self.clone(), zombie: Arc::default(), shape: Shape::Mixed }
    }
}

/// What runs nodes in one process.
#[derive(Clone)]
pub struct Hands {
    world: World,
    /// The process was stopped: it may act for a moment as if it still held leases
    /// that others have by now. Its calls come under the same keys.
    pub zombie: Arc<AtomicBool>,
    shape: Shape,
}

impl Hands {
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
        if &*call.what == "right" && call.task.attempt < 3 {
            return Err(Failure::new(FailureKind::Exception, "node_failed", "not yet"));
        }
        if &*call.what == "ask" {
            match call.answers.first() {
                Some(answer) => line = format!("{line} {answer}"),
                None => return Ok(Answer::Interrupted(vec![self.question()])),
            }
        }
        let count = i64::from(&*call.what == "join");
        let update = [("log", Value::list([Value::str(line)])), ("n", Value::Int(count))];
        Ok(Answer::Node(NodeOutput::Update(Value::map(update))))
    }

    fn question(&self) -> Value {
        match self.shape {
            Shape::Deadline => {
                Value::map([("deadline_seconds", Value::Int(DEADLINE.as_secs() as i64))])
            }
            _ => Value::str("well?"),
        }
    }

    /// A call that takes some time and is noted at both ends.
    async fn outside(&self, context: &TaskContext, what: &str) -> Result<Value, Failure> {
        let request =
            EffectRequest { kind: "tool", request: what.into(), policy: self.shape.policy() };
        let made = Mutex::new(None);
        let answer = context.effect(request, |fire| {
            let is_zombie = self.zombie.load(Ordering::Relaxed);
            let count = self.world.book(|book| {
                if book.seen.contains(&fire.key) && !is_zombie {
                    book.twice.push(format!("{what} ({})", fire.key));
                }
                let meant = book.meant.entry(fire.key.clone()).or_insert_with(|| what.into());
                if meant != what {
                    book.confused.push(format!("{what} ({}) was {meant}", fire.key));
                }
                *book.fired.entry(fire.key.clone()).or_default() += 1;
                book.fired.len()
            });
            *made.lock().expect("as above") = Some(fire.key);
            let answer = Value::str(format!("[{what}]"));
            async move {
                if !count.is_multiple_of(3) {
                    tokio::time::sleep(Duration::from_millis(count as u64 % 40)).await;
                }
                Ok(answer)
            }
        });
        let answer = answer.await?;
        if let Some(key) = made.into_inner().expect("as above") {
            self.world.book(|book| book.seen.insert(key));
        }
        Ok(answer)
    }
}

impl Handler for Hands {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let hands = self.clone();
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
                _ => hands.node(&call, &context).await.unwrap_or_else(Answer::Failed),
            }
        }
        .boxed()
    }
}

impl Workshop for Hands {
    fn prepare(&self, job: Job) -> BoxFuture<'_, Result<Prepared, Failure>> {
        let shape = Shape::of(&job.version.source);
        let prepared = Prepared {
            graph: graph(),
            handler: Arc::new(Hands { shape, ..self.clone() }),
            context: Value::Null,
            config: Value::map::<&str>([]),
            options: RunOptions::default(),
            surroundings: None,
        };
        async { Ok(prepared) }.boxed()
    }
}

/// Two nodes beside each other, one of them flaky, three sends, a loop, a question.
fn graph() -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    let add = |initial| ChannelKind::Reduced {
        reducer: Reducer::Operator(Operator::Add),
        initial: Some(initial),
    };
    graph.channel("log", add(Value::list([]))).channel("n", add(Value::Int(0)));
    for node in ["begin", "left", "right", "work", "join", "ask"] {
        let mut spec = NodeSpec::function(node);
        spec.retry = vec![RetryPolicy { jitter: false, ..RetryPolicy::default() }];
        graph.node(spec);
    }
    graph.edge("__start__", "begin").edge("begin", "left").edge("begin", "right");
    graph.branch("left", BranchSpec::function("fan"));
    graph.edge("work", "join").branch("join", BranchSpec::function("again"));
    graph.edge("ask", "__end__");
    graph.compile().expect("the graph is sound")
}
