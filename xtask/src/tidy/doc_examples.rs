//! Examples in documentation run: only a crate without any may switch its doctests off,
//! which saves reading the crate anew for them.

use super::Problem;
use crate::tree::Tree;

/// Looks for examples in crates whose manifest says `doctest = false`.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let manifests = tree.files().iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    for manifest in manifests.filter(|file| file.text.contains("doctest = false")) {
        let sources = manifest.path.replace("Cargo.toml", "src/");
        let library = tree.files().iter().filter(|file| file.path.starts_with(&sources));
        for file in library.filter(|file| file.path.ends_with(".rs")) {
            let Some(line) = file.text.lines().position(opens_example) else { continue };
            problems.push(Problem::new(
                &file.path,
                line + 1,
                "an example that never runs.",
                format!("take `doctest = false` out of {}.", manifest.path),
            ));
        }
    }
}

fn opens_example(line: &str) -> bool {
    let text = line.trim_start();
    let text = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"));
    text.is_some_and(|text| text.trim_start().starts_with("```"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn an_example_in_a_crate_without_doctests_is_found() {
        let off = ("crates/a/Cargo.toml", "[lib]\ndoctest = false\n");
        let on = ("crates/b/Cargo.toml", "[package]\n");
        let example = "//! A.\n\n/// ```\n/// one();\n/// ```\nfn one() {}\n";
        let files = [off, on, ("crates/a/src/lib.rs", example), ("crates/b/src/lib.rs", example)];
        assert_eq!(places(check, files), ["crates/a/src/lib.rs:3"]);
    }
}
