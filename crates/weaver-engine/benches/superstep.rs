//! Microseconds a superstep, without and with commits. Nodes do as little as
//! they can, so the numbers are the engine's own.
//!
//! `cargo bench -p weaver-engine --bench superstep [NAME]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use weaver_core::{Timestamp, Value};
use weaver_engine::{
    Answer, BranchSpec, Call, CallInput, CallKind, ChannelKind, Effect, Graph, GraphBuilder,
    Happened, Input, NodeKind, NodeOutput, NodeSpec, Operator, Origin, Outcome, Persistence,
    Reducer, Route, Run, RunOptions, SendTo,
};

type Build = Box<dyn Fn() -> (Graph<Value>, Value)>;
type Host = fn(&Call<Value>) -> Answer<Value>;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    // A host that has run for a while keeps its memory. A fresh heap gives the end of
    // it back after each run, and the page faults of the next would be measured.
    drop(std::hint::black_box(vec![0u8; 16 << 20]));
    println!(
        "{:<28} {:>8} {:>12} {:>12} {:>12}",
        "shape", "steps", "bare us", "commits us", "total ms"
    );
    for (name, steps, build, host) in shapes() {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let (graph, input) = build();
        let bare = measure(&graph, &input, host, false);
        let kept = measure(&graph, &input, host, true);
        let per_step = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(steps);
        println!(
            "{name:<28} {steps:>8} {:>12.3} {:>12.3} {:>12.3}",
            per_step(bare),
            per_step(kept),
            bare.as_secs_f64() * 1e3
        );
    }
}

/// The best of several runs: what the machine can do when nobody disturbs it.
fn measure(graph: &Graph<Value>, input: &Value, host: Host, checkpoints: bool) -> Duration {
    let begun = Instant::now();
    let mut best = Duration::MAX;
    while begun.elapsed() < Duration::from_millis(400) {
        let start = Instant::now();
        drive(graph, input, host, checkpoints);
        best = best.min(start.elapsed());
    }
    best
}

fn drive(graph: &Graph<Value>, input: &Value, host: Host, checkpoints: bool) {
    let options = RunOptions { checkpoints, recursion_limit: 1_000_000, ..RunOptions::default() };
    let input = Input::Value(input.clone());
    let mut run = Run::start(graph.clone(), Origin::default(), input, options, Timestamp(1));
    loop {
        match run.poll_effect().expect("the run always has something to do") {
            Effect::Call(call) => {
                let (id, answer) = (call.id, host(&call));
                drop(call);
                run.handle(Timestamp(1), Happened::Returned { id, answer });
            }
            Effect::Load(load) => {
                run.handle(Timestamp(1), Happened::Loaded { id: load.id, saved: None })
            }
            Effect::Finish(Outcome::Done { .. }) => return,
            Effect::Finish(outcome) => panic!("{outcome:?}"),
            _ => {}
        }
    }
}

fn shapes() -> Vec<(&'static str, u32, Build, Host)> {
    let mut shapes: Vec<(&'static str, u32, Build, Host)> = vec![
        ("sequential 10", 10, Box::new(|| chain(10)), count),
        ("sequential 100", 100, Box::new(|| chain(100)), count),
        ("sequential 1000", 1000, Box::new(|| chain(1000)), count),
        ("loop 1000", 1000, Box::new(|| looped(1000)), until),
        ("fan-out to subgraphs 10x", 10, Box::new(|| subgraphs(10)), count),
        ("fan-out to subgraphs 100x", 100, Box::new(|| subgraphs(100)), count),
        ("1000 sends", 1000, Box::new(sends), thousand),
        ("wide state 15 x 600", 600, Box::new(|| wide(15, 600)), wide_node),
        ("wide state 600 keys", 100, Box::new(|| wide(600, 100)), wide_node),
        ("react 100 turns", 200, Box::new(|| react(100)), react_node),
        ("react 1000 turns", 2000, Box::new(|| react(1000)), react_node),
    ];
    shapes.dedup_by_key(|shape| shape.0);
    shapes
}

fn compile(builder: &GraphBuilder<Value>) -> Graph<Value> {
    builder.compile().expect("the shapes are valid")
}

fn added() -> ChannelKind<Value> {
    let reducer = Reducer::Operator(Operator::Add);
    ChannelKind::Reduced { reducer, initial: Some(Value::Int(0)) }
}

fn chain(nodes: usize) -> (Graph<Value>, Value) {
    let mut builder = GraphBuilder::new();
    builder.channel("n", added());
    let mut before = String::from("__start__");
    for number in 0..nodes {
        let name = format!("node{number}");
        builder.node(NodeSpec::function(&*name)).edge(&*before, &*name);
        before = name;
    }
    (compile(&builder), Value::map([("n", Value::Int(0))]))
}

fn count(_: &Call<Value>) -> Answer<Value> {
    Answer::Node(NodeOutput::Fields(vec![(key(), Value::Int(1))]))
}

thread_local!(static KEY: Arc<str> = Arc::from("n"));

fn key() -> Arc<str> {
    KEY.with(Arc::clone)
}

fn looped(turns: i64) -> (Graph<Value>, Value) {
    let mut builder = GraphBuilder::new();
    builder.channel("n", added()).channel("limit", ChannelKind::LastValue);
    builder.node(NodeSpec::function("step")).edge("__start__", "step");
    builder.branch("step", BranchSpec::function("again"));
    (compile(&builder), Value::map([("n", Value::Int(0)), ("limit", Value::Int(turns))]))
}

fn read(call: &Call<Value>, key: &str) -> Value {
    match &call.input {
        CallInput::State(view) => view.get(key).unwrap_or_default(),
        _ => Value::Null,
    }
}

fn until(call: &Call<Value>) -> Answer<Value> {
    if call.kind == CallKind::Node {
        return count(call);
    }
    let more = read(call, "n").as_int() < read(call, "limit").as_int();
    Answer::Routes(vec![Route::Key(Value::str(if more { "step" } else { "__end__" }))])
}

fn subgraphs(width: usize) -> (Graph<Value>, Value) {
    let (inner, _) = chain(1);
    let mut builder = GraphBuilder::new();
    builder.channel("n", added());
    for number in 0..width {
        let name = format!("sub{number}");
        let kind = NodeKind::Subgraph(inner.clone(), Persistence::Inherit);
        builder.node(NodeSpec::new(&*name, kind)).edge("__start__", &*name);
    }
    (compile(&builder), Value::map([("n", Value::Int(0))]))
}

fn sends() -> (Graph<Value>, Value) {
    let mut builder = GraphBuilder::new();
    builder.channel("n", added()).node(NodeSpec::function("work"));
    builder.branch("__start__", BranchSpec::function("map"));
    (compile(&builder), Value::map([("n", Value::Int(0))]))
}

fn thousand(call: &Call<Value>) -> Answer<Value> {
    if call.kind == CallKind::Node {
        return count(call);
    }
    let send = |n| Route::Send(SendTo { node: "work".into(), arg: Value::Int(n), timeout: None });
    Answer::Routes((0..1000).map(send).collect())
}

fn wide(keys: usize, nodes: usize) -> (Graph<Value>, Value) {
    let mut builder = GraphBuilder::new();
    for number in 0..keys {
        builder.channel(format!("key{number}"), ChannelKind::LastValue);
    }
    let mut before = String::from("__start__");
    for number in 0..nodes {
        let name = format!("node{number}");
        builder.node(NodeSpec::function(&*name)).edge(&*before, &*name);
        before = name;
    }
    let input = (0..keys).map(|number| (format!("key{number}"), Value::Int(0)));
    (compile(&builder), Value::map(input))
}

/// Reads and writes every key.
fn wide_node(call: &Call<Value>) -> Answer<Value> {
    let CallInput::State(view) = &call.input else { return Answer::Node(NodeOutput::Nothing) };
    let next = |value: Value| Value::Int(value.as_int().unwrap_or(0) + 1);
    let fields = view.iter().map(|(key, value)| (key.clone(), next(value)));
    Answer::Node(NodeOutput::Fields(fields.collect()))
}

fn react(turns: i64) -> (Graph<Value>, Value) {
    let mut builder = GraphBuilder::new();
    builder.channel(
        "messages",
        ChannelKind::Reduced { reducer: Reducer::AddMessages, initial: Some(Value::list([])) },
    );
    builder.channel("n", added()).channel("limit", ChannelKind::LastValue);
    builder.node(NodeSpec::function("agent")).node(NodeSpec::function("tools"));
    builder.edge("__start__", "agent").edge("tools", "agent");
    builder.branch("agent", BranchSpec::function("tools?"));
    let hello = Value::map([("role", "user".into()), ("content", "hi".into())]);
    let input = Value::map([("messages", hello), ("limit", Value::Int(turns))]);
    (compile(&builder), input)
}

fn react_node(call: &Call<Value>) -> Answer<Value> {
    if call.kind == CallKind::Branch {
        let more = read(call, "n").as_int() < read(call, "limit").as_int();
        return Answer::Routes(vec![Route::Key(Value::str(if more {
            "tools"
        } else {
            "__end__"
        }))]);
    }
    let agent = &*call.task.node == "agent";
    let role = if agent { "ai" } else { "tool" };
    let message = Value::tagged("message", [("type", role.into()), ("content", "…".into())]);
    let mut fields = vec![(Arc::from("messages"), Value::list([message]))];
    if agent {
        fields.push((key(), Value::Int(1)));
    }
    Answer::Node(NodeOutput::Fields(fields))
}
