//! The rules, one module each, and the problems they find.

use std::fmt;

use crate::tree::Tree;

mod banned_crates;
mod crate_docs;
mod doc_examples;
mod edges;
mod error_pages;
mod file_size;
mod ignored_tests;
mod links;
mod local_names;
mod purity;
mod sql;

/// Everything wrong with a tree, in order of file and line.
pub fn problems(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    edges::check(tree, &mut problems);
    banned_crates::check(tree, &mut problems);
    purity::check(tree, &mut problems);
    crate_docs::check(tree, &mut problems);
    doc_examples::check(tree, &mut problems);
    sql::check(tree, &mut problems);
    error_pages::check(tree, &mut problems);
    ignored_tests::check(tree, &mut problems);
    links::check(tree, &mut problems);
    file_size::check(tree, &mut problems);
    local_names::check(tree, &mut problems);
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    problems
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, relative to the root.
    pub path: String,
    /// Line from 1.
    pub line: usize,
    /// What is wrong, as one sentence.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    /// A problem at a line of a file.
    pub fn new(
        path: &str,
        line: usize,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Problem {
        Problem { path: path.into(), line, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    mend: {}", self.path, self.line, self.what, self.mend)
    }
}

/// Runs one rule over a fixture tree and gives `path:line` of each problem.
#[cfg(test)]
fn places(
    rule: fn(&Tree, &mut Vec<Problem>),
    files: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Vec<String> {
    let mut problems = Vec::new();
    rule(&Tree::new(files), &mut problems);
    problems.iter().map(|problem| format!("{}:{}", problem.path, problem.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_checkout_can_be_read() {
        let tree = Tree::of_checkout().unwrap();
        assert!(tree.contains("xtask/src/main.rs"));
        assert!(tree.library_sources().any(|(name, _)| name == "weaver-core"));
    }

    #[test]
    fn a_problem_names_place_reason_and_mend() {
        let problem = Problem::new("a/b.rs", 3, "x is y.", "make it z.");
        assert_eq!(problem.to_string(), "a/b.rs:3: x is y.\n    mend: make it z.");
    }
}
