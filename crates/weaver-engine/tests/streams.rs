//! What is streamed, and graphs that node functions invoke.

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use support::*;
use weaver_core::{Timestamp, Value};
use weaver_engine::*;

/// One line for each chunk.
fn shown(world: &World) -> Vec<String> {
    let names = |interrupts: &[Interrupt<Value>]| {
        interrupts.iter().map(|i| i.value.to_json()).collect::<Vec<_>>().join(" ")
    };
    let lines = world.chunks.iter().map(|(namespace, chunk)| {
        let line = match chunk {
            Chunk::Values { values, interrupts } => {
                let log = values.get("log").map_or_else(|| "absent".into(), Value::to_json);
                format!("values {log} {}", names(interrupts))
            }
            Chunk::Update { node, updates, cached } => {
                let updates: Vec<_> = updates.iter().map(Value::to_json).collect();
                format!(
                    "update {node} {}{}",
                    updates.join(" "),
                    if *cached { " cached" } else { "" }
                )
            }
            Chunk::Interrupts(interrupts) => format!("interrupts {}", names(interrupts)),
            Chunk::Message { message, node, .. } => {
                format!("message {node} {}", message.get("content").unwrap().to_json())
            }
            Chunk::TaskStart { node, triggers, .. } => {
                format!("start {node} {}", triggers.join(","))
            }
            Chunk::TaskEnd { node, error, result, .. } => {
                let result: Vec<_> = result.iter().map(|(key, _)| &**key).collect();
                format!(
                    "end {node} {}{}",
                    result.join(","),
                    error.as_ref().map_or("", |_| " failed")
                )
            }
            Chunk::Checkpoint { step, tasks, .. } => {
                let next: Vec<&str> = tasks.iter().map(|task| &*task.node).collect();
                format!("checkpoint {step} {}", next.join(","))
            }
        };
        let namespace = namespace.split(':').next().unwrap_or_default();
        let line = line.trim_end().to_owned();
        if namespace.is_empty() { line } else { format!("{namespace}/ {line}") }
    });
    lines.collect()
}

fn ask_beside_a() -> World {
    let mut build = Build::new();
    build.logs("a").node("ask", |call| match call.answers.first() {
        None => Answer::Interrupted(vec!["q".into()]),
        Some(answer) => {
            Answer::Node(NodeOutput::Fields(vec![("log".into(), Value::list([answer.clone()]))]))
        }
    });
    build.edge("__start__", "a").edge("__start__", "ask");
    build.world()
}

#[test]
fn values_and_updates_of_a_run_that_waits_and_goes_on() {
    let mut world = ask_beside_a();
    world.options.stream = StreamModes::VALUES.and(StreamModes::UPDATES);
    world.input(r#"{"log":["i"]}"#);
    assert_eq!(
        shown(&world),
        [
            r#"values ["i"]"#,
            r#"update a {"log":["a"]}"#,
            r#"interrupts "q""#,
            r#"values ["i"] "q""#,
            r#"values ["i","a"]"#,
        ]
    );
    world.chunks.clear();
    world.resume("\"R\"");
    assert_eq!(
        shown(&world),
        [
            r#"values ["i"]"#,
            r#"update a {"log":["a"]} cached"#,
            r#"update ask {"log":["R"]}"#,
            r#"values ["i","a","R"]"#,
        ]
    );
}

#[test]
fn tasks_and_checkpoints() {
    let mut build = Build::new();
    build.logs("a").edge("__start__", "a");
    let mut world = build.world();
    world.options.stream = StreamModes::DEBUG;
    world.input("{}");
    assert_eq!(
        shown(&world),
        [
            "checkpoint -1 __start__",
            "checkpoint 0 a",
            "start a branch:to:a",
            "end a log",
            "checkpoint 1",
        ]
    );
}

#[test]
fn a_key_written_twice_is_two_updates_and_nothing_is_none() {
    let mut build = Build::new();
    build.node("twice", |_| {
        let write = |text| Command { update: vec![("log".into(), json(text))], goto: Vec::new() };
        let outputs = ["[1]", "[2]"].map(|text| NodeOutput::Command(write(text)));
        Answer::Node(NodeOutput::Many(outputs.into()))
    });
    build.node("nothing", |_| Answer::Node(NodeOutput::Nothing));
    build.edges(&["__start__", "twice", "nothing"]);
    let mut world = build.world();
    world.options.stream = StreamModes::UPDATES;
    world.input("{}");
    assert_eq!(shown(&world), [r#"update twice {"log":[1]} {"log":[2]}"#, "update nothing"]);
}

#[test]
fn messages_are_emitted_once_for_each_id() {
    let mut build = Build::new();
    let kind =
        ChannelKind::Reduced { reducer: Reducer::AddMessages, initial: Some(Value::list([])) };
    build.graph.channel("messages", kind);
    let message = r#"{"messages":[{"$type":"message","type":"ai","content":"hi","id":"m"}]}"#;
    build.node("a", move |_| update(message)).node("b", move |_| update(message));
    build.edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    world.options.stream = StreamModes::MESSAGES;
    world.input("{}");
    assert_eq!(shown(&world), [r#"message a "hi""#]);
}

#[test]
fn subgraphs_stream_only_if_asked_to() {
    for asked in [false, true] {
        let mut below = Build::new();
        below.logs("inner").edge("__start__", "inner");
        let mut build = Build::new();
        build.subgraph("sub", below, Persistence::Inherit).edge("__start__", "sub");
        let mut world = build.world();
        world.options.stream = StreamModes::UPDATES;
        world.options.stream_subgraphs = asked;
        world.input("{}");
        let inner = shown(&world).contains(&r#"sub/ update inner {"log":["inner"]}"#.to_owned());
        assert_eq!(inner, asked);
    }
}

#[test]
fn a_cached_node_does_not_run_again() {
    let mut build = Build::new();
    let cache = Some(CachePolicy::default());
    build.node_spec(NodeSpec { cache, ..NodeSpec::function("a") }, |_| update(r#"{"log":["a"]}"#));
    build.edge("__start__", "a");
    let world = build.world();
    let mut cache = std::collections::HashMap::new();
    for hit in [false, true] {
        let options = RunOptions { stream: StreamModes::UPDATES, ..RunOptions::default() };
        let now = Timestamp(0);
        let input = Input::Value(json("{}"));
        let mut run = Run::start(world.graph.clone(), Origin::default(), input, options, now);
        let (mut ran, mut cached) = (false, false);
        while let Some(effect) = run.poll_effect() {
            match effect {
                Effect::CacheGet { id, key } => {
                    run.handle(now, Happened::Cached { id, writes: cache.get(&key).cloned() });
                }
                Effect::CachePut { key, writes, .. } => drop(cache.insert(key, writes)),
                Effect::Call(call) => {
                    ran = true;
                    let answer = update(r#"{"log":["a"]}"#);
                    run.handle(now, Happened::Returned { id: call.id, answer });
                }
                Effect::Emit(emit) => {
                    cached |= matches!(emit.chunk, Chunk::Update { cached: true, .. });
                }
                Effect::Finish(outcome) => assert_eq!(key(&outcome, "log"), r#"["a"]"#),
                _ => {}
            }
        }
        assert_eq!((ran, cached), (!hit, hit));
    }
}

/// Runs a graph whose node `outer` invokes another graph, twice over; the
/// node's output is what the invocations gave.
fn invoking(
    inner: &Graph<Value>,
    world: &mut World,
    input: Input<Value>,
    told: &mut Vec<String>,
) -> Outcome<Value> {
    let origin = Origin::latest(world.memory.latest(""));
    let mut run =
        Run::start(world.graph.clone(), origin, input, world.options.clone(), Timestamp(world.now));
    let mut results = Vec::new();
    loop {
        world.now += 1;
        let now = Timestamp(world.now);
        match run.poll_effect().expect("something is always left to do") {
            Effect::Call(call) if &*call.what == "outer" => {
                results.clear();
                let (call, graph, input) = (call.id, inner.clone(), json("{}"));
                let stream = StreamModes::UPDATES;
                run.handle(now, Happened::Invoke { call, ordinal: 0, graph, input, stream });
            }
            Effect::Call(call) => {
                let answer = world.functions[&*call.what](&call);
                run.handle(now, Happened::Returned { id: call.id, answer });
            }
            Effect::Invoked { call, ordinal, result: Invoked::Done(value), .. } => {
                told.push(format!("{ordinal} {}", value.get("log").unwrap().to_json()));
                results.push(value.get("log").unwrap().clone());
                if ordinal == 0 {
                    let (graph, input) = (inner.clone(), json("{}"));
                    let stream = StreamModes::NONE;
                    run.handle(now, Happened::Invoke { call, ordinal: 1, graph, input, stream });
                } else {
                    let log = Value::list(std::mem::take(&mut results));
                    let answer = Answer::Node(NodeOutput::Fields(vec![("log".into(), log)]));
                    run.handle(now, Happened::Returned { id: call, answer });
                }
            }
            Effect::Invoked { ordinal, result, .. } => told.push(match result {
                Invoked::Interrupted(interrupts) => {
                    format!("{ordinal} asks {}", interrupts[0].value)
                }
                Invoked::Failed(failure) => format!("{ordinal} fails {failure}"),
                Invoked::Parent | Invoked::Done(_) => format!("{ordinal} leaves"),
            }),
            Effect::Commit(commit) => world.memory.commit(commit),
            Effect::SaveWrites(writes) => world.memory.save_writes(writes),
            Effect::Load(load) => {
                let saved = world.memory.load(&load);
                run.handle(now, Happened::Loaded { id: load.id, saved });
            }
            Effect::Finish(outcome) => return outcome,
            _ => {}
        }
    }
}

#[test]
fn invoked_graphs_have_namespaces_of_their_own_and_resume_there() {
    let ran = Rc::new(RefCell::new(Vec::new()));
    let mut inner = Build::new();
    let seen = ran.clone();
    inner.node("once", move |call| {
        seen.borrow_mut().push(call.task.namespace.to_string());
        update(r#"{"log":["once"]}"#)
    });
    inner.node("ask", |call| match call.answers.first() {
        None => Answer::Interrupted(vec!["q".into()]),
        Some(answer) => {
            Answer::Node(NodeOutput::Fields(vec![("log".into(), Value::list([answer.clone()]))]))
        }
    });
    inner.edges(&["__start__", "once", "ask"]);
    let graph = inner.graph.compile().unwrap();
    let mut build = Build::new();
    build.functions.extend(inner.functions);
    build.node("outer", |_| unreachable!("the driver answers it")).edge("__start__", "outer");
    let mut world = build.world();
    let mut told = Vec::new();
    let resume = |text: &str| {
        let resume = Some(Resume::Bare(json(text)));
        Input::Command(InputCommand { resume, ..InputCommand::default() })
    };
    interrupts(&invoking(&graph, &mut world, Input::Value(json("{}")), &mut told));
    interrupts(&invoking(&graph, &mut world, resume("1"), &mut told));
    let done = invoking(&graph, &mut world, resume("2"), &mut told);
    assert_eq!(key(&done, "log"), r#"[["once",1],["once",2]]"#);
    assert_eq!(
        told,
        [r#"0 asks "q""#, r#"0 ["once",1]"#, r#"1 asks "q""#, r#"0 ["once",1]"#, r#"1 ["once",2]"#,]
    );
    // Each invocation's first node ran once: the rest came from its checkpoint.
    let ran = ran.borrow();
    assert_eq!(ran.len(), 2);
    assert_eq!(ran[1], format!("{}|1", ran[0]));
}
