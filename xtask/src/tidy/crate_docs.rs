//! Each crate opens with its purpose, its entry type and its invariants.

use super::Problem;
use crate::tree::Tree;

/// A purpose, a way in and an invariant do not fit in less.
const LINES_MIN: usize = 3;

/// Reads the head of every `lib.rs`.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for (name, file) in tree.library_sources().filter(|(_, f)| f.path.ends_with("/src/lib.rs")) {
        let lines = file.text.lines().take_while(|line| line.starts_with("//!")).count();
        if lines < LINES_MIN {
            problems.push(Problem::new(
                &file.path,
                1,
                format!("{name} does not say what it is."),
                "open with `//!`: purpose, entry type, and one or two invariants, \
                 such as what the crate never knows.",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_bare_library_is_found_and_a_told_one_is_not() {
        let bare = ("crates/a/src/lib.rs", "//! A.\nmod b;\n");
        let told = ("crates/b/src/lib.rs", "//! B.\n//!\n//! It never knows A.\n");
        assert_eq!(places(check, [bare, told]), ["crates/a/src/lib.rs:1"]);
    }
}
