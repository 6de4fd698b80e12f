//! Every error code has a page in `docs/errors/`, and every page a code.
//!
//! A code is found where the tree makes one: the second argument of
//! `Failure::new` and its siblings, what a function named `code` returns or a `let code = match`
//! gives, the members of a list `const CODES`, and the value of a field or constant
//! that is named as one: `code: "unknown_node"`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Problem;
use crate::rust_source::RustSource;
use crate::tree::Tree;

const FOLDER: &str = "docs/errors/";

/// Compares the codes of the sources with the pages.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let codes = codes(tree);
    for (code, (path, line)) in &codes {
        if !tree.contains(&format!("{FOLDER}{code}.md")) {
            problems.push(Problem::new(
                path,
                *line,
                format!("the error code `{code}` has no page."),
                format!("write {FOLDER}{code}.md: what it means, why it happens, how to mend it."),
            ));
        }
    }
    for file in tree.files() {
        let page = file.path.strip_prefix(FOLDER).and_then(|name| name.strip_suffix(".md"));
        if let Some(code) = page.filter(|name| *name != "README" && !codes.contains_key(*name)) {
            problems.push(Problem::new(
                &file.path,
                1,
                format!("no source gives the error code `{code}`."),
                "remove the page, or rename it to the code it is about.",
            ));
        }
    }
}

/// Each code with the first place that makes it.
fn codes(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut codes = BTreeMap::new();
    for (_, file) in tree.library_sources() {
        let source = RustSource::without_tests(&file.text);
        let regions = code_regions(&source.code);
        for string in &source.strings {
            let in_region = regions.iter().any(|region| region.contains(&string.start));
            let is_code = in_region || is_code_place(&source.code[..string.start]);
            if is_code && is_code_word(&string.text) {
                codes
                    .entry(string.text.clone())
                    .or_insert_with(|| (file.path.clone(), source.line(string.start)));
            }
        }
    }
    codes
}

fn is_code_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Where every literal is a code: what opens such a place, and its brackets.
const REGIONS: [(&str, char, char); 3] =
    [("fn code(&self", '{', '}'), ("let code = match ", '{', '}'), ("const CODES:", '[', ']')];

fn code_regions(code: &str) -> Vec<Range<usize>> {
    let mut regions = Vec::new();
    for (head, open, close) in REGIONS {
        for (at, _) in code.match_indices(head) {
            // The type of a constant has brackets too.
            let at = if open == '[' { at + code[at..].find('=').unwrap_or(0) } else { at };
            let Some(start) = code[at..].find(open).map(|offset| at + offset) else { continue };
            let mut depth = 0;
            let len = code[start..].find(|c: char| {
                depth += i32::from(c == open) - i32::from(c == close);
                depth == 0
            });
            regions.extend(len.map(|len| start..start + len));
        }
    }
    regions
}

/// Whose second argument is a code.
const TAKE_CODES: [&str; 4] = ["Failure::new", "Refusal::new", "notice", "self.problem"];

/// Whether a literal after this text is an error code.
fn is_code_place(before: &str) -> bool {
    let before = before.trim_end();
    if before.ends_with("code:") || before.ends_with("code =") {
        return true;
    }
    let constant = before.strip_suffix("&str =").map(str::trim_end);
    if constant.is_some_and(|before| before.ends_with("CODE:")) {
        return true;
    }
    let second_argument = before.strip_suffix(',').and_then(|before| before.rsplit_once('('));
    second_argument.is_some_and(|(callee, first)| {
        TAKE_CODES.iter().any(|name| callee.ends_with(name)) && !first.contains([',', ';', '{'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const SOURCE: &str = "crates/weaver-studio/src/a.rs";

    #[test]
    fn a_code_without_a_page_and_a_page_without_a_code_are_found() {
        let text = "fn f() {\n    let a = Diagnostic { code: \"dead_end\".into(), x: \"not_one\" };\n\
                    Failure::new(\n        FailureKind::Limit,\n        \"too_deep\",\n        \"no_code\",\n    );\n}\n";
        let files = [(SOURCE, text), ("docs/errors/old_one.md", ""), ("docs/errors/README.md", "")];
        assert_eq!(
            places(check, files),
            [format!("{SOURCE}:2"), format!("{SOURCE}:5"), "docs/errors/old_one.md:1".into()]
        );
    }

    #[test]
    fn lists_and_functions_of_codes_are_read_to_their_end() {
        let function = "fn code(&self) -> &'static str {\n    match self {\n        \
                        Error::Full { .. } => \"store_full\",\n    }\n}\nfn help() { \"help\" }\n";
        assert_eq!(places(check, [(SOURCE, function)]), [format!("{SOURCE}:3")]);
        let binding = "fn f() {\n    let code = match x {\n        X => \"busy\",\n    };\n    g(\"word\");\n}\n";
        assert_eq!(places(check, [(SOURCE, binding)]), [format!("{SOURCE}:3")]);
        let list =
            "const CODES: &[&str] = &[\n    \"dead_end\",\n];\nconst WORDS: &[&str] = &[\"a\"];\n";
        assert_eq!(places(check, [(SOURCE, list)]), [format!("{SOURCE}:2")]);
    }

    #[test]
    fn a_page_is_enough_and_tests_need_none() {
        let text = "const DEAD_END_CODE: &str = \"dead_end\";\n#[cfg(test)]\nmod tests { fn f() { g(code: \"in_test\") } }";
        assert_eq!(places(check, [(SOURCE, text), ("docs/errors/dead_end.md", "x")]), [""; 0]);
        assert_eq!(places(check, [(SOURCE, text)]), [format!("{SOURCE}:1")]);
    }
}
