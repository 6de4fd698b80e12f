//! A file stays short enough to be read.

use super::Problem;
use crate::tree::Tree;

const LINES_MAX: usize = 800;
const LANGUAGES: [&str; 7] = [".rs", ".py", ".ts", ".tsx", ".css", ".sh", ".sql"];

/// Counts the lines of every source file.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files() {
        let lines = file.text.lines().count();
        if lines > LINES_MAX && LANGUAGES.iter().any(|ending| file.path.ends_with(ending)) {
            problems.push(Problem::new(
                &file.path,
                LINES_MAX + 1,
                format!("the file has {lines} lines; the most is {LINES_MAX}."),
                "find the seam and move one side of it to a module of its own.",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_have_eight_hundred_lines_and_a_table_more() {
        let (full, over) = ("x\n".repeat(LINES_MAX), "x\n".repeat(LINES_MAX + 1));
        let tree = Tree::new([("a.rs", full), ("b.rs", over.clone()), ("c.json", over)]);
        let mut problems = Vec::new();
        check(&tree, &mut problems);
        assert_eq!(problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["b.rs"]);
    }
}
