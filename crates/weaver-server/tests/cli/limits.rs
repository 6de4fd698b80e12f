//! Nodes and graphs that go wrong while they run: a precise message, exit code 1,
//! and what finished before is kept.

use serde_json::json;

use crate::desk::{Desk, Ended, one_node, workflow};

/// Runs one bad node behind a good one, and sees that the good one's work is kept.
#[track_caller]
fn fails(body: &str, node: &str) -> Ended {
    let body = format!("def good(state: State):\n    return {{\"log\": [\"good\"]}}\n\n\n{body}");
    let build = format!(
        "graph.add_node(good)\ngraph.add_node(\"bad\", {node})\n\
         graph.add_edge(START, \"good\")\ngraph.add_edge(\"good\", \"bad\")"
    );
    let text = workflow("text: str\nlog: Annotated[list, operator.add]", &body, &build);
    let desk = Desk::with("flow.py", &text);
    let args = ["run", "flow.py", "--input", r#"{"text":"hi"}"#, "--thread", "t"];
    let ended = desk.run(args).expect(1);
    let last = &desk.checkpoints("t")[0];
    assert_eq!(last["next"], json!(["bad"]), "what finished is kept");
    let id = last["checkpoint"].as_str().unwrap();
    let state = desk.run(["history", "t", "--at", id]).expect(0).json();
    assert_eq!(state["log"], json!(["good"]));
    ended.says(&["what finished is saved", "--thread t"])
}

#[test]
fn an_endless_loop() {
    let body = "def bad(state: State):\n    while True:\n        pass\n";
    fails(body, "bad, metadata={\"limits\": {\"cpu_seconds\": 0.2}}").says(&[
        "error[python_cpu_limit]: node `bad` failed",
        "def bad(state: State):",
        "an endless loop, most likely",
    ]);
}

#[test]
fn a_memory_bomb() {
    let body = "def bad(state: State):\n    data = []\n    while True:\n        data.append(\"x\" * 1000000)\n";
    fails(body, "bad, metadata={\"limits\": {\"memory_mb\": 16}}").says(&[
        "error[python_memory_limit]",
        "16 MiB",
        "data.append",
    ]);
}

#[test]
fn deep_recursion() {
    let body = "def bad(state: State):\n    return bad(state)\n";
    let ended = fails(body, "bad").says(&["error[python_recursion]", "return bad(state)"]);
    assert!(
        ended.err.contains("again and again") && ended.err.lines().count() < 20,
        "{}",
        ended.err
    );
}

#[test]
fn a_node_that_returns_nonsense() {
    let ended = fails("def bad(state: State):\n    return 7\n", "bad");
    ended.says(&["error[invalid_node_return]: node `bad` failed", "got int", "def bad"]);
}

#[test]
fn a_template_over_an_unknown_key() {
    fails("", "nodes.response(text=\"{{ txt }}\", into=\"text\")").says(&[
        "error[template_failed]",
        "uses `txt`, which the state does not hold",
        "text=\"{{ txt }}\"",
        "the state holds: text, log",
    ]);
}

#[test]
fn a_model_without_a_key() {
    fails("", "nodes.llm(model=\"openai/gpt-4o-mini\", prompt=\"x\", into=\"text\")").says(&[
        "error[model_key_missing]",
        "OPENAI_API_KEY",
        "--model scripted",
        "graph.add_node(\"bad\"",
    ]);
}

#[test]
fn two_writers_to_one_plain_key() {
    let text = workflow(
        "text: str",
        "def one(state: State):\n    return {\"text\": \"one\"}\n\n\ndef two(state: State):\n    return {\"text\": \"two\"}\n",
        "graph.add_node(one)\ngraph.add_node(two)\ngraph.add_edge(START, \"one\")\ngraph.add_edge(START, \"two\")",
    );
    let desk = Desk::with("flow.py", &text);
    let ended =
        desk.run(["run", "flow.py", "--input", r#"{"text":"hi"}"#, "--thread", "t"]).expect(1);
    ended.says(&["error[concurrent_update]", "'text'", "give `text` a reducer"]);
    assert_eq!(desk.checkpoints("t")[0]["next"], json!(["one", "two"]));
}

#[test]
fn a_reducer_that_raises() {
    let body = "def merge(old, new):\n    raise ValueError(\"cannot merge\")\n\n\nclass State(TypedDict):\n    log: Annotated[list, merge]\n\n\n\
                def work(state: State):\n    return {\"log\": [1]}\n";
    let text = one_node("text: str", body, "work");
    let desk = Desk::with("flow.py", &text);
    let ended = desk.run(["run", "flow.py", "--input", r#"{"log":[0]}"#]).expect(1);
    ended.says(&["ValueError: cannot merge", "reducer of `log`", "raise ValueError", "in merge"]);
}

#[test]
fn a_graph_that_never_ends() {
    let text = workflow(
        "n: int",
        "def work(state: State):\n    return {\"n\": state[\"n\"] + 1}\n",
        "graph.add_node(work)\ngraph.add_edge(START, \"work\")\ngraph.add_edge(\"work\", \"work\")",
    );
    let desk = Desk::with("flow.py", &text);
    let args =
        ["run", "flow.py", "--input", r#"{"n":0}"#, "--thread", "t", "--recursion-limit", "5"];
    desk.run(args).expect(1).says(&["error[recursion_limit]", "5"]);
    let id = desk.checkpoints("t")[0]["checkpoint"].as_str().unwrap().to_string();
    assert_eq!(desk.run(["history", "t", "--at", &id]).expect(0).json()["n"], 5);
}
