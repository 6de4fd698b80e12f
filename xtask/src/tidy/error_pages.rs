//! Every error code has a page in `docs/errors/`, and every page a code.
//!
//! A code is found where the tree makes one: the second argument of
//! `Failure::new`, what a function named `code` returns, and the value of a field
//! or constant that is named as one: `code: "unknown_node"`,
//! `const UNKNOWN_NODE_CODE: &str = "unknown_node"`.

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
        let code_functions = code_functions(&source.code);
        for string in &source.strings {
            let is_returned = code_functions.iter().any(|body| body.contains(&string.start));
            let is_code = is_returned || is_code_place(&source.code[..string.start]);
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

/// The bodies of functions named `code`.
fn code_functions(code: &str) -> Vec<Range<usize>> {
    let heads = code.match_indices("fn code(");
    heads
        .filter_map(|(head, _)| {
            let start = head + code[head..].find('{')?;
            let mut depth = 0;
            let len = code[start..].find(|c: char| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            })?;
            Some(start..start + len)
        })
        .collect()
}

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
        callee.ends_with("Failure::new") && !first.contains([',', ';', '{'])
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
    fn what_a_function_named_code_returns_is_a_code() {
        let text = "impl Error {\n    fn code(&self) -> &'static str {\n        match self {\n\
                    Error::Full { .. } => \"store_full\",\n        }\n    }\n\
                    fn help(&self) -> &str { \"help\" }\n}\n";
        assert_eq!(places(check, [(SOURCE, text)]), [format!("{SOURCE}:4")]);
    }

    #[test]
    fn a_page_is_enough_and_tests_need_none() {
        let text = "const DEAD_END_CODE: &str = \"dead_end\";\n#[cfg(test)]\nmod tests { fn f() { g(code: \"in_test\") } }";
        assert_eq!(places(check, [(SOURCE, text), ("docs/errors/dead_end.md", "x")]), [""; 0]);
        assert_eq!(places(check, [(SOURCE, text)]), [format!("{SOURCE}:1")]);
    }
}
