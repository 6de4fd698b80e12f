//! Inputs that do not fit: refused with an example before anything is written.

use serde_json::json;

use crate::desk::{Desk, one_node, two_steps, workflow};

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
    desk.write("in.json", format!("{{\"question\": \"{}\", hi}}", "é".repeat(5000)));
    let ended = desk.run(["run", "flow.py", "--input", "@in.json"]).expect(2);
    assert!(ended.err.chars().count() < 300, "a long line is cut: {}", ended.err);
    ended.says(&["in.json is not JSON", "…é", "é\", hi}\n", "^"]);
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
fn a_value_of_another_type_is_refused_with_its_field() {
    let state = "count: int\nnames: list[str]\nwho: str\nmessages: Annotated[list, add_messages]";
    let body = "def work(state: State):\n    return {\"who\": state[\"names\"][0]}\n";
    let desk = Desk::with("flow.py", &one_node(state, body, "work"));
    let refused = |input: &str, parts: &[&str]| {
        desk.run(["run", "flow.py", "--input", input]).expect(2).says(parts);
    };
    refused(
        r#"{"names":"Ada"}"#,
        &["--input does not fit: `names: list[str]` cannot be text: \"Ada\""],
    );
    refused(
        r#"{"names":["Ada", 7],"count":"3"}"#,
        &["`names[1]` must be text, not a number: 7", "`count: int` cannot be text: \"3\""],
    );
    refused(r#"{"messages":3}"#, &["`messages` must be a list of messages, not a number: 3"]);
    refused(r#"{"messages":[{"text":"x"}]}"#, &["`messages[0]` is no message", "`role`"]);
    desk.write("in.json", r#"{"who": 1}"#);
    refused("@in.json", &["in.json does not fit: `who: str` cannot be a number: 1"]);
    assert_eq!(desk.threads().len(), 0, "no run was begun");
    // Nothing is not of another type: many a state begins with `None`.
    let input = r#"{"names":["Ada"],"who":null,"messages":"hi"}"#;
    assert_eq!(desk.run(["run", "flow.py", "--input", input]).expect(0).json()["who"], "Ada");
}

#[test]
fn a_validated_state_says_what_is_missing() {
    let text = one_node("", "", "work").replace(
        "class State(TypedDict):\n",
        "from pydantic import BaseModel, Field\n\n\nclass State(BaseModel):\n    topic: str\n    size: int = Field(default=1, ge=1)\n\n\n\
         def work(state: State):\n    return {\"topic\": state.topic * state.size}\n",
    );
    let desk = Desk::with("flow.py", &text);
    let refused = |input: &str, parts: &[&str]| {
        desk.run(["run", "flow.py", "--input", input]).expect(2).says(parts);
    };
    refused(r#"{"size":2}"#, &["--input does not fit: `topic: str` is missing"]);
    refused(r#"{"topic":"x","size":0}"#, &["`size`: 0 is less than the minimum of 1"]);
    assert_eq!(desk.threads().len(), 0, "no run was begun");
    // pydantic reads a number out of text.
    let ended = desk.run(["run", "flow.py", "--input", r#"{"topic":"x","size":"2"}"#]).expect(0);
    assert_eq!(ended.json()["topic"], "xx");
}

#[test]
fn a_graph_that_reads_nothing_needs_no_input() {
    let state = "n: int\nlog: Annotated[list, operator.add]";
    let body = "def work(state: State):\n    return {\"n\": len(state[\"log\"]) + 1}\n";
    let desk = Desk::with("flow.py", &one_node(state, body, "work"));
    assert_eq!(desk.run(["run", "flow.py"]).expect(0).json(), json!({"n": 1, "log": []}));
    // What one node writes another may read; what nobody writes must be given.
    let body = "def first(state: State):\n    return {\"n\": 1}\n\n\n\
                def second(state: State):\n    return {\"log\": [state[\"n\"], state[\"who\"]]}\n";
    let build = "graph.add_node(first)\ngraph.add_node(second)\n\
                 graph.add_edge(START, \"first\")\ngraph.add_edge(\"first\", \"second\")\ngraph.add_edge(\"second\", END)";
    desk.write("two.py", workflow(&format!("{state}\nwho: str"), body, build));
    desk.run(["run", "two.py"]).expect(2).says(&["two.py needs an input", r#"{"who":"…"}"#]);
}

#[test]
fn input_from_standard_input() {
    let desk = Desk::with("flow.py", &two_steps());
    let args = ["run", "flow.py", "--input", "-"];
    let ended = desk.run_fed(args, r#"{"question":"piped"}"#).expect(0);
    assert_eq!(ended.json()["answer"], "PIPED");
    desk.run_fed(args, "nope").expect(2).says(&["standard input is not JSON", "nope", "^"]);
}

#[test]
fn a_message_for_a_state_without_messages() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--message", "hi"]).expect(2);
    ended.says(&["--message needs a state key `messages`", "--input"]);
}

#[test]
fn a_stop_at_a_node_that_is_not_there_is_refused() {
    let desk = Desk::with("flow.py", &two_steps());
    for flag in ["--interrupt-before", "--interrupt-after"] {
        let ended =
            desk.run(["run", "flow.py", "--input", r#"{"question": "?"}"#, flag, "look,anwser"]);
        let ended = ended.expect(2);
        ended.says(&[flag, "no node `anwser`", "look, answer"]);
    }
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
