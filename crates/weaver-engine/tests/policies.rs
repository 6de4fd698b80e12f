//! Policies and edits that the other files leave out.

mod support;

use support::*;
use weaver_core::{Timestamp, Value};
use weaver_engine::*;

fn start(world: &World, options: RunOptions) -> Run<Value> {
    let input = Input::Value(json("{}"));
    Run::start(world.graph.clone(), Origin::default(), input, options, Timestamp(1))
}

/// The calls that the host may run now.
fn running(run: &mut Run<Value>) -> Vec<Call<Value>> {
    let effects = std::iter::from_fn(|| run.poll_effect());
    let calls = effects.filter_map(|effect| match effect {
        Effect::Call(call) => Some(call),
        _ => None,
    });
    calls.collect()
}

fn three_beside() -> World {
    let mut build = Build::new();
    for name in ["a", "b", "c"] {
        build.logs(name).edge("__start__", name);
    }
    build.world()
}

#[test]
fn no_more_calls_than_allowed_run_at_a_time() {
    let world = three_beside();
    let options = RunOptions { max_concurrency: Some(2), ..RunOptions::default() };
    let mut run = start(&world, options);
    let first = running(&mut run);
    assert_eq!(first.iter().map(|call| &*call.what).collect::<Vec<_>>(), ["a", "b"]);
    run.handle(Timestamp(2), Happened::Returned { id: first[1].id, answer: update("{}") });
    let next = running(&mut run);
    assert_eq!(next.iter().map(|call| &*call.what).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn siblings_of_a_failed_task_finish_or_stop_as_asked() {
    for siblings in [Siblings::Finish, Siblings::Stop] {
        let world = three_beside();
        let options = RunOptions { siblings, checkpoints: true, ..RunOptions::default() };
        let mut run = start(&world, options);
        let calls = running(&mut run);
        let answer = raise("ValueError", "no");
        run.handle(Timestamp(2), Happened::Returned { id: calls[1].id, answer });
        let effects: Vec<_> = std::iter::from_fn(|| run.poll_effect()).collect();
        let stops = effects.iter().filter(|effect| matches!(effect, Effect::Stop(_))).count();
        let ended = matches!(effects.last(), Some(Effect::Finish(Outcome::Failed(_))));
        match siblings {
            Siblings::Stop => assert!(stops == 2 && ended, "{effects:?}"),
            Siblings::Finish | Siblings::RunAll => {
                assert!(stops == 0 && !ended);
                for call in [&calls[2], &calls[0]] {
                    let answer = update("{}");
                    run.handle(Timestamp(3), Happened::Returned { id: call.id, answer });
                }
                let effects: Vec<_> = std::iter::from_fn(|| run.poll_effect()).collect();
                let saved = effects.iter().filter(|e| matches!(e, Effect::SaveWrites(_))).count();
                assert_eq!(saved, 2, "finished siblings are kept");
                let failed = effects.last();
                assert!(
                    matches!(failed, Some(Effect::Finish(Outcome::Failed(f))) if f.message == "no")
                );
            }
        }
    }
}

#[test]
fn the_host_may_decide_what_is_retried() {
    for (decision, calls) in [("true", vec!["a", "decide", "a(2)"]), ("false", vec!["a", "decide"])]
    {
        let mut build = Build::new();
        let retry = vec![RetryPolicy {
            retry_on: RetryOn::External("decide".into()),
            ..RetryPolicy::default()
        }];
        build.node_spec(NodeSpec { retry, ..NodeSpec::function("a") }, |call| {
            if call.task.attempt == 1 { raise("ValueError", "no") } else { update("{}") }
        });
        build.function("decide", move |call| {
            assert!(
                matches!(&call.input, CallInput::Failed { failure, .. } if failure.message == "no")
            );
            Answer::Value(json(decision))
        });
        build.edge("__start__", "a");
        let mut world = build.world();
        assert_eq!(matches!(world.input("{}"), Outcome::Done { .. }), decision == "true");
        assert_eq!(world.calls, calls);
    }
}

#[test]
fn a_node_is_tried_as_often_as_its_policy_says() {
    for max_attempts in 1..=3 {
        let mut build = Build::new();
        let policy = RetryPolicy {
            max_attempts,
            retry_on: RetryOn::Classes(vec!["ValueError".into()]),
            ..RetryPolicy::default()
        };
        let spec = NodeSpec { retry: vec![policy], ..NodeSpec::function("a") };
        build.node_spec(spec, |_| raise("ValueError", "never"));
        build.edge("__start__", "a");
        let mut world = build.world();
        assert!(matches!(world.input("{}"), Outcome::Failed(_)));
        assert_eq!(world.calls.len(), max_attempts as usize, "{:?}", world.calls);
    }
}

#[test]
fn a_send_may_bring_its_own_limit() {
    let mut build = Build::new();
    build.logs("w");
    build.branch("__start__", "map", |_| {
        let timeout = Some(std::time::Duration::from_secs(3));
        Answer::Routes(vec![Route::Send(SendTo { timeout, ..send("w", "1") })])
    });
    let world = build.world();
    let mut run = start(&world, RunOptions::default());
    let call = running(&mut run).remove(0);
    run.handle(
        Timestamp(1),
        Happened::Returned { id: call.id, answer: world.functions["map"](&call) },
    );
    assert_eq!(running(&mut run).len(), 1);
    assert_eq!(run.poll_timeout().map(Timestamp::as_millis), Some(3000));
}

#[test]
fn bulk_updates_are_supersteps_that_fire_edges_and_branches() {
    let mut build = Build::new();
    build.logs("a").logs("b").logs("c").edges(&["__start__", "a", "b"]);
    build.branch("b", "route", |call| {
        let log = call.input.to_value().get("log").unwrap().to_json();
        assert_eq!(log, r#"["A","B"]"#);
        go("c")
    });
    let mut world = build.world();
    let edit = |values: &str, node: &str| {
        vec![StateUpdate {
            values: Some(json(values)),
            as_node: Some(node.into()),
            task: None,
            keeps_next: false,
        }]
    };
    world.run(Input::Update(vec![edit(r#"{"log":["A"]}"#, "a"), edit(r#"{"log":["B"]}"#, "b")]));
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("c")]);
    assert_eq!(world.memory.history("").count(), 2);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["A","B","c"]"#);
    assert_eq!(world.calls, ["route", "c"]);
}

#[test]
fn an_update_of_an_empty_thread_is_the_entrys_and_two_last_writers_are_ambiguous() {
    let edit = || {
        let values = Some(json(r#"{"log":["edited"]}"#));
        Input::Update(vec![vec![StateUpdate {
            values,
            as_node: None,
            task: None,
            keeps_next: false,
        }]])
    };
    let mut world = three_beside();
    world.run(edit());
    assert_eq!(world.saved().state.step, 0);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["edited","a","b","c"]"#);
    assert_eq!(failure(world.run(edit())).code, "ambiguous_update");
}

/// LangGraph 1.2.22 counts only edges when it looks whether anything is left:
/// a deferred node runs beside pending sends, and once more after them.
#[test]
fn a_deferred_node_does_not_wait_for_sends() {
    let mut build = Build::new();
    build.logs("a").logs("w");
    build.node_spec(NodeSpec { defer: true, ..NodeSpec::function("d") }, |call| {
        let length = call.input.to_value().get("log").unwrap().as_list().unwrap().len();
        update(&format!(r#"{{"log":["d{length}"]}}"#))
    });
    build.edges(&["__start__", "a", "d"]).edge("w", "d");
    build.branch("a", "map", |_| {
        Answer::Routes(["1", "2"].map(|n| Route::Send(send("w", n))).into())
    });
    assert_eq!(key(&build.world().input("{}"), "log"), r#"["a","d1","w","w","d4"]"#);
}

#[test]
fn a_command_goes_on_with_an_update_and_a_target() {
    let mut build = Build::new();
    build.logs("a").logs("b").logs("c").edges(&["__start__", "a", "b"]);
    build.graph.interrupt_before(Targets::Names(vec!["b".into()]));
    let mut world = build.world();
    world.input("{}");
    let command = InputCommand {
        update: vec![("log".into(), json(r#"["u"]"#))],
        goto: vec![Goto::Node("c".into())],
        resume: None,
    };
    assert_eq!(key(&world.run(Input::Command(command)), "log"), r#"["a","u","b","c"]"#);
    assert_eq!(failure(world.run(Input::Command(InputCommand::default()))).code, "empty_input");
    let finished = world.run(Input::Continue);
    assert_eq!(key(&finished, "log"), r#"["a","u","b","c"]"#);
}

#[test]
fn an_answer_needs_a_checkpointer_and_an_empty_thread_has_nothing_to_go_on_with() {
    let mut world = three_beside();
    assert_eq!(failure(world.run(Input::Continue)).code, "empty_input");
    assert_eq!(failure(world.resume("1")).code, "nothing_to_resume");
    world.input("{}");
    world.options.checkpoints = false;
    assert_eq!(failure(world.resume("1")).code, "no_checkpointer");
}
