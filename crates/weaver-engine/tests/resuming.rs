//! Failures, interrupts, replay, edits, subgraphs.

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use support::*;
use weaver_core::Value;
use weaver_engine::*;

/// A node that asks `questions` questions and logs the answers.
fn asks(questions: usize) -> impl Fn(&Call<Value>) -> Answer<Value> {
    move |call| match call.answers.get(..questions) {
        None => Answer::Interrupted(vec![Value::str(format!("question {}", call.answers.len()))]),
        Some(answers) => {
            let log = Value::list(answers.iter().cloned());
            Answer::Node(NodeOutput::Fields(vec![("log".into(), log)]))
        }
    }
}

#[test]
fn a_node_restarts_with_the_answers_so_far() {
    let mut build = Build::new();
    build.node("ask", asks(2)).edge("__start__", "ask");
    let mut world = build.world();
    let first = interrupts(&world.input("{}"));
    assert_eq!(first[0].value, Value::str("question 0"));
    let second = interrupts(&world.resume(r#""yes""#));
    assert_eq!(second[0].value, Value::str("question 1"));
    assert_ne!(first[0].id, second[0].id);
    assert_eq!(key(&world.resume("2"), "log"), r#"["yes",2]"#);
    assert_eq!(world.calls, ["ask", "ask", "ask"]);
}

#[test]
fn questions_are_counted_through_a_task_and_its_branches() {
    let route = |call: &Call<Value>| match call.answers.first() {
        None => Answer::Interrupted(vec![Value::str(&*call.what)]),
        Some(name) => Answer::Routes(vec![Route::Key(name.clone())]),
    };
    let mut build = Build::new();
    build.node("ask", asks(1)).logs("a").logs("b").edge("__start__", "ask");
    build.branch("ask", "first", route).branch("ask", "second", route);
    let mut world = build.world();
    let mut asked = interrupts(&world.input("{}"));
    for (answer, next) in [("\"body\"", "first"), ("\"a\"", "second")] {
        let more = interrupts(&world.resume(answer));
        assert_eq!(more[0].value, Value::str(next));
        assert!(asked.iter().all(|before| before.id != more[0].id));
        asked.extend(more);
    }
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("ask")]);
    assert_eq!(key(&world.resume("\"b\""), "log"), r#"["body","a","b"]"#);
    let bodies = world.calls.iter().filter(|call| *call == "ask").count();
    assert_eq!(bodies, 4, "the whole task runs again after each answer");
}

#[test]
fn siblings_of_a_question_keep_their_writes_and_do_not_run_again() {
    let mut build = Build::new();
    build.node("ask", asks(1)).logs("other").edge("__start__", "ask").edge("__start__", "other");
    let mut world = build.world();
    let outcome = world.input("{}");
    assert_eq!(key(&outcome, "log"), r#"["other"]"#);
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("ask")]);
    assert_eq!(key(&world.resume("1"), "log"), r#"[1,"other"]"#);
    assert_eq!(world.calls, ["ask", "other", "ask"]);
}

#[test]
fn several_questions_need_ids_and_may_be_answered_in_part() {
    let mut build = Build::new();
    build.node("a", asks(1)).node("b", asks(1)).edge("__start__", "a").edge("__start__", "b");
    let mut world = build.world();
    let asked = interrupts(&world.input("{}"));
    assert_eq!(asked.len(), 2);
    assert_eq!(failure(world.resume("1")).code, "ambiguous_resume");
    let left = interrupts(&world.resume_ids(vec![(asked[1].id, json("\"B\""))]));
    assert_eq!(left.iter().map(|i| i.id).collect::<Vec<_>>(), [asked[0].id]);
    assert_eq!(key(&world.resume("\"A\""), "log"), r#"["A","B"]"#);
}

#[test]
fn after_a_failure_only_the_failed_task_runs_again() {
    let broken = Rc::new(Cell::new(true));
    let mut build = Build::new();
    let state = broken.clone();
    build.logs("a").node("b", move |_| {
        if state.get() { raise("ValueError", "no") } else { update(r#"{"log":["b"]}"#) }
    });
    build.edge("__start__", "a").edge("__start__", "b");
    let mut world = build.world();
    assert_eq!(failure(world.input("{}")).message, "no");
    assert!(world.snapshot().tasks.iter().any(|task| task.error.is_some()));
    broken.set(false);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["a","b"]"#);
    assert_eq!(world.calls, ["a", "b", "b"]);
}

#[test]
fn breakpoints_stop_once_for_each_state() {
    let mut build = Build::new();
    build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
    build.graph.interrupt_before(Targets::Names(vec!["b".into()]));
    build.graph.interrupt_after(Targets::Names(vec!["a".into()]));
    let mut world = build.world();
    assert!(interrupts(&world.input("{}")).is_empty());
    assert_eq!(world.calls, ["a"]);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["a","b"]"#);
}

#[test]
fn retries_follow_the_first_policy_that_matches() {
    let mut build = Build::new();
    let policy = |classes: &[&str], max_attempts| RetryPolicy {
        retry_on: RetryOn::Classes(classes.iter().map(|class| (*class).into()).collect()),
        max_attempts,
        jitter: false,
        ..RetryPolicy::default()
    };
    let retry = vec![policy(&["KeyError"], 9), policy(&["LookupError", "OSError"], 3)];
    build.node_spec(NodeSpec { retry, ..NodeSpec::function("a") }, |_| raise("IndexError", "no"));
    build.edge("__start__", "a");
    let mut world = build.world();
    assert_eq!(failure(world.input("{}")).exception.as_deref(), Some("IndexError"));
    assert_eq!(world.calls, ["a", "a(2)", "a(3)"]);
    assert_eq!(world.slept_ms, [500, 1000]);
}

#[test]
fn an_error_handler_stands_in_and_the_edges_of_the_failed_node_do_not_fire() {
    let mut build = Build::new();
    let spec = NodeSpec { error_handler: Some("handler".into()), ..NodeSpec::function("a") };
    build.node_spec(spec, |_| raise("ValueError", "no")).logs("after");
    build.function("handler", |call| {
        let CallInput::Failed { node, failure, .. } = &call.input else { panic!("{call:?}") };
        update(&format!(r#"{{"log":["{node}: {}"]}}"#, failure.message))
    });
    build.edges(&["__start__", "a", "after"]);
    assert_eq!(key(&build.world().input("{}"), "log"), r#"["a: no"]"#);
}

#[test]
fn a_limit_stops_the_attempt_and_a_late_answer_changes_nothing() {
    let mut build = Build::new();
    let timeout = TimeoutPolicy { run: Some(Duration::from_secs(1)), idle: None };
    build.node_spec(NodeSpec { timeout, ..NodeSpec::function("a") }, |_| panic!("never answered"));
    build.edge("__start__", "a");
    let world = build.world();
    let now = weaver_core::Timestamp(0);
    let input = Input::Value(json("{}"));
    let mut run = Run::start(world.graph, Origin::default(), input, RunOptions::default(), now);
    let Some(Effect::Call(call)) = run.poll_effect() else { panic!("a call comes first") };
    let at = run.poll_timeout().expect("the limit is a timer");
    assert_eq!(at.as_millis(), 1000);
    run.handle(at, Happened::Timeout);
    assert!(matches!(run.poll_effect(), Some(Effect::Stop(id)) if id == call.id));
    let Some(Effect::Finish(outcome)) = run.poll_effect() else { panic!("no policy: it fails") };
    assert_eq!(failure(outcome).code, "node_timeout");
    run.handle(at, Happened::Returned { id: call.id, answer: update("{}") });
    assert!(run.poll_effect().is_none());
}

#[test]
fn a_sign_of_life_moves_the_idle_limit() {
    let mut build = Build::new();
    let timeout = TimeoutPolicy { run: None, idle: Some(Duration::from_secs(1)) };
    build.node_spec(NodeSpec { timeout, ..NodeSpec::function("a") }, |_| panic!("never answered"));
    build.edge("__start__", "a");
    let second = |n: i64| weaver_core::Timestamp::from_millis(n * 1000);
    let input = Input::Value(json("{}"));
    let mut run =
        Run::start(build.world().graph, Origin::default(), input, RunOptions::default(), second(0));
    let Some(Effect::Call(call)) = run.poll_effect() else { panic!("a call comes first") };
    run.handle(weaver_core::Timestamp::from_millis(900), Happened::Progress(call.id));
    run.handle(second(1), Happened::Timeout);
    assert!(run.poll_effect().is_none());
    run.handle(second(2), Happened::Timeout);
    assert!(matches!(run.poll_effect(), Some(Effect::Stop(_))));
}

#[test]
fn replay_makes_a_fork_and_keeps_the_old_history() {
    let mut build = Build::new();
    build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    let original = world.input("{}");
    let before = world.at_step(1);
    let chosen = before.state.id;
    let outcome = world.run_from(Origin::chosen(before, true), Input::Continue);
    assert_eq!(outcome, original);
    assert_eq!(world.calls, ["a", "b", "b"]);
    let sources: Vec<_> = world.memory.history("").map(|c| (c.step, c.source, c.parent)).collect();
    assert_eq!(sources.len(), 6);
    assert_eq!((sources[4].0, sources[4].1, sources[4].2), (2, Source::Fork, Some(chosen)));
}

#[test]
fn updating_state_acts_as_the_node_and_its_successors_run_next() {
    let mut build = Build::new();
    build.logs("a").logs("b").logs("c").edges(&["__start__", "a", "b", "c"]);
    build.graph.interrupt_before(Targets::Names(vec!["b".into()]));
    let mut world = build.world();
    world.input("{}");
    let edit = |values: &str, as_node: Option<&str>| StateUpdate {
        values: Some(json(values)),
        as_node: as_node.map(Into::into),
        task: None,
        keeps_next: false,
    };
    world.run(Input::Update(vec![vec![edit(r#"{"log":["edited"]}"#, Some("b"))]]));
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("c")]);
    assert_eq!(world.saved().state.source, Source::Update);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["a","edited","c"]"#);
    assert_eq!(world.calls, ["a", "c"]);
    // The last node that wrote is the default.
    world.run(Input::Update(vec![vec![edit(r#"{"log":["more"]}"#, None)]]));
    assert!(world.snapshot().next.is_empty());
    let unknown = world.run(Input::Update(vec![vec![edit("{}", Some("nobody"))]]));
    assert_eq!(failure(unknown).code, "unknown_node");
}

#[test]
fn what_a_command_chose_stays_next_when_a_person_changes_the_state() {
    let mut build = Build::new();
    build.logs("b").logs("c").edges(&["b", "c"]);
    build.node("a", |_| {
        let update = vec![("log".into(), json(r#"["a"]"#))];
        Answer::Node(NodeOutput::Command(Command { update, goto: vec![Goto::Node("b".into())] }))
    });
    build.edges(&["__start__", "a"]);
    build.graph.interrupt_before(Targets::Names(vec!["b".into()]));
    let edit = |keeps_next| {
        let values = Some(json(r#"{"log":["edited"]}"#));
        Input::Update(vec![vec![StateUpdate { values, as_node: None, task: None, keeps_next }]])
    };
    let mut world = build.world();
    world.input("{}");
    world.run(edit(true));
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("b")]);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["a","edited","b","c"]"#);
    world.input("{}");
    world.run(edit(false));
    assert!(world.snapshot().next.is_empty());
}

#[test]
fn an_update_may_copy_clear_or_act_as_input() {
    let mut build = Build::new();
    build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
    build.graph.interrupt_before(Targets::Names(vec!["b".into()]));
    let mut world = build.world();
    world.input("{}");
    let special = |name: &str, values: Option<Value>| {
        Input::Update(vec![vec![StateUpdate {
            values,
            as_node: Some(name.into()),
            task: None,
            keeps_next: false,
        }]])
    };
    let before = world.saved().state;
    world.run(special("__copy__", None));
    let copy = world.saved().state;
    assert_eq!((copy.source, copy.parent), (Source::Fork, before.parent));
    assert_eq!(copy.channels, before.channels);
    world.run(special("__end__", None));
    assert!(world.snapshot().next.is_empty());
    world.run(special("__input__", Some(json(r#"{"log":["again"]}"#))));
    assert_eq!(world.snapshot().next, [std::sync::Arc::from("__start__")]);
}

fn inner(persistence: Persistence) -> World {
    let mut below = Build::new();
    // Only the subgraph has this key, so nothing of it comes from above.
    let reducer = Reducer::Operator(Operator::Add);
    below.graph.channel("own", ChannelKind::Reduced { reducer, initial: Some(Value::Int(0)) });
    below.node("first", |_| update(r#"{"log":["first"],"own":1}"#));
    below.node("ask", asks(1)).edges(&["__start__", "first", "ask"]);
    below.graph.output(vec!["last".into()]);
    below.node("end", |call| {
        let own = call.input.to_value().get("own").cloned().unwrap();
        Answer::Node(NodeOutput::Fields(vec![("last".into(), own)]))
    });
    below.edge("ask", "end");
    let mut build = Build::new();
    build.logs("before").subgraph("sub", below, persistence).logs("after");
    build.edges(&["__start__", "before", "sub", "after"]);
    build.world()
}

#[test]
fn a_subgraph_goes_on_from_its_own_checkpoint() {
    for persistence in [Persistence::Inherit, Persistence::Own] {
        let mut world = inner(persistence);
        let asked = interrupts(&world.input("{}"));
        assert_eq!(asked.len(), 1);
        assert!(asked[0].namespace.starts_with("sub"), "{asked:?}");
        let done = world.resume("\"yes\"");
        assert_eq!(key(&done, "log"), r#"["before","after"]"#);
        assert_eq!(world.calls, ["before", "first", "ask", "ask", "end", "after"]);
    }
}

#[test]
fn a_subgraph_that_saves_nothing_starts_over() {
    let mut world = inner(Persistence::Off);
    interrupts(&world.input("{}"));
    assert_eq!(world.memory.namespaces().count(), 1);
    let done = world.resume("\"yes\"");
    assert_eq!(key(&done, "log"), r#"["before","after"]"#);
    assert_eq!(world.calls, ["before", "first", "ask", "first", "ask", "end", "after"]);
}

#[test]
fn only_a_subgraph_with_its_own_memory_remembers() {
    for (persistence, second) in [(Persistence::Inherit, "1"), (Persistence::Own, "2")] {
        let mut world = inner(persistence);
        interrupts(&world.input("{}"));
        assert_eq!(key(&world.resume("1"), "last"), "1");
        interrupts(&world.input("{}"));
        assert_eq!(key(&world.resume("1"), "last"), second, "{persistence:?}");
    }
}

#[test]
fn a_fork_before_a_subgraph_runs_it_from_what_it_was_then() {
    let mut world = inner(Persistence::Own);
    interrupts(&world.input("{}"));
    world.resume("1");
    let before = world.at_step(1);
    interrupts(&world.run_from(Origin::chosen(before, true), Input::Continue));
    assert_eq!(key(&world.resume("1"), "last"), "1");
}

#[test]
fn a_command_to_the_parent_is_taken_up_there() {
    let mut below = Build::new();
    below.node("leave", |_| {
        let update = vec![("log".into(), json(r#"["from below"]"#))];
        Answer::Parent(Command { update, goto: vec![Goto::Node("target".into())] })
    });
    below.edge("__start__", "leave").logs("never");
    let mut build = Build::new();
    build.subgraph("sub", below, Persistence::Inherit).logs("target").edge("__start__", "sub");
    assert_eq!(key(&build.world().input("{}"), "log"), r#"["from below","target"]"#);
}

#[test]
fn drain_stops_between_supersteps_and_cancel_at_once() {
    let mut build = Build::new();
    build.logs("a").logs("b").edges(&["__start__", "a", "b"]);
    let mut world = build.world();
    let now = weaver_core::Timestamp(5);
    let options = world.options.clone();
    let start = |world: &World| {
        Run::start(
            world.graph.clone(),
            Origin::default(),
            Input::Value(json("{}")),
            options.clone(),
            now,
        )
    };
    let mut run = start(&world);
    run.drain();
    let drained = world.drive(run);
    assert_eq!(drained, Outcome::Drained);
    assert_eq!(key(&world.run(Input::Continue), "log"), r#"["a","b"]"#);
    let mut run = start(&world);
    run.cancel();
    let effects: Vec<_> = std::iter::from_fn(|| run.poll_effect()).collect();
    assert!(matches!(effects[..], [.., Effect::Stop(_), Effect::Finish(Outcome::Cancelled)]));
}
