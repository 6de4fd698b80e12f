//! The graph files of the differential suite: an error is found exactly where the
//! recording says that LangGraph itself refuses to build, and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use weaver_core::Severity;
use weaver_studio::parse;

#[test]
fn errors_are_found_exactly_where_langgraph_refuses_to_build() {
    let mut wrong = Vec::new();
    let recordings = recordings();
    assert!(recordings.len() >= 60, "only {} recordings", recordings.len());
    for recording in &recordings {
        let name = recording.file_name().expect("a file has a name").to_string_lossy();
        let refused = json(recording).get("build_error").is_some();
        let source = read(&graph_file(recording));
        let problems = parse("graph.py", &source).spec.problems;
        let errors: Vec<String> = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| format!("{}: {} {}", problem.span.line, problem.code, problem.message))
            .collect();
        if refused == errors.is_empty() {
            wrong.push(format!("{name}: LangGraph refuses: {refused}; we say {errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file that a recording is of; scenarios may share one.
fn graph_file(recording: &Path) -> PathBuf {
    let scenario = recording.with_extension("").with_extension("json");
    match json(&scenario)["file"].as_str() {
        Some(file) => recording.with_file_name(file),
        None => scenario.with_extension("py"),
    }
}

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/differential/graphs");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the suite is part of the repository")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.to_string_lossy().ends_with(".expected.json"))
        .collect();
    found.sort();
    found
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&read(path)).expect("the suite's files are JSON")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
