//! Files that do not run: what, where, how to mend it. Exit code 2, nothing written.

use crate::desk::{Desk, Ended, one_node, two_steps};

const INPUT: &str = r#"{"question":"hi"}"#;

/// Runs a file that must be refused before anything is written.
#[track_caller]
fn refused(desk: &Desk) -> Ended {
    let ended = desk.run(["run", "flow.py", "--input", INPUT]).expect(2);
    assert_eq!(ended.out, "");
    assert_eq!(desk.threads().len(), 0, "no run was begun");
    ended
}

#[test]
fn broken_python() {
    let desk = Desk::with("flow.py", &two_steps().replace("def look(state: State):", "def look(:"));
    refused(&desk).says(&["error[syntax_error]", "flow.py:", "def look(:", "^", "does not run"]);
}

#[test]
fn an_edge_to_an_unknown_node() {
    let text = two_steps().replace("\"look\", \"answer\"", "\"look\", \"anwser\"");
    let desk = Desk::with("flow.py", &text);
    refused(&desk).says(&[
        "error[unknown_node]",
        "graph.add_edge(\"look\", \"anwser\")",
        "^^^^^^^^",
        "did you mean `answer`?",
    ]);
}

#[test]
fn a_typed_node_with_wrong_settings() {
    let node = "nodes.llm(modell=\"openai/gpt-4o\", prompt=\"x\", temperature=\"hot\")";
    let desk = Desk::with("flow.py", &one_node("question: str", "", node));
    refused(&desk).says(&[
        "error[unknown_setting]",
        "did you mean `model`?",
        "error[setting_type]: `temperature` must be a number",
        "3 errors",
    ]);
}

#[test]
fn a_file_without_a_graph() {
    for text in ["", "# nothing here\n"] {
        let desk = Desk::with("flow.py", text);
        refused(&desk).says(&["error[no_graph]", "the file builds no graph", "StateGraph(State)"]);
    }
}

#[test]
fn a_file_that_is_no_text() {
    let desk = Desk::new();
    desk.write("flow.py", b"a = 1\nb = '\xff'\n");
    refused(&desk).says(&["flow.py is not UTF-8 text", "line 2"]);
}

#[test]
fn a_file_that_is_not_there_or_a_directory() {
    let desk = Desk::new();
    refused(&desk).says(&["there is no file flow.py"]);
    std::fs::create_dir(desk.path("flow.py")).unwrap();
    refused(&desk).says(&["flow.py is a directory"]);
}

#[test]
fn a_graph_that_the_file_does_not_have() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", INPUT, "--graph", "other"]).expect(2);
    ended.says(&["the file has no graph `other`", "it has: app, graph"]);
}

#[test]
fn a_script_with_an_unknown_rule_key() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.write("flow.script.yaml", "rules:\n  - whenn: {user: {regex: x}}\n    say: hi\n");
    refused(&desk).says(&["flow.script.yaml:2:", "unknown field `whenn`", "Did you mean `when`?"]);
}

#[test]
fn a_node_that_needs_another_library_is_named_with_its_way_out() {
    let body = "import numpy\n\n\ndef work(state: State):\n    return {\"question\": str(numpy.zeros(3))}\n";
    let desk = Desk::with("flow.py", &one_node("question: str", body, "work"));
    let ended = desk.run(["check", "flow.py"]);
    assert!(ended.out.contains("numpy") && ended.out.contains("Python worker"), "{}", ended.out);
    let ended = desk.run(["run", "flow.py", "--input", INPUT]);
    assert_ne!(ended.code, 0);
    ended.says(&["numpy", "worker"]);
}
