//! Some libraries must not come in, not even through others.

use super::Problem;
use crate::tree::Tree;

/// The same list as in `deny.toml`, which needs a tool that not every machine has.
const BANNED: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys"];

/// Reads the lock file.
pub fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.files().iter().filter(|file| file.path == "Cargo.lock") {
        for (line, text) in file.lines() {
            let name = text.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
            if let Some(name) = name.filter(|name| BANNED.contains(name)) {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    format!("{name} came in: TLS is rustls with ring, without other C libraries."),
                    format!(
                        "see who brings it with `cargo tree --invert {name}` and choose \
                         that crate's features (`default-features = false`)."
                    ),
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
    fn a_banned_crate_is_found_and_a_name_like_it_is_not() {
        let lock = "[[package]]\nname = \"openssl-probe\"\n\n[[package]]\nname = \"openssl-sys\"\n";
        assert_eq!(places(check, [("Cargo.lock", lock)]), ["Cargo.lock:5"]);
    }
}
