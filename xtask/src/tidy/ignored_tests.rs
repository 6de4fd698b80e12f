//! No test is ignored: a known wrong result is asserted, with a note.

use super::Problem;
use crate::rust_source::RustSource;
use crate::tree::Tree;

/// Looks for the attribute in every Rust file.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files().iter().filter(|file| file.path.ends_with(".rs")) {
        for (line, code) in RustSource::new(&file.text).lines() {
            if code.contains("#[ignore") {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    "a test is ignored.",
                    "assert what happens today and say what is wrong with it, or remove the test.",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn an_ignored_test_is_found() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n// #[ignore]\n";
        assert_eq!(places(check, [("crates/a/tests/b.rs", text)]), ["crates/a/tests/b.rs:2"]);
    }
}
