//! Every file of `test_data` with the spec, problems and program recorded beside it.
//! `UPDATE_EXPECT=1 cargo t -p weaver-studio --test files` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use weaver_core::Severity;
use weaver_studio::{Analysis, parse, program};

#[test]
fn ok_files_give_the_recorded_spec_without_errors() {
    for path in files("ok") {
        let analysis = check(&path);
        let errors: Vec<String> = messages(&analysis, Severity::Error);
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn err_files_give_the_recorded_problems() {
    for path in files("err") {
        let analysis = check(&path);
        assert!(!analysis.spec.problems.is_empty(), "{} has no problem", path.display());
    }
}

#[test]
fn there_are_enough_files() {
    assert!(files("ok").len() + files("err").len() >= 40);
}

/// Reads a file, compares with what is recorded, and checks what holds for every file.
fn check(path: &Path) -> Analysis {
    let source = fs::read_to_string(path).expect("test data is text");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let analysis = parse(&name, &source);
    let cut = program(&analysis, None);
    assert_eq!(cut.source.len(), source.len(), "{name}: the program is as long as the file");
    for (original, kept) in source.lines().zip(cut.source.lines()) {
        assert_eq!(original.len(), kept.len(), "{name}: lines stay in place: {original}");
    }
    let kept: Vec<&str> =
        cut.source.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let recorded = json!({
        "spec": analysis.spec,
        "program": {
            "source": kept,
            "imports": cut.imports.iter().map(|import| match &import.name {
                Some(name) => format!("from {} import {name} as {}", import.module, import.local),
                None => format!("import {} as {}", import.module, import.local),
            }).collect::<Vec<_>>(),
            "schemas": cut.schemas.iter().map(|schema| &schema.name).collect::<Vec<_>>(),
            "tools": cut.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
            "graphs": cut.graphs,
            "lambdas": cut.lambdas,
        },
    });
    // Hashes change with every letter and say nothing to a reader.
    let text = serde_json::to_string_pretty(&without_hashes(recorded)).expect("plain data");
    let expected = path.with_extension("json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&expected, text + "\n").expect("test data can be written");
    } else {
        let known = fs::read_to_string(&expected)
            .unwrap_or_else(|_| panic!("{name} has no recorded spec; run with UPDATE_EXPECT=1"));
        let changed = known.lines().zip(text.lines()).enumerate().find(|(_, (a, b))| a != b);
        assert!(known.trim_end() == text, "{name} differs from what is recorded: {changed:#?}");
    }
    analysis
}

fn without_hashes(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(functions) = value["spec"]["functions"].as_array_mut() {
        for function in functions {
            let hash = function["code_hash"].take();
            assert_eq!(hash.as_str().map(str::len), Some(64));
        }
    }
    value
}

fn messages(analysis: &Analysis, severity: Severity) -> Vec<String> {
    let problems = analysis.spec.problems.iter().filter(|p| p.severity == severity);
    problems
        .map(|p| format!("{}:{} {} {}", p.span.line, p.span.column, p.code, p.message))
        .collect()
}

fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "py"))
        .collect();
    files.sort();
    files
}
