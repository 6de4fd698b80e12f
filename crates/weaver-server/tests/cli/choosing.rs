//! Which file and which graph is meant, and what to type next.

use crate::desk::{Desk, one_node, one_question, two_steps, workflow};

const INPUT: &str = r#"{"question":"hi"}"#;

/// Two graphs, of one node each.
fn two_graphs() -> String {
    let body = "def one(state: State):\n    return {\"n\": 1}\n\n\ndef two(state: State):\n    return {\"n\": 2}\n";
    let build = "graph.add_node(one)\ngraph.add_edge(START, \"one\")\ngraph.add_edge(\"one\", END)\n\
                 first = graph.compile()\ngraph = StateGraph(State)\n\
                 graph.add_node(two)\ngraph.add_edge(START, \"two\")\ngraph.add_edge(\"two\", END)";
    workflow("n: int", body, build)
}

#[test]
fn a_graph_of_the_file_is_chosen_behind_a_colon() {
    let desk = Desk::with("flow.py", &two_graphs());
    assert_eq!(desk.run(["run", "flow.py"]).expect(0).says(&["flow.py:app"]).json()["n"], 2);
    let args = ["run", "flow.py:first", "--interrupt-before", "one", "--thread", "t"];
    let stopped = desk.run(args).expect(3);
    stopped.says(&["flow.py:first · thread t", "agentweaver run flow.py:first --thread t"]);
    assert_eq!(desk.run(["run", "flow.py:first", "--thread", "t"]).expect(0).json()["n"], 1);
    let drawn = desk.run(["graph", "flow.py:first"]).expect(0).out;
    assert!(drawn.contains("one") && !drawn.contains("two"), "{drawn}");
    let ended = desk.run(["run", "flow.py:third"]).expect(2);
    ended.says(&["error[no_graph]: flow.py: the file has no graph `third`", "it has: first"]);
    let ended = desk.run(["run", "flow.py:first", "--graph", "app"]).expect(2);
    ended.says(&["two graphs are named: `first` and `app`"]);
    let checked = desk.run(["check", "flow.py"]).expect(0).out;
    assert!(checked.contains("graph `first`") && checked.contains("graph `app`"), "{checked}");
}

#[test]
fn a_mistyped_file_is_put_right() {
    let desk = Desk::with("research.py", &two_steps());
    desk.run(["run", "reserch.py"]).expect(2).says(&["did you mean research.py?"]);
    desk.run(["run", "research"]).expect(2).says(&["did you mean research.py?"]);
    desk.run(["run", "other.py"]).expect(2).says(&["Python files there: research.py"]);
    desk.run(["check", "reserch.py"]).expect(1).says(&["did you mean research.py?"]);
    desk.run(["run", "nowhere/x.py"]).expect(2).says(&["there is no directory nowhere"]);
    desk.run(["run", "."]).expect(2).says(&["is a directory", "such as ./research.py"]);
}

#[test]
fn files_as_other_systems_write_them() {
    let desk = Desk::new();
    desk.write("flow.py", format!("\u{feff}{}", two_steps().replace('\n', "\r\n")));
    desk.write("in.json", format!("\u{feff}{INPUT}\r\n"));
    let ended = desk.run(["run", "flow.py", "--input", "@in.json"]).expect(0);
    assert_eq!(ended.json()["answer"], "HI");
    let utf16: Vec<u8> = two_steps().encode_utf16().flat_map(u16::to_le_bytes).collect();
    desk.write("wide.py", [&[0xff, 0xfe][..], &utf16].concat());
    desk.run(["run", "wide.py"]).expect(2).says(&["UTF-16", "save it as UTF-8"]);
}

#[test]
fn a_waiting_thread_shows_its_question_and_the_command_that_answers() {
    let desk = Desk::with("flow.py", &one_question());
    let input = r#"{"topic":"soap"}"#;
    let args = ["run", "flow.py", "--input", input, "--thread", "my thread", "--data", "my log"];
    desk.run(args).expect(3);
    let command = "agentweaver run --thread 'my thread' --data 'my log' --resume";
    let shown = desk.run(["history", "my thread", "--data", "my log"]).expect(0);
    shown.says(&["Shall it go out?", "topic: soap", command]);
    let listed = desk.run(["history", "--data", "my log"]).expect(0).out;
    assert!(listed.contains("waiting") && listed.contains("flow.py"), "{listed}");
    desk.run(["run", "--thread", "my thread", "--data", "my log", "--resume", "yes"]).expect(0);
    let shown = desk.run(["history", "my thread", "--data", "my log"]).expect(0);
    assert!(!shown.err.contains("Shall it go out?"), "it is answered: {}", shown.err);
}

#[test]
fn the_printed_command_keeps_the_model_and_the_context() {
    let desk = Desk::with("flow.py", &one_question());
    let args =
        ["run", "flow.py", "--input", r#"{"topic":"x"}"#, "--model", "scripted", "--thread", "t"];
    desk.run(args)
        .expect(3)
        .says(&["agentweaver run flow.py --model scripted --thread t --resume"]);
}

#[test]
fn a_key_with_two_writers_is_shown_where_it_is_declared() {
    let body = "def one(state: State):\n    return {\"n\": 1}\n\n\ndef two(state: State):\n    return {\"n\": 2}\n";
    let build = "graph.add_node(one)\ngraph.add_node(two)\ngraph.add_edge(START, \"one\")\n\
                 graph.add_edge(START, \"two\")\ngraph.add_edge(\"one\", END)\ngraph.add_edge(\"two\", END)";
    let desk = Desk::with("flow.py", &workflow("n: int", body, build));
    let ended = desk.run(["run", "flow.py"]).expect(1);
    ended.says(&["error[concurrent_update]", "flow.py:9:", "n: int", "^", "give `n` a reducer"]);
}

#[test]
fn a_mistyped_name_is_one_problem() {
    let text = two_steps().replace("\"look\", \"answer\"", "\"look\", \"anwser\"");
    let desk = Desk::with("flow.py", &text);
    let checked = desk.run(["check", "flow.py"]).expect(1).out;
    assert!(checked.contains("1 error\n") && !checked.contains("dead_end"), "{checked}");
}

#[test]
fn nothing_is_said_of_a_key_that_is_empty() {
    let body = "def work(state: State):\n    return {\"note\": \"\", \"n\": 1}\n";
    let desk = Desk::with("flow.py", &one_node("n: int\nnote: str", body, "work"));
    let ended = desk.run(["run", "flow.py"]).expect(0);
    assert!(ended.err.contains("n: 1") && !ended.err.contains("note:"), "{}", ended.err);
}
