//! A link of a document to another file leads somewhere.

use super::Problem;
use crate::tree::{File, Tree};

/// Follows the relative links of every Markdown file.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files().iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(file) {
            let path = resolve(&file.path, target);
            if !path.is_some_and(|path| tree.contains(&path) || tree.contains_folder(&path)) {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    format!("the link to `{target}` leads nowhere."),
                    "correct the path, which is relative to this file, or remove the link.",
                ));
            }
        }
    }
}

/// Targets of `[text](target)` outside of code blocks, without addresses and anchors.
fn links(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (line, text) in file.lines() {
        in_code ^= text.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', ' ']).next().unwrap_or("");
            let target = target.split('#').next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((line, target));
            }
        }
    }
    found
}

/// The path from the root; nothing when it leads out of the checkout.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn links_to_files_and_folders_are_followed() {
        let page = "[a](../a.md#top) [b](b/) [site](https://example.com/x) [here](#here)\n\
                    [gone](gone.md)\n```\n[code](gone.md)\n```\n[out](../../x)\n";
        let files = [("a.md", ""), ("docs/page.md", page), ("docs/b/c.md", "")];
        assert_eq!(places(check, files), ["docs/page.md:2", "docs/page.md:6"]);
    }
}
