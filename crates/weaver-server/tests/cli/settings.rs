//! `agentweaver.toml`, variables, flags.

use crate::desk::{Desk, one_node, two_steps};

const INPUT: &str = r#"{"question":"hi"}"#;

#[test]
fn an_unknown_setting_is_refused_with_its_line() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.write("agentweaver.toml", "data = \"log\"\nmodell = \"scripted\"\n");
    let ended = desk.run(["run", "flow.py", "--input", INPUT]).expect(2);
    ended.says(&["agentweaver.toml", "2 | modell", "unknown field `modell`"]);
    desk.write("agentweaver.toml", "data = 7\n");
    desk.run(["doctor"]).expect(2).says(&["agentweaver.toml", "1 | data = 7"]);
    let ended = desk.run(["doctor", "--config", "none.toml"]).expect(2);
    ended.says(&["cannot read none.toml"]);
}

#[test]
fn variables_win_over_the_file_and_flags_over_variables() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.write("agentweaver.toml", "data = \"from-file\"\n");
    let run = ["run", "flow.py", "--input", INPUT];
    desk.run(run).expect(0);
    assert!(desk.path("from-file").is_dir());
    let variable = [("AGENTWEAVER_DATA", "from-variable")];
    desk.run_with(run, &variable).expect(0);
    assert!(desk.path("from-variable").is_dir());
    let flag = ["run", "flow.py", "--input", INPUT, "--data", "from-flag"];
    desk.run_with(flag, &variable).expect(0);
    assert!(desk.path("from-flag").is_dir());
}

#[test]
fn the_model_comes_from_file_variable_or_flag() {
    let body = "def work(state: State):\n    return {\"question\": llm(\"openai/gpt-4o\", state[\"question\"]).text}\n";
    let desk = Desk::with("flow.py", &one_node("question: str", body, "work"));
    for name in ["file", "variable", "flag"] {
        desk.write(&format!("{name}.yaml"), format!("rules:\n  - say: by the {name}\n"));
    }
    desk.write("agentweaver.toml", "model = \"scripted:file.yaml\"\n");
    let run = ["run", "flow.py", "--input", INPUT];
    assert_eq!(desk.run(run).expect(0).json()["question"], "by the file");
    let variable = [("AGENTWEAVER_MODEL", "scripted:variable.yaml")];
    assert_eq!(desk.run_with(run, &variable).expect(0).json()["question"], "by the variable");
    let flag = ["run", "flow.py", "--input", INPUT, "--model", "scripted:flag.yaml"];
    let ended = desk.run_with(flag, &variable).expect(0);
    assert_eq!(ended.json()["question"], "by the flag");
    ended.says(&["no real model: answers from flag.yaml"]);
}

#[test]
fn the_settings_of_the_reference_are_taken_and_a_fallback_answers() {
    let body = "def work(state: State):\n    return {\"question\": llm(\"house/m\", state[\"question\"]).text}\n";
    let desk = Desk::with("flow.py", &one_node("question: str", body, "work"));
    let page = include_str!("../../../../docs/reference/models.md");
    let shown = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("the reference shows a settings file");
    desk.write("agentweaver.toml", shown);
    desk.run(["doctor"]).expect(0);
    // Nobody listens there.
    let settings = shown
        .replace("127.0.0.1:8000", "127.0.0.1:9")
        .replace("[fallbacks]", "[fallbacks]\n\"house/m\" = [\"scripted:there.yaml\"]");
    desk.write("agentweaver.toml", settings);
    desk.write("there.yaml", "rules:\n  - say: by the fallback\n");
    let ended = desk.run(["run", "flow.py", "--input", INPUT]).expect(0);
    assert_eq!(ended.json()["question"], "by the fallback");
}

#[test]
fn an_unknown_model_is_refused_before_anything_runs() {
    let desk = Desk::with("flow.py", &two_steps());
    let ended = desk.run(["run", "flow.py", "--input", INPUT, "--model", "nonsense"]).expect(2);
    ended.says(&["nonsense"]);
    let ended =
        desk.run(["run", "flow.py", "--input", INPUT, "--model", "scripted:none.yaml"]).expect(2);
    ended.says(&["none.yaml"]);
    assert_eq!(desk.threads().len(), 0);
}

#[test]
fn nodes_see_only_the_environment_that_is_given_to_them() {
    let body = "import os\n\n\ndef work(state: State):\n    return {\"question\": f\"{os.getenv('SHOWN')} {os.getenv('HIDDEN')}\"}\n";
    let desk = Desk::with("flow.py", &one_node("question: str", body, "work"));
    desk.write("agentweaver.toml", "[environment]\nSHOWN = \"yes\"\n");
    let run = ["run", "flow.py", "--input", INPUT];
    let ended = desk.run_with(run, &[("HIDDEN", "secret")]).expect(0);
    assert_eq!(ended.json()["question"], "yes None");
}
