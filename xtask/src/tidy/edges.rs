//! A crate depends only on lower ranks, and some libraries belong to few crates.

use super::Problem;
use crate::tree::{File, Tree};

/// Where a crate stands.
struct Rank {
    name: &'static str,
    rank: u8,
    /// The only crates of ours it may see, where that is less than all lower ranks.
    only: Option<&'static [&'static str]>,
}

const RANKS: &[Rank] = &[
    any_lower("weaver-core", 0),
    any_lower("weaver-engine", 1),
    any_lower("weaver-studio", 1),
    any_lower("weaver-store", 1),
    any_lower("weaver-llm", 1),
    any_lower("weaver-tools", 1),
    any_lower("weaver-api", 1),
    any_lower("weaver-interpreter", 1),
    only("weaver-runtime", 2, &["weaver-core", "weaver-engine", "weaver-store"]),
    only("weaver-memory", 2, &["weaver-core", "weaver-store", "weaver-llm"]),
    only("weaver-worker", 2, &["weaver-core", "weaver-api"]),
    any_lower("weaver-agent", 3),
    any_lower("weaver-server", 4),
    any_lower("weaver-python", 4),
];

const fn any_lower(name: &'static str, rank: u8) -> Rank {
    Rank { name, rank, only: None }
}

const fn only(name: &'static str, rank: u8, names: &'static [&'static str]) -> Rank {
    Rank { name, rank, only: Some(names) }
}

/// A library that only some crates may use: prefix of its name, the crates, the reason.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["weaver-store", "weaver-tools"], "all SQL of ours is in weaver-store"),
    ("sqlx", &["weaver-store", "weaver-tools"], "all SQL of ours is in weaver-store"),
    (
        "monty",
        &["weaver-interpreter", "weaver-server"],
        "user code runs in the interpreter's sandboxed process only",
    ),
    ("clap", &["weaver-server"], "only the binary reads configuration"),
];

/// Reads the dependency sections of every manifest of a crate.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files() {
        let manifest = file.path.strip_prefix("crates/").and_then(|p| p.split_once('/'));
        if let Some((name, "Cargo.toml")) = manifest {
            check_manifest(file, name, problems);
        }
    }
}

fn check_manifest(file: &File, name: &str, problems: &mut Vec<Problem>) {
    let Some(own) = RANKS.iter().find(|rank| rank.name == name) else {
        problems.push(Problem::new(
            &file.path,
            1,
            format!("the crate {name} has no rank."),
            "give it one in xtask/src/tidy/edges.rs and say why in docs/decisions/, \
             or make it a module of a crate that has one.",
        ));
        return;
    };
    for dependency in dependencies(file) {
        let refusal = match RANKS.iter().find(|rank| rank.name == dependency.name) {
            Some(other) => ours_refused(own, other),
            None => theirs_refused(own, &dependency),
        };
        if let Some((what, mend)) = refusal {
            problems.push(Problem::new(&file.path, dependency.line, what, mend));
        }
    }
}

fn ours_refused(own: &Rank, other: &Rank) -> Option<(String, String)> {
    let (name, target) = (own.name, other.name);
    let way = match other.rank {
        rank if rank > own.rank => "upward",
        rank if rank == own.rank => "sideways",
        _ if own.only.is_some_and(|names| !names.contains(&target)) => "not one it may have",
        _ => return None,
    };
    Some((
        format!(
            "{name} (rank {}) depends on {target} (rank {}), which is {way}.",
            own.rank, other.rank
        ),
        "move what is needed down to a crate that both may see, or pass it in from above.".into(),
    ))
}

fn theirs_refused(own: &Rank, dependency: &Dependency) -> Option<(String, String)> {
    let (_, users, reason) = RESERVED.iter().find(|(library, users, _)| {
        let suffix = dependency.name.strip_prefix(library);
        suffix.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
            && !users.contains(&own.name)
            && !dependency.dev
    })?;
    Some((
        format!("{} depends on {}: {reason}.", own.name, dependency.name),
        format!("use it through {}.", users[0]),
    ))
}

struct Dependency {
    name: String,
    line: usize,
    dev: bool,
}

/// Dependencies as our manifests write them: one a line, or a table of their own.
/// A renamed one counts under the name of its package.
fn dependencies(file: &File) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section = String::new();
    for (line, text) in file.lines() {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            section = header.trim_end_matches(']').replace(['"', '\''], "");
            if let Some((parent, name)) = section.rsplit_once("dependencies.") {
                let dev = parent.ends_with("dev-");
                found.push(Dependency { name: name.into(), line, dev });
            }
            continue;
        }
        let dev = section.contains("dev-dependencies");
        if let Some(package) = renamed_package(text).filter(|_| section.contains("dependencies")) {
            found.push(Dependency { name: package.into(), line, dev });
        } else if section.ends_with("dependencies") && !text.starts_with('#') {
            let key = text.split(['=', '.']).next().unwrap_or("").trim().trim_matches('"');
            if !key.is_empty() {
                found.push(Dependency { name: key.into(), line, dev });
            }
        }
    }
    found
}

fn renamed_package(text: &str) -> Option<&str> {
    let (before, after) = text.split_once("package")?;
    if !(before.is_empty() || before.ends_with(['{', ' ', ','])) {
        return None;
    }
    after.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn manifest(path: &'static str, text: &'static str) -> Vec<String> {
        places(check, [(path, text)])
    }

    #[test]
    fn a_lower_rank_is_fine() {
        let text = "[dependencies]\nweaver-core.workspace = true\nweaver-store = { workspace = true }\n\
                    serde = \"1\"\n[dev-dependencies]\ntempfile.workspace = true\n";
        assert_eq!(manifest("crates/weaver-runtime/Cargo.toml", text), [""; 0]);
    }

    #[test]
    fn upward_and_sideways_edges_are_found_in_every_way_to_write_them() {
        let text = "[dependencies]\nweaver-runtime.workspace = true\n\
                    [target.'cfg(unix)'.dependencies]\nweaver-engine = { path = \"../weaver-engine\" }\n\
                    [dev-dependencies]\nweaver-llm.workspace = true\n\
                    [dependencies.weaver-agent]\nworkspace = true\n\
                    [build-dependencies]\nalias = { package = \"weaver-tools\", path = \"..\" }\n";
        let found = manifest("crates/weaver-store/Cargo.toml", text);
        let lines = [2, 4, 6, 7, 10].map(|line| format!("crates/weaver-store/Cargo.toml:{line}"));
        assert_eq!(found, lines);
    }

    #[test]
    fn a_worker_never_sees_the_store() {
        let text = "[dependencies]\nweaver-store.workspace = true\n";
        assert_eq!(manifest("crates/weaver-worker/Cargo.toml", text).len(), 1);
    }

    #[test]
    fn a_crate_without_a_rank_is_refused() {
        assert_eq!(manifest("crates/weaver-new/Cargo.toml", "").len(), 1);
    }

    #[test]
    fn reserved_libraries_stay_where_they_belong() {
        let text = "[dependencies]\nrusqlite.workspace = true\nmonty-types.workspace = true\n\
                    montyish = \"1\"\n[dev-dependencies]\nrusqlite.workspace = true\n";
        let found = manifest("crates/weaver-llm/Cargo.toml", text);
        assert_eq!(found, ["crates/weaver-llm/Cargo.toml:2", "crates/weaver-llm/Cargo.toml:3"]);
    }

    #[test]
    fn the_mend_is_said() {
        let mut problems = Vec::new();
        let text = "[dependencies]\nweaver-runtime.workspace = true\n";
        check(&Tree::new([("crates/weaver-engine/Cargo.toml", text)]), &mut problems);
        assert!(problems[0].what.contains("upward"), "{}", problems[0]);
        assert!(!problems[0].mend.is_empty());
    }
}
