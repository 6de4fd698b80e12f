//! Only `weaver-store` writes SQL.

use super::Problem;
use crate::rust_source::RustSource;
use crate::tree::Tree;

/// `weaver-tools` speaks to the users' own databases, never to ours.
const MAY: [&str; 2] = ["weaver-store", "weaver-tools"];

/// Looks for statements in the string literals of all other crates; a test may
/// make a database for the code under test to find.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for (name, file) in tree.library_sources().filter(|(name, _)| !MAY.contains(name)) {
        let source = RustSource::without_tests(&file.text);
        for string in source.strings.iter().filter(|string| is_statement(&string.text)) {
            problems.push(Problem::new(
                &file.path,
                source.line(string.start),
                format!("{name} writes SQL."),
                "give weaver-store a method that says what is wanted.",
            ));
        }
    }
}

fn is_statement(text: &str) -> bool {
    let words: Vec<String> =
        text.split_whitespace().take(40).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // English sentences start with these words too, hence the second ones.
    match words[..] {
        ["select", ref rest @ ..] => rest.contains(&"from") && rest.contains(&"where"),
        ["insert", "into" | "or", ..] | ["update", _, "set", ..] => true,
        ["delete", "from", _, "where", ..] | ["pragma", _, ..] => true,
        ["create", "table" | "index" | "unique" | "view" | "trigger", ..] => true,
        ["alter" | "drop", "table" | "index", ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn statements_are_found_and_prose_is_not() {
        let text = "fn f() {\n    q(\"SELECT a FROM b WHERE c = ?1\");\n\
                    q(\"insert into b values (1)\");\n    p(\"Select one from the list.\");\n}\n\
                    // insert into b\n";
        let found = places(check, [("crates/weaver-runtime/src/a.rs", text)]);
        assert_eq!(found, ["crates/weaver-runtime/src/a.rs:2", "crates/weaver-runtime/src/a.rs:3"]);
    }

    #[test]
    fn the_store_may() {
        let text = "fn f() { q(\"DELETE FROM b WHERE c = ?1\"); }";
        assert_eq!(places(check, [("crates/weaver-store/src/a.rs", text)]), [""; 0]);
    }
}
