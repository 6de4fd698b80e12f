//! `agentweaver run`: output, inputs, exit codes.

use std::io::{BufRead, BufReader};
use std::process::Command;

use serde_json::json;

use crate::desk::{Desk, one_node, two_steps, workflow};

const QUESTION: &str = r#"{"question":"hi"}"#;

#[test]
fn piped_it_prints_the_state_and_plain_lines() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", QUESTION, "--thread", "t"]).expect(0);
    let state = json!({"question": "hi", "log": ["looked", "answered"], "answer": "HI"});
    assert_eq!(ended.json(), state);
    assert!(!ended.err.contains('\u{1b}') && !ended.out.contains('\u{1b}'), "{:?}", ended.err);
    let ended = ended.says(&["flow.py · thread t", "│ looking", "✔ look", "✔ answer", "done in"]);
    assert!(ended.err.contains("· 2 steps"), "two nodes ran: {}", ended.err);
    assert!(ended.err.contains("agentweaver.db"), "the path of the log: {}", ended.err);
}

#[test]
fn a_polite_wish_to_end_stops_a_run_that_can_go_on() {
    let file = one_node(
        "question: str",
        "def work(state: State):\n    while state[\"question\"] == \"hi\":\n        pass\n    return {\"question\": \"done\"}\n",
        "work, metadata={\"limits\": {\"cpu_seconds\": 60}}",
    );
    let desk = Desk::with("flow.py", &file);
    let mut child = desk.start(["run", "flow.py", "--input", QUESTION, "--json", "--thread", "t"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("node_enter")), "the run is under way");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.last().unwrap().contains("\"done\""), "the log has an end: {rest:?}");
    assert_eq!(desk.threads()[0]["status"], "cancelled");
    // The lock is free and the thread stands where it stood.
    assert_eq!(desk.checkpoints("t")[0]["next"], json!(["work"]));
}

#[test]
fn a_reader_that_has_seen_enough_ends_every_command_quietly() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", QUESTION, "--thread", "t"]).expect(0);
    for args in [
        &["run", "flow.py", "--input", QUESTION][..],
        &["run", "flow.py", "--input", QUESTION, "--json"],
        &["history"],
        &["history", "t"],
        &["history", "t", "--events"],
        &["check", "flow.py"],
        &["graph", "flow.py"],
        &["doctor"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let ended = desk.run_unread(args);
        assert!([0, 130].contains(&ended.code), "{args:?}: {} {}", ended.code, ended.err);
        assert!(!ended.err.contains("panicked"), "{args:?}: {}", ended.err);
    }
}

#[test]
fn colours_can_be_asked_for() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", QUESTION, "--color", "always"]).expect(0);
    assert!(ended.err.contains('\u{1b}'));
}

#[test]
fn json_is_one_event_a_line_and_nothing_else() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", QUESTION, "--json"]).expect(0);
    assert_eq!(ended.err, "");
    let kinds = ended.kinds();
    assert_eq!(
        (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()),
        ("start", "done")
    );
    assert_eq!(kinds.iter().filter(|kind| *kind == "node_exit").count(), 2);
    let events = ended.lines();
    assert_eq!(events.last().unwrap()["data"]["values"]["answer"], "HI");
    let numbers: Vec<i64> = events.iter().map(|e| e["sequence"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] <= 1), "no gap: {numbers:?}");
}

#[test]
fn json_with_a_stream_keeps_events_of_that_sort() {
    let desk = Desk::with("flow.py", &two_steps());
    let kinds = |stream| {
        let args = ["run", "flow.py", "--input", QUESTION, "--json", "--stream", stream];
        let mut kinds = desk.run(args).expect(0).kinds();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds("updates"), ["start", "node_exit", "done"]);
    assert_eq!(kinds("values"), ["start", "state_update", "done"]);
    assert_eq!(kinds("messages"), ["start", "done"]);
    assert!(kinds("events").contains(&"node_enter".to_string()));
}

#[test]
fn streams_print_a_line_for_each_step() {
    let desk = Desk::with("flow.py", &two_steps());
    let run =
        |stream| desk.run(["run", "flow.py", "--input", QUESTION, "--stream", stream]).expect(0);
    let log = ["looked", "answered"];
    assert_eq!(
        run("values").lines(),
        [
            json!({"question": "hi", "log": []}),
            json!({"question": "hi", "log": ["looked"]}),
            json!({"question": "hi", "log": log, "answer": "HI"}),
        ]
    );
    assert_eq!(
        run("updates").lines(),
        [
            json!({"look": {"log": ["looked"]}}),
            json!({"answer": {"answer": "HI", "log": ["answered"]}})
        ]
    );
    assert_eq!(run("events").kinds().last().unwrap(), "done");
}

#[test]
fn the_message_stream_is_the_text_of_the_models() {
    let file = one_node(
        "text: str\nmessages: Annotated[list, add_messages]",
        "from langchain_core.messages import AIMessage\n\n\n\
         def work(state: State):\n    reply = llm(\"openai/gpt-4o-mini\", state[\"text\"])\n\
         \x20   return {\"messages\": [AIMessage(reply.text), AIMessage(\"and a word of its own\")]}\n",
        "work",
    );
    let desk = Desk::with("talk.py", &file);
    desk.write("talk.script.yaml", "rules:\n  - say: the moon is far away\n");
    let args = ["run", "talk.py", "--input", r#"{"text":"moon?"}"#, "--stream", "messages"];
    let ended = desk.run(args).expect(0);
    assert_eq!(ended.out, "the moon is far away\nand a word of its own\n");
}

#[test]
fn answers_that_come_at_the_same_time_are_written_one_after_the_other() {
    let file = workflow(
        "a: str\nb: str",
        "def left(state: State):\n    return {\"a\": llm(\"openai/gpt-4o-mini\", \"left\").text}\n\n\n\
         def right(state: State):\n    return {\"b\": llm(\"openai/gpt-4o-mini\", \"right\").text}\n",
        "graph.add_node(left)\ngraph.add_node(right)\ngraph.add_edge(START, \"left\")\ngraph.add_edge(START, \"right\")",
    );
    let desk = Desk::with("talk.py", &file);
    let script = "piece_delay_ms: 10\nchunk: 4\nrules:\n  - when: {user: left}\n    say: one two three four\n  - say: five six seven\n";
    desk.write("talk.script.yaml", script);
    let args = ["run", "talk.py", "--input", r#"{"a":"x"}"#, "--stream", "messages"];
    let out = desk.run(args).expect(0).out;
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["five six seven", "one two three four"]);
}

#[test]
fn inputs_come_from_a_flag_a_file_or_beside_the_workflow() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.write("given.json", r#"{"question": "from a file"}"#);
    let answer = |args: &[&str]| desk.run(args).expect(0).json()["answer"].clone();
    assert_eq!(answer(&["run", "flow.py", "--input", "@given.json"]), "FROM A FILE");
    desk.write("flow.input.json", r#"{"question": "beside"}"#);
    assert_eq!(answer(&["run", "flow.py"]), "BESIDE");
    assert_eq!(answer(&["run", "flow.py", "--input", QUESTION]), "HI", "the flag wins");
}

#[test]
fn a_message_is_an_input() {
    let file = one_node(
        "messages: Annotated[list, add_messages]",
        "def work(state: State):\n    return {\"messages\": [(\"ai\", state[\"messages\"][-1].content.upper())]}\n",
        "work",
    );
    let desk = Desk::with("chat.py", &file);
    let ended = desk.run(["run", "chat.py", "--message", "hello"]).expect(0);
    assert_eq!(ended.json()["messages"][1]["content"], "HELLO");
}

#[test]
fn a_finished_thread_prints_its_state_and_a_new_input_goes_on_from_it() {
    let desk = Desk::with("flow.py", &two_steps());
    let first = desk.run(["run", "flow.py", "--input", QUESTION, "--thread", "t"]).expect(0);
    let again = desk.run(["run", "flow.py", "--thread", "t"]).expect(0);
    assert_eq!(again.json(), first.json());
    assert!(!again.err.contains("looking"), "nothing runs again: {}", again.err);
    let more = desk.run(["run", "flow.py", "--thread", "t", "--input", r#"{"question":"yo"}"#]);
    assert_eq!(more.expect(0).json()["log"].as_array().unwrap().len(), 4);
}

#[test]
fn without_a_file_the_source_of_the_threads_run_is_used() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", QUESTION, "--thread", "t"]).expect(0);
    desk.write("flow.py", "this is no workflow any more");
    let args = ["run", "--thread", "t", "--input", r#"{"question":"yo"}"#];
    assert_eq!(desk.run(args).expect(0).json()["answer"], "YO");
    desk.run(["run", "flow.py", "--thread", "t"]).expect(2);
}

#[test]
fn a_failing_node_ends_with_1_and_shows_the_line() {
    let file = one_node(
        "question: str\nanswer: str",
        "def helper(items):\n    return items[\"answer\"]\n\n\ndef work(state: State):\n    return {\"answer\": helper(dict(state))}\n",
        "work",
    );
    let desk = Desk::with("flow.py", &file);
    let ended = desk.run(["run", "flow.py", "--input", QUESTION, "--thread", "t"]).expect(1);
    assert_eq!(ended.out, "");
    ended.says(&[
        "error[node_failed]: node `work` failed: KeyError:",
        "return items[\"answer\"]",
        "in helper",
        "in work",
        "go on with:",
        "agentweaver run flow.py --thread t",
    ]);
    let ended = desk.run(["run", "flow.py", "--input", QUESTION, "--json"]).expect(1);
    assert_eq!(ended.err, "");
    let kinds = ended.kinds();
    assert_eq!(&kinds[kinds.len() - 2..], ["error", "done"]);
}

#[test]
fn ctrl_c_ends_with_130_and_the_thread_can_go_on() {
    use std::io::{BufRead, BufReader};
    let file = workflow(
        "n: int\nlog: Annotated[list, operator.add]",
        "def first(state: State):\n    return {\"log\": [\"first\"]}\n\n\n\
         def slow(state: State):\n    while state[\"n\"] == 0:\n        pass\n    return {\"log\": [\"slow\"]}\n",
        "graph.add_node(first)\ngraph.add_node(slow, metadata={\"limits\": {\"cpu_seconds\": 60}})\n\
         graph.add_edge(START, \"first\")\ngraph.add_edge(\"first\", \"slow\")",
    );
    let desk = Desk::with("slow.py", &file);
    let args = ["run", "slow.py", "--input", r#"{"n":0}"#, "--thread", "t", "--json"];
    let mut child = desk.start(args);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let entered = |line: &str| line.contains("node_enter") && line.contains("\"slow\"");
    assert!(lines.any(|line| entered(&line.unwrap())), "the slow node starts");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(lines.any(|line| line.unwrap().contains("cancelled")), "the end is said");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = &desk.checkpoints("t")[0];
    assert_eq!(last["next"], json!(["slow"]), "what finished is saved");
}

#[test]
fn breakpoints_stop_with_3_and_go_on() {
    let desk = Desk::with("flow.py", &two_steps());
    let args =
        ["run", "flow.py", "--input", QUESTION, "--thread", "t", "--interrupt-before", "answer"];
    desk.run(args).expect(3).says(&["stopped at a breakpoint", "--thread t"]);
    assert_eq!(desk.run(["run", "flow.py", "--thread", "t"]).expect(0).json()["answer"], "HI");
}

#[test]
fn each_durability_gives_the_same_state() {
    let desk = Desk::with("flow.py", &two_steps());
    for how in ["sync", "async", "exit"] {
        let args = ["run", "flow.py", "--input", QUESTION, "--thread", how, "--durability", how];
        assert_eq!(desk.run(args).expect(0).json()["answer"], "HI");
        assert_eq!(desk.run(["run", "--thread", how]).expect(0).json()["answer"], "HI");
    }
    assert_eq!(desk.checkpoints("exit").len(), 1);
}

#[test]
fn one_of_several_graphs_can_be_chosen() {
    let text = two_steps()
        + "\nother = StateGraph(State)\nother.add_node(look)\nother.add_edge(START, \"look\")\nsmall = other.compile()\n";
    let desk = Desk::with("flow.py", &text);
    let args = ["run", "flow.py", "--input", QUESTION, "--graph", "small"];
    assert_eq!(desk.run(args).expect(0).json()["log"], json!(["looked"]));
    let args = ["run", "flow.py", "--input", QUESTION, "--graph", "app"];
    assert_eq!(desk.run(args).expect(0).json()["answer"], "HI");
}
