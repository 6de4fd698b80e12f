//! The pure crates know no clock, file, environment, thread or randomness.

use super::Problem;
use crate::rust_source::{RustSource, has_word};
use crate::tree::Tree;

const PURE: [&str; 2] = ["weaver-engine", "weaver-studio"];

/// Modules of the standard library that reach the world.
const STD_MODULES: [&str; 7] = ["env", "fs", "net", "os", "process", "random", "thread"];

/// Names that reach the world wherever they come from.
const NAMES: [&str; 14] = [
    "Instant",
    "SystemTime",
    "async_std",
    "eprint",
    "eprintln",
    "getrandom",
    "print",
    "println",
    "rand",
    "stderr",
    "stdin",
    "stdout",
    "thread_rng",
    "tokio",
];

/// Reads the sources of the pure crates; their tests may do as they like.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for (name, file) in tree.library_sources().filter(|(name, _)| PURE.contains(name)) {
        let source = RustSource::without_tests(&file.text);
        let mut in_std_group = false;
        for (line, code) in source.lines() {
            in_std_group |= code.contains("std::{");
            if let Some(found) = impure(code, in_std_group) {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    format!("{name} is pure and uses `{found}`."),
                    "take the value as an argument, and let weaver-runtime reach the world.",
                ));
            }
            in_std_group &= !code.contains(';');
        }
    }
}

fn impure(code: &str, in_std_group: bool) -> Option<String> {
    let module = STD_MODULES.iter().find(|module| {
        has_word(code, &format!("std::{module}")) || (in_std_group && has_word(code, module))
    });
    match module {
        Some(module) => Some(format!("std::{module}")),
        None => NAMES.iter().find(|name| has_word(code, name)).map(|name| (*name).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const PATH: &str = "crates/weaver-engine/src/run.rs";

    #[test]
    fn every_way_to_the_world_is_found() {
        for text in [
            "use std::fs;",
            "use std::{collections::BTreeMap, env};",
            "use std::{\n    fmt,\n    thread,\n};",
            "use std::time::{Duration, Instant};",
            "fn f() { println!(\"x\"); }",
            "fn f() { let _ = std::time::SystemTime::now(); }",
            "use tokio::spawn;",
        ] {
            assert_eq!(places(check, [(PATH, text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn durations_words_comments_and_tests_are_fine() {
        let text = "use std::{collections::BTreeMap, time::Duration};\nfn env() { thread(); }\n\
                    // std::fs is for others\nfn f() { g(\"std::fs\") }\n\
                    #[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(places(check, [(PATH, text)]), [""; 0]);
    }

    #[test]
    fn other_crates_may() {
        assert_eq!(places(check, [("crates/weaver-store/src/lib.rs", "use std::fs;")]), [""; 0]);
    }
}
