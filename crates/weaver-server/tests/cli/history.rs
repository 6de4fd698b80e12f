//! `agentweaver history`, `graph`, `check`, `doctor`, `completions`.

use serde_json::{Value, json};

use crate::desk::{Desk, two_steps};

fn finished() -> Desk {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", r#"{"question":"hi"}"#, "--thread", "t"]).expect(0);
    desk
}

fn id_after(desk: &Desk, step: i64) -> String {
    let checkpoints = desk.checkpoints("t");
    let found = checkpoints.iter().rfind(|checkpoint| checkpoint["step"] == step).unwrap();
    found["checkpoint"].as_str().unwrap().to_string()
}

#[test]
fn threads_are_listed_with_their_status() {
    let desk = finished();
    assert_eq!(desk.threads()[0]["thread"], "t");
    assert_eq!(desk.threads()[0]["status"], "completed");
    let ended = desk.run(["history"]).expect(0);
    assert!(ended.out.contains("  t  ") && ended.out.contains("completed"), "{}", ended.out);
    desk.run(["history", "other"]).expect(2).says(&["there is no thread `other`"]);
}

#[test]
fn checkpoints_are_listed_newest_first() {
    let desk = finished();
    let steps: Vec<i64> =
        desk.checkpoints("t").iter().map(|c| c["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, [2, 1, 0, -1]);
    let ended = desk.run(["history", "t"]).expect(0);
    assert!(ended.out.contains("next answer") && ended.out.contains("the end"), "{}", ended.out);
    assert!(!ended.out.contains("__"), "no inner names: {}", ended.out);
}

#[test]
fn a_past_state_is_shown_by_id_or_the_end_that_is_listed() {
    let desk = finished();
    let id = id_after(&desk, 1);
    for name in [id.as_str(), &id[id.len() - 10..]] {
        let state = desk.run(["history", "t", "--at", name]).expect(0).json();
        assert_eq!(state, json!({"question": "hi", "log": ["looked"]}));
    }
    let ended = desk.run(["history", "t", "--at", "0"]).expect(2);
    ended.says(&["`0` may be", "checkpoints", "write more of it"]);
    desk.run(["history", "t", "--at", "zz"]).expect(2).says(&["has no checkpoint `zz`"]);
}

#[test]
fn a_fork_runs_on_with_a_changed_state_and_keeps_the_first_branch() {
    let desk = finished();
    let id = id_after(&desk, 1);
    let plain = desk.run(["history", "t", "--fork", &id]).expect(0);
    assert_eq!(plain.json()["answer"], "HI");
    let args = ["history", "t", "--fork", &id, "--update", r#"{"question":"changed"}"#];
    let ended = desk.run(args).expect(0);
    assert_eq!(ended.json()["answer"], "CHANGED");
    let last = desk.checkpoints("t").last().unwrap()["checkpoint"].as_str().unwrap().to_string();
    desk.run(["history", "t", "--at", &last]).expect(0);
    assert!(desk.run(["history", "t"]).expect(0).out.contains("↳ from step 1"));
    // The thread goes on from the fork, with the source that it is pinned to.
    assert_eq!(desk.run(["run", "--thread", "t"]).expect(0).json()["answer"], "CHANGED");
    let refused = desk.run(["history", "t", "--fork", &id, "--update", "7"]).expect(2);
    refused.says(&["--update must be a JSON object", "not a number"]);
    let count = desk.checkpoints("t").len();
    let refused = |update: &str, parts: &[&str]| {
        desk.run(["history", "t", "--fork", &id, "--update", update]).expect(2).says(parts);
    };
    refused(
        r#"{"question":"x","qestion":"y"}"#,
        &["the state has no key `qestion`", "the state has: question, log, answer"],
    );
    refused(r#"{"question":7}"#, &["--update does not fit: `question: str` cannot be a number: 7"]);
    assert_eq!(desk.checkpoints("t").len(), count, "nothing was written");
}

#[test]
fn events_are_listed_from_the_log() {
    let desk = finished();
    let events = desk.run(["history", "t", "--events", "--json"]).expect(0);
    let kinds = events.kinds();
    assert_eq!(kinds, ["start", "print", "node_exit", "node_exit", "done"]);
    let plain = desk.run(["history", "t", "--events"]).expect(0);
    assert_eq!(plain.out.lines().count(), kinds.len());
}

#[test]
fn graphs_are_drawn_in_each_format() {
    let desk = Desk::with("flow.py", &two_steps());
    let draw = |format| desk.run(["graph", "flow.py", "--format", format]).expect(0).out;
    assert!(draw("mermaid").starts_with("flowchart TD\n"));
    assert!(draw("dot").starts_with("digraph {"));
    assert!(draw("svg").starts_with("<svg ") && draw("svg").trim_end().ends_with("</svg>"));
    let json: Value = serde_json::from_str(&draw("json")).unwrap();
    let edges: Vec<String> = json["graphs"][0]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("{}>{}", e["source"].as_str().unwrap(), e["target"].as_str().unwrap()))
        .collect();
    assert_eq!(edges, ["__start__>look", "look>answer", "answer>__end__"]);
    desk.run(["graph", "flow.py", "-o", "flow.mmd"]).expect(0);
    assert!(desk.path("flow.mmd").exists());
    let ended = desk.run(["graph", "flow.py", "--graph", "nope"]).expect(2);
    ended.says(&["the file has no graph `nope`", "it has: app, graph"]);
}

#[test]
fn check_reports_every_file_and_ends_with_1_when_one_is_broken() {
    let desk = Desk::with("good.py", &two_steps());
    desk.write("bad.py", two_steps().replace("\"look\", \"answer\"", "\"look\", \"anwser\""));
    let ended = desk.run(["check", "good.py"]).expect(0);
    assert!(ended.out.contains("good.py") && ended.out.contains("no problems"), "{}", ended.out);
    let ended = desk.run(["check", "bad.py", "good.py"]).expect(1);
    for part in ["error[unknown_node]", "did you mean `answer`?", "1 error", "no problems"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    let json = desk.run(["check", "--json", "bad.py", "good.py"]).expect(1).json();
    let problems = json[0]["problems"].as_array().unwrap();
    let problem = problems.iter().find(|problem| problem["severity"] == "error").unwrap();
    assert_eq!((&problem["code"], &problem["line"]), (&json!("unknown_node"), &json!(27)));
    assert_eq!(json[1]["problems"], json!([]));
    assert_eq!(json[1]["graphs"][0]["nodes"][0]["runs"], "embedded Python");
}

#[test]
fn check_goes_on_behind_a_file_that_cannot_be_read() {
    let desk = Desk::with("good.py", &two_steps());
    desk.write("latin.py", b"name = '\xe9'\n");
    let ended = desk.run(["check", "missing.py", "latin.py", "good.py"]).expect(1);
    assert!(ended.out.contains("good.py") && ended.out.contains("no problems"), "{}", ended.out);
    ended.says(&["there is no file missing.py", "latin.py is not UTF-8 text", "line 1"]);
}

#[test]
fn doctor_finds_a_good_machine_and_a_missing_key() {
    let desk = finished();
    let ended = desk.run(["doctor", "--json"]).expect(0);
    let findings = ended.json();
    let health = |what: &str| {
        let all = findings.as_array().unwrap();
        all.iter().find(|finding| finding["what"] == what).unwrap()["health"].clone()
    };
    assert_eq!(health("interpreter").as_str().map(|h| h != "bad"), Some(true));
    assert_eq!(health("data"), "good");
    assert_eq!(health("models"), "warning");
    let ended = desk.run_with(["doctor"], &[("OPENAI_API_KEY", "sk-secret-1")]).expect(0);
    assert!(ended.out.contains("openai") && !ended.out.contains("sk-secret-1"), "{}", ended.out);
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    let desk = Desk::new();
    for (shell, part) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let script = desk.run(["completions", shell]).expect(0).out;
        assert!(script.contains(part) && script.contains("history"), "{shell}");
        assert!(!script.contains("__scenario"), "{shell}: hidden commands stay hidden");
    }
    desk.run(["completions", "tcsh"]).expect(2);
}

#[test]
fn help_lists_the_commands_and_a_typo_is_put_right() {
    let desk = Desk::new();
    let help = desk.run(["--help"]).expect(0).out;
    for command in ["run", "graph", "check", "history", "doctor", "demo", "completions"] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
    }
    assert!(!help.contains("__"), "{help}");
    desk.run(["histroy"]).expect(2).says(&["unrecognized subcommand", "'history'"]);
    desk.run(["run"]).expect(2);
    desk.run(Vec::<&str>::new()).expect(2).says(&["Commands:", "First steps:"]);
    for command in ["run", "graph", "check", "history", "completions"] {
        let help = desk.run([command, "--help"]).expect(0).out;
        assert!(help.contains("Examples:\n  "), "{command}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}: {help}");
    }
}
