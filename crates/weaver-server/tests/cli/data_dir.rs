//! Data directories that cannot be used: a precise message, exit code 2, and what
//! is in them stays as it is.

use std::io::{BufRead, BufReader};

use crate::desk::{Desk, one_node, two_steps};

const INPUT: &str = r#"{"question":"hi"}"#;

fn used() -> Desk {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", INPUT, "--thread", "t"]).expect(0);
    desk
}

#[test]
fn a_file_in_its_place() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.write("data", "I am a file");
    let ended = desk.run(["run", "flow.py", "--input", INPUT, "--data", "data"]).expect(2);
    ended.says(&["data", "not a directory", "--data"]);
    desk.run(["history", "--data", "data"]).expect(2).says(&["not a directory"]);
}

#[test]
fn one_that_is_not_writable() {
    let desk = Desk::with("flow.py", &two_steps());
    // Root writes everywhere but below /proc.
    let ended =
        desk.run(["run", "flow.py", "--input", INPUT, "--data", "/proc/agentweaver"]).expect(2);
    ended.says(&["/proc/agentweaver", "--data"]);
}

#[test]
fn one_that_does_not_exist_yet() {
    let desk = Desk::with("flow.py", &two_steps());
    assert_eq!(desk.run(["history", "--json"]).expect(0).json(), serde_json::json!([]));
    desk.run(["history", "t"]).expect(2).says(&["there is no thread `t`"]);
    assert!(!desk.path(".agentweaver").exists(), "looking makes nothing");
}

#[test]
fn one_from_a_newer_version() {
    let desk = used();
    let database = desk.path(".agentweaver/agentweaver.db");
    // The only thing at hand that writes SQL is a node; its own log is elsewhere.
    let sql = "INSERT INTO schema_migrations VALUES (9999, 'from the future', 0)";
    let node = format!(
        "nodes.database(path=\".agentweaver/agentweaver.db\", query=\"{sql}\", write=True)"
    );
    desk.write("future.py", one_node("question: str", "", &node));
    desk.write("agentweaver.toml", "[database]\nwrite = true\n");
    desk.run(["run", "future.py", "--input", INPUT, "--data", "other"]).expect(0);
    let newer = std::fs::read(&database).unwrap();
    let ended = desk.run(["run", "flow.py", "--input", INPUT]).expect(2);
    ended.says(&["newer", "9999"]);
    desk.run(["history"]).expect(2).says(&["newer"]);
    desk.run(["doctor"]).expect(1);
    assert_eq!(std::fs::read(&database).unwrap(), newer, "it was not touched");
}

#[test]
fn one_that_holds_something_else() {
    let desk = Desk::with("flow.py", &two_steps());
    std::fs::create_dir(desk.path(".agentweaver")).unwrap();
    desk.write(".agentweaver/agentweaver.db", "This is a diary and no database. ".repeat(200));
    let before = std::fs::read(desk.path(".agentweaver/agentweaver.db")).unwrap();
    desk.run(["run", "flow.py", "--input", INPUT]).expect(2).says(&["agentweaver.db", "--data"]);
    assert_eq!(std::fs::read(desk.path(".agentweaver/agentweaver.db")).unwrap(), before);
}

#[test]
fn one_that_is_damaged() {
    let desk = used();
    let database = desk.path(".agentweaver/agentweaver.db");
    let mut bytes = std::fs::read(&database).unwrap();
    for byte in &mut bytes[4096..] {
        *byte = 0xAA;
    }
    std::fs::write(&database, bytes).unwrap();
    let ended = desk.run(["run", "flow.py", "--thread", "t"]);
    assert!(ended.code == 1 || ended.code == 2, "{}", ended.err);
    ended.says(&["error[store_corrupt]", "damaged", "a backup"]);
    let doctor = desk.run(["doctor"]).expect(1);
    assert!(doctor.out.contains("✘ data"), "{}", doctor.out);
}

#[test]
fn one_that_a_live_run_holds() {
    let file = one_node(
        "question: str",
        "def work(state: State):\n    while True:\n        pass\n",
        "work, metadata={\"limits\": {\"cpu_seconds\": 60}}",
    );
    let desk = used();
    desk.write("slow.py", file);
    let mut child = desk.start(["run", "slow.py", "--input", INPUT, "--json", "--thread", "slow"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("node_enter")), "the run is under way");
    let ended = desk.run(["run", "flow.py", "--input", INPUT]);
    // Reading is possible meanwhile.
    let state = desk.run(["history", "t"]);
    child.kill().unwrap();
    child.wait().unwrap();
    ended.expect(2).says(&["in use", "wait until that process ends", "--data"]);
    state.expect(0);
    desk.run(["run", "flow.py", "--input", INPUT]).expect(0);
}
