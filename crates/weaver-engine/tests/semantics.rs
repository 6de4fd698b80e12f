//! The rules of a superstep: triggers, merging, joins, branches, sends, commands.

mod support;

use support::*;
use weaver_core::Value;
use weaver_engine::*;

#[test]
fn a_chain_runs_in_order_and_its_history_has_two_more_entries() {
    let mut build = Build::new();
    build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    let outcome = world.input(r#"{"log":["in"]}"#);
    assert_eq!(key(&outcome, "log"), r#"["in","a","b"]"#);
    let steps: Vec<_> = world.memory.history("").map(|c| (c.step, c.source)).collect();
    use Source::*;
    assert_eq!(steps, [(-1, Input), (0, Loop), (1, Loop), (2, Loop)]);
    let parents: Vec<_> = world.memory.history("").map(|c| c.parent).collect();
    let ids: Vec<_> = world.memory.history("").map(|c| Some(c.id)).collect();
    assert_eq!(parents[0], None);
    assert_eq!(parents[1..], ids[..3]);
}

#[test]
fn writes_fold_in_task_order_whatever_the_order_of_edges() {
    let mut build = Build::new();
    build.logs("b").logs("c").logs("a");
    build.edge("__start__", "c").edge("__start__", "a").edge("__start__", "b");
    let outcome = build.world().input(r#"{"log":[]}"#);
    assert_eq!(key(&outcome, "log"), r#"["a","b","c"]"#);
}

#[test]
fn two_writers_of_a_plain_key_are_an_error() {
    let mut build = Build::new();
    for name in ["a", "b"] {
        build.node(name, |_| update(r#"{"last":1}"#)).edge("__start__", name);
    }
    let failure = failure(build.world().input("{}"));
    assert_eq!(failure.code, "concurrent_update");
    assert!(failure.message.contains("'last'"), "{failure}");
}

#[test]
fn a_join_waits_for_all_and_two_plain_edges_do_not() {
    let mut build = Build::new();
    build.logs("a").logs("b").logs("b2").logs("both").logs("each");
    build.edge("__start__", "a").edges(&["__start__", "b", "b2"]);
    build.graph.join(["a", "b2"], "both");
    build.edge("a", "each").edge("b2", "each");
    let outcome = build.world().input("{}");
    assert_eq!(key(&outcome, "log"), r#"["a","b","b2","each","both","each"]"#);
}

#[test]
fn a_branch_sees_its_own_tasks_writes_and_not_its_siblings() {
    let mut build = Build::new();
    build.node("a", |_| update(r#"{"log":["a"],"n":1}"#));
    build.node("b", |_| update(r#"{"log":["b"],"n":10}"#));
    build.logs("seen");
    build.edge("__start__", "a").edge("__start__", "b");
    build.branch("a", "route", |call| {
        let state = call.input.to_value();
        assert_eq!(state.get("log").unwrap().to_json(), r#"["in","a"]"#);
        assert_eq!(state.get("n"), Some(&Value::Int(1)));
        go("seen")
    });
    let outcome = build.world().input(r#"{"log":["in"]}"#);
    assert_eq!(key(&outcome, "log"), r#"["in","a","b","seen"]"#);
}

#[test]
fn a_lone_task_shows_its_branch_what_it_appended_and_a_retry_takes_it_back() {
    let mut build = Build::new();
    let retry = vec![RetryPolicy::default()];
    build.node_spec(NodeSpec { retry, ..NodeSpec::function("a") }, |_| update(r#"{"log":["a"]}"#));
    build.edge("__start__", "a");
    build.branch("a", "route", |call| {
        assert_eq!(call.input.to_value().get("log").unwrap().to_json(), r#"["in","a"]"#);
        if call.task.attempt == 1 { raise("ConnectionError", "lost") } else { go("__end__") }
    });
    let mut world = build.world();
    assert_eq!(key(&world.input(r#"{"log":["in"]}"#), "log"), r#"["in","a"]"#);
    assert_eq!(world.calls, ["a", "route", "a(2)", "route(2)"]);
}

#[test]
fn sends_run_next_step_with_their_own_input_in_order_of_emission() {
    let mut build = Build::new();
    build.node("w", |call| {
        let arg = call.input.to_value();
        Answer::Node(NodeOutput::Fields(vec![("log".into(), Value::list([arg]))]))
    });
    build.branch("__start__", "map", |_| {
        Answer::Routes(["3", "1", "2"].map(|n| Route::Send(send("w", n))).into())
    });
    assert_eq!(key(&build.world().input("{}"), "log"), "[3,1,2]");
}

#[test]
fn edges_and_goto_add_up() {
    let mut build = Build::new();
    build.node("a", |_| {
        let update = vec![("log".into(), json(r#"["a"]"#))];
        let goto = vec![Goto::Node("c".into()), Goto::Send(send("d", "0"))];
        Answer::Node(NodeOutput::Command(Command { update, goto }))
    });
    build.logs("b").logs("c").logs("d").edges(&["__start__", "a", "b"]);
    assert_eq!(key(&build.world().input("{}"), "log"), r#"["a","b","c","d"]"#);
}

#[test]
fn goto_an_unknown_node_is_a_notice_and_the_run_ends() {
    let mut build = Build::new();
    build.node("a", |_| {
        let goto = vec![Goto::Node("nowhere".into())];
        Answer::Node(NodeOutput::Command(Command { update: Vec::new(), goto }))
    });
    build.edge("__start__", "a");
    let mut world = build.world();
    assert!(matches!(world.input(r#"{"log":["x"]}"#), Outcome::Done { .. }));
    assert!(world.notices[0].contains("nowhere"));
}

#[test]
fn a_node_may_return_nothing_a_list_with_a_command_and_unknown_keys() {
    let mut build = Build::new();
    build.node("none", |_| Answer::Node(NodeOutput::Nothing));
    build.node("odd", |_| update(r#"{"log":["odd"],"nonsense":1}"#));
    build.node("list", |_| {
        let command = Command { update: vec![("n".into(), Value::Int(1))], goto: Vec::new() };
        Answer::Node(NodeOutput::Many(vec![
            NodeOutput::Update(json(r#"{"log":["list"]}"#)),
            NodeOutput::Command(command),
        ]))
    });
    build.edges(&["__start__", "none", "odd", "list"]);
    let outcome = build.world().input("{}");
    assert_eq!(key(&outcome, "log"), r#"["odd","list"]"#);
    assert_eq!(key(&outcome, "n"), "1");
}

#[test]
fn anything_else_from_a_node_is_an_error() {
    let mut build = Build::new();
    build.node("a", |_| update("[1]")).edge("__start__", "a");
    assert_eq!(
        failure(build.world().input("{}")).message.split(':').next(),
        Some("Expected dict, got list")
    );
}

#[test]
fn a_deferred_node_runs_once_when_all_else_has_ended() {
    let mut build = Build::new();
    build.logs("a").logs("b").logs("b2");
    build.node_spec(NodeSpec { defer: true, ..NodeSpec::function("z") }, |_| {
        update(r#"{"log":["z"]}"#)
    });
    build.edges(&["__start__", "a", "z"]).edges(&["__start__", "b", "b2", "z"]);
    assert_eq!(key(&build.world().input("{}"), "log"), r#"["a","b","b2","z"]"#);
}

#[test]
fn channel_kinds_hold_what_they_should() {
    let mut build = Build::new();
    build.graph.channel("once", ChannelKind::Ephemeral { guard: true });
    build.graph.channel("topic", ChannelKind::Topic { accumulate: false });
    build.graph.channel("all", ChannelKind::Topic { accumulate: true });
    build.graph.channel("secret", ChannelKind::Untracked { guard: true });
    build.node("a", |_| update(r#"{"once":1,"topic":[1,2],"all":1,"secret":7}"#));
    build.node("b", |call| {
        let seen = call.input.to_value();
        assert_eq!(seen.get("once"), Some(&Value::Int(1)));
        assert_eq!(seen.get("topic").unwrap().to_json(), "[1,2]");
        update(r#"{"all":[2,3]}"#)
    });
    build.edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    let outcome = world.input("{}");
    assert_eq!(key(&outcome, "once"), "absent");
    assert_eq!(key(&outcome, "topic"), "absent");
    assert_eq!(key(&outcome, "all"), "[1,2,3]");
    assert_eq!(key(&outcome, "secret"), "7");
    assert_eq!(world.saved().state.value("secret"), None);
}

#[test]
fn what_is_never_saved_is_taken_out_of_saved_sends() {
    let mut build = Build::new();
    build.graph.channel("secret", ChannelKind::Untracked { guard: true });
    build.node("w", |call| {
        assert_eq!(call.input.to_value().get("secret"), Some(&Value::Int(7)));
        update("{}")
    });
    build.branch("__start__", "map", |_| {
        Answer::Routes(vec![Route::Send(send("w", r#"{"secret":7,"plain":1}"#))])
    });
    let mut world = build.world();
    world.input("{}");
    assert_eq!(world.at_step(0).state.sends[0].arg.to_json(), r#"{"plain":1}"#);
}

#[test]
fn overwrite_bypasses_the_reducer_and_two_are_an_error() {
    let overwrite = |_: &Call<Value>| update(r#"{"log":{"$type":"overwrite","value":["new"]}}"#);
    let mut build = Build::new();
    build.node("a", overwrite).logs("b");
    build.edge("__start__", "a").edge("__start__", "b");
    assert_eq!(key(&build.world().input(r#"{"log":["old"]}"#), "log"), r#"["new"]"#);
    let mut build = Build::new();
    build.node("a", overwrite).node("b", overwrite);
    build.edge("__start__", "a").edge("__start__", "b");
    assert_eq!(failure(build.world().input("{}")).code, "concurrent_update");
}

#[test]
fn a_reducer_of_the_host_folds_all_writes_of_a_step_in_one_call() {
    let mut build = Build::new();
    let kind = ChannelKind::Reduced {
        reducer: Reducer::External("longest".into()),
        initial: Some(Value::str("")),
    };
    build.graph.channel("word", kind);
    build.function("longest", |call| {
        let CallInput::Fold { left, writes, .. } = &call.input else { panic!("{call:?}") };
        let words = left.iter().chain(writes);
        Answer::Value(words.max_by_key(|word| word.as_str().unwrap().len()).cloned().unwrap())
    });
    build.node("a", |_| update(r#"{"word":"bb"}"#)).node("b", |_| update(r#"{"word":"ccc"}"#));
    build.edge("__start__", "a").edge("__start__", "b").logs("end");
    build.branch("a", "route", |call| {
        assert_eq!(call.input.to_value().get("word"), Some(&Value::str("bb")));
        go("end")
    });
    let mut world = build.world();
    assert_eq!(key(&world.input(r#"{"word":"a"}"#), "word"), r#""ccc""#);
    assert_eq!(world.calls.iter().filter(|name| *name == "longest").count(), 3);
}

#[test]
fn the_recursion_limit_does_not_look_whether_work_is_left() {
    for (limit, fits) in [(2, false), (3, true)] {
        let mut build = Build::new();
        build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
        let mut world = build.world();
        world.options.recursion_limit = limit;
        match world.input("{}") {
            Outcome::Done { .. } => assert!(fits),
            other => assert_eq!((failure(other).code.as_str(), fits), ("recursion_limit", false)),
        }
    }
}

#[test]
fn managed_values_count_what_is_left() {
    let mut build = Build::new();
    build.graph.managed("left", Managed::RemainingSteps).managed("is_last", Managed::IsLastStep);
    build.node("a", |call| {
        let state = call.input.to_value();
        let seen = Value::list([
            state.get("left").unwrap().clone(),
            state.get("is_last").unwrap().clone(),
        ]);
        Answer::Node(NodeOutput::Fields(vec![("log".into(), seen)]))
    });
    build.edge("__start__", "a");
    let mut world = build.world();
    world.options.recursion_limit = 2;
    assert_eq!(key(&world.input("{}"), "log"), "[1,true]");
}

#[test]
fn new_input_adds_to_the_state_and_drops_unfinished_tasks() {
    let mut build = Build::new();
    build.logs("a").node("b", |call| match call.input.to_value().get("n") {
        Some(Value::Int(1)) => raise("ValueError", "no"),
        _ => update(r#"{"log":["b"]}"#),
    });
    build.edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    assert_eq!(failure(world.input(r#"{"n":1}"#)).node.as_deref(), Some("b"));
    let outcome = world.input(r#"{"n":1}"#);
    assert_eq!(key(&outcome, "log"), r#"["a","a","b"]"#);
}

#[test]
fn build_errors_come_all_at_once() {
    let mut graph = GraphBuilder::<Value>::new();
    graph.channel("x", ChannelKind::LastValue);
    graph.node(NodeSpec::function("a")).node(NodeSpec::function("a")).node(NodeSpec::function("x"));
    graph.edge("a", "nowhere").edge("__end__", "a").edge("a", "__start__");
    let codes: Vec<_> = graph.compile().unwrap_err().iter().map(|error| error.code).collect();
    for code in ["duplicate_node", "unknown_node", "edge_from_end", "edge_to_start", "no_entry"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}
