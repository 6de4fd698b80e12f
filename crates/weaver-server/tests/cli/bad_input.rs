//! Inputs that do not fit: refused with an example before anything is written.

use crate::desk::{Desk, two_steps};

#[test]
fn no_input_at_all() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py"])
        .expect(2)
        .says(&["flow.py needs an input", r#"--input '{"question":"…"}'"#]);
}

#[test]
fn input_that_is_not_json() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", r#"{"question": hi}"#]).expect(2);
    ended.says(&["--input is not JSON", "{\"question\": hi}\n", "^"]);
    desk.write("in.json", "{\n  \"question\": 'hi'\n}");
    let ended = desk.run(["run", "flow.py", "--input", "@in.json"]).expect(2);
    ended.says(&["in.json is not JSON", "\"question\": 'hi'", "line 2"]);
    desk.run(["run", "flow.py", "--input", "@none.json"])
        .expect(2)
        .says(&["cannot read none.json"]);
    assert_eq!(desk.threads().len(), 0, "no run was begun");
}

#[test]
fn input_that_is_no_object_or_of_other_keys() {
    let desk = Desk::with("flow.py", &two_steps());
    for (input, what) in [("[1]", "not a list"), ("7", "not a number"), ("\"hi\"", "not text")] {
        let ended = desk.run(["run", "flow.py", "--input", input]).expect(2);
        ended.says(&["the input must be a JSON object", what, "for example: --input"]);
    }
    let ended = desk.run(["run", "flow.py", "--input", r#"{"qestion":"hi"}"#]).expect(2);
    ended.says(&["the state has no key `qestion`", "it has: question, log, answer"]);
    assert_eq!(desk.threads().len(), 0, "no run was begun");

    let both = r#"{"question":"hi","mood":"good"}"#;
    let ended = desk.run(["run", "flow.py", "--input", both]).expect(0);
    ended.says(&["the state has no key `mood`", "left out"]);
}

#[test]
fn a_message_for_a_state_without_messages() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--message", "hi"]).expect(2);
    ended.says(&["--message needs a state key `messages`", "--input"]);
}

#[test]
fn flags_that_exclude_each_other_or_are_unknown() {
    let desk = Desk::with("flow.py", &two_steps());
    for args in [
        &["run", "flow.py", "--input", "{}", "--message", "x"][..],
        &["run", "flow.py", "--resume", "x"],
        &["run", "flow.py", "--stream", "all"],
        &["run", "flow.py", "--inptu", "{}"],
        &["history", "t", "--update", "{}"],
    ] {
        desk.run(args).expect(2).says(&["error:"]);
    }
}
