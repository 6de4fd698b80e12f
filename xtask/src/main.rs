//! Checks of the workspace that no compiler makes: `cargo xtask tidy`, and whether
//! its tests notice what they must: `cargo xtask defects`.
//!
//! The entry is [`tidy::problems`], which takes a [`tree::Tree`] and answers
//! with every broken rule at its file and line; and [`defects::run`].
//!
//! Invariants:
//! - What is read are the tracked files and nothing else. Only `defects` builds, in a
//!   copy of them.
//! - Each problem says what is wrong and how to mend it.

use std::process::ExitCode;

mod defects;
mod rust_source;
mod tidy;
mod tree;

use tree::Tree;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => run_tidy(),
        ["defects", "--check"] => answer(defects::check().map(|count| {
            println!("defects: {count}, each has its place");
            true
        })),
        ["defects", ref names @ ..] => answer(defects::run(names)),
        _ => {
            eprintln!("usage: cargo xtask tidy | defects [--check | NAME...]");
            ExitCode::from(2)
        }
    }
}

fn answer(well: Result<bool, String>) -> ExitCode {
    match well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run_tidy() -> ExitCode {
    let tree = match Tree::of_checkout() {
        Ok(tree) => tree,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let problems = tidy::problems(&tree);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy: {} files, no problems", tree.files().len());
        ExitCode::SUCCESS
    } else {
        eprintln!("tidy: {} problems", problems.len());
        ExitCode::FAILURE
    }
}
