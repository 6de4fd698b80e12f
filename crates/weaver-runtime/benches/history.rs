//! What an execution that waits costs, and what a superstep costs after a long
//! history. `cargo bench --ignore-rust-version -p weaver-runtime`

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use weaver_core::Value;
use weaver_engine::{
    Answer, BranchSpec, Call, ChannelKind, Graph, GraphBuilder, Input, NodeOutput, NodeSpec,
    Operator, Outcome, Reducer, Route,
};
use weaver_runtime::{Handler, RunRequest, TaskContext, drive};
use weaver_store::{OpenOptions, Store};

const WAITING: usize = 10_000;
const STEPS: i64 = 100_000;
/// Steps that are timed together.
const WINDOW: i64 = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let all = async {
        for grows in [false, true] {
            long_loop(grows).await;
        }
        asked().await;
        calling().await;
    };
    runtime.expect("a runtime").block_on(LocalSet::new().run_until(all));
}

/// A superstep early and late in one run of 100,000.
async fn long_loop(grows: bool) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(Looping { grows, marks: Mutex::default() });
    let mut graph = GraphBuilder::new();
    graph.channel("n", added(Value::Int(0))).channel("log", added(Value::list([])));
    graph.node(NodeSpec::function("step")).edge("__start__", "step");
    graph.branch("step", BranchSpec::function("again"));
    let input = Input::Value(Value::map([("n", Value::Int(0))]));
    let mut request = RunRequest::new("loop", compiled(&graph), input);
    request.options.recursion_limit = STEPS as u32 + 10;
    let report = drive(Some(open(data.path())), clock.clone(), request).await;
    assert!(matches!(report.expect("the store works").outcome, Outcome::Done { .. }));
    let marks = clock.marks.lock().expect("no node panics");
    let per_step = |at: usize| (marks[at + 1] - marks[at]) / WINDOW as u32;
    let mut late: Vec<Duration> = (marks.len() - 11..marks.len() - 1).map(per_step).collect();
    let mut early: Vec<Duration> = (0..10).map(per_step).collect();
    println!(
        "superstep with a log (processor time), {}: {:.2?} in the first 10,000, {:.2?} in the last of {STEPS}",
        if grows { "state of a growing list" } else { "state of one number" },
        median(&mut early),
        median(&mut late),
    );
}

/// Executions that wait for a person: each has been driven to its question.
async fn asked() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let store = open(data.path());
    // What the store keeps for any number of them is not part of one.
    wait_for_person(&store, 0..WAITING).await;
    let (memory, disk) = (resident(), size(data.path()));
    wait_for_person(&store, WAITING..2 * WAITING).await;
    println!(
        "waiting for a person: {} bytes of memory, {} bytes on disk each",
        resident().saturating_sub(memory) / WAITING,
        (size(data.path()) - disk) / WAITING,
    );
}

async fn wait_for_person(store: &Store, numbers: std::ops::Range<usize>) {
    let graph = one_node();
    for number in numbers {
        let request = RunRequest::new(format!("thread {number}"), graph.clone(), hello());
        let report = drive(Some(store.clone()), Arc::new(Asking), request).await;
        let outcome = report.expect("the store works").outcome;
        assert!(matches!(outcome, Outcome::Interrupted { .. }));
    }
}

/// Executions in the middle of a call out, all in this process at once.
async fn calling() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let store = open(data.path());
    let graph = one_node();
    let gate = Arc::new(Gate::default());
    let runs = |numbers: std::ops::Range<usize>| {
        let runs = numbers.map(|number| {
            let request = RunRequest::new(format!("thread {number}"), graph.clone(), hello());
            spawn_local(drive(Some(store.clone()), gate.clone(), request))
        });
        runs.collect::<Vec<_>>()
    };
    let mut all = runs(0..WAITING);
    gate.until(WAITING).await;
    let memory = resident();
    all.extend(runs(WAITING..2 * WAITING));
    gate.until(2 * WAITING).await;
    let each = resident().saturating_sub(memory) / WAITING;
    println!("waiting for a call, in this process: {each} bytes of memory each");
    gate.open.notify_waiters();
    for run in join_all(all).await {
        let report = run.expect("no run panics").expect("the store works");
        assert!(matches!(report.outcome, Outcome::Done { .. }));
    }
}

fn open(data: &Path) -> Store {
    Store::open_sqlite(data, OpenOptions::default()).expect("a new store")
}

fn added(initial: Value) -> ChannelKind<Value> {
    let reducer = Reducer::Operator(Operator::Add);
    ChannelKind::Reduced { reducer, initial: Some(initial) }
}

fn compiled(graph: &GraphBuilder<Value>) -> Graph<Value> {
    graph.compile().expect("the graph is sound")
}

fn one_node() -> Graph<Value> {
    let mut graph = GraphBuilder::new();
    graph.channel("text", ChannelKind::LastValue);
    graph.node(NodeSpec::function("ask")).edge("__start__", "ask");
    compiled(&graph)
}

fn hello() -> Input<Value> {
    Input::Value(Value::map([("text", Value::str("May I send the letter?"))]))
}

/// Counts, and notes the time that this thread has had every [`WINDOW`] steps.
struct Looping {
    grows: bool,
    marks: Mutex<Vec<Duration>>,
}

impl Handler for Looping {
    fn call(&self, call: Call<Value>, _: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let n = match &call.input {
            weaver_engine::CallInput::State(view) => view.get("n").and_then(|n| n.as_int()),
            _ => None,
        };
        let n = n.unwrap_or(0);
        let answer = match &*call.what {
            "again" => {
                let next = if n < STEPS { "step" } else { "__end__" };
                Answer::Routes(vec![Route::Key(next.into())])
            }
            _ => {
                if n % WINDOW == 0 {
                    self.marks.lock().expect("no node panics").push(processor_time());
                }
                let mut fields = vec![("n".into(), Value::Int(1))];
                if self.grows {
                    fields.push(("log".into(), Value::list([Value::str("one more line")])));
                }
                Answer::Node(NodeOutput::Fields(fields))
            }
        };
        async move { answer }.boxed()
    }
}

/// Asks a question that nobody answers.
struct Asking;

impl Handler for Asking {
    fn call(&self, _: Call<Value>, _: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        async { Answer::Interrupted(vec![Value::str("yes or no?")]) }.boxed()
    }
}

/// Holds every call until it opens.
#[derive(Default)]
struct Gate {
    open: Arc<Notify>,
    held: Arc<Mutex<usize>>,
    came: Arc<Notify>,
}

impl Gate {
    /// Waits until so many calls are held.
    async fn until(&self, count: usize) {
        while *self.held.lock().expect("no node panics") < count {
            self.came.notified().await;
        }
    }
}

impl Handler for Gate {
    fn call(&self, _: Call<Value>, _: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let opened = self.open.clone().notified_owned();
        *self.held.lock().expect("no node panics") += 1;
        self.came.notify_one();
        async move {
            opened.await;
            Answer::Node(NodeOutput::Nothing)
        }
        .boxed()
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What this thread has had of a processor: the store writes in another, and other
/// programs run too.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let spent = stat.split(' ').next().and_then(|spent| spent.parse().ok());
    Duration::from_nanos(spent.expect("the kernel tells it"))
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.expect("the kernel tells it") * 1024
}

/// Bytes of the files in a directory and those below.
fn size(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("a readable directory").flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len() as usize,
        Err(_) => 0,
    };
    entries.map(of).sum()
}
