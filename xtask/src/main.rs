//! Checks of the workspace that no compiler makes: `cargo xtask tidy`.
//!
//! The entry is [`tidy::problems`], which takes a [`tree::Tree`] and answers
//! with every broken rule at its file and line.
//!
//! Invariants:
//! - It reads the tracked files and nothing else: no build, no network, no
//!   dependencies, so that it answers in well under a second.
//! - Each problem says what is wrong and how to mend it.

use std::process::ExitCode;

mod rust_source;
mod tidy;
mod tree;

use tree::Tree;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => run_tidy(),
        _ => {
            eprintln!("usage: cargo xtask tidy");
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
