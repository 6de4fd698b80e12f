//! The tracked text files of a checkout, in memory.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Text files by path relative to the root, in order of path.
pub struct Tree {
    files: Vec<File>,
}

/// One text file.
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Tree {
    /// All files of the checkout that this program was built from which git
    /// tracks or would track. Binary files and symbolic links are left out.
    pub fn of_checkout() -> Result<Tree, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the root");
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git cannot be started: {error}"))?;
        if !listing.status.success() {
            return Err(format!("git: {}", String::from_utf8_lossy(&listing.stderr).trim()));
        }
        let listing = String::from_utf8_lossy(&listing.stdout);
        Ok(Tree::new(listing.split_terminator('\0').filter_map(|path| {
            let full: PathBuf = root.join(path);
            // A file that is deleted but not yet committed is still listed.
            let is_file = full.symlink_metadata().is_ok_and(|meta| meta.is_file());
            let text = is_file.then(|| std::fs::read_to_string(full).ok())??;
            Some((path.to_owned(), text))
        })))
    }

    /// A tree of the given paths and texts.
    pub fn new<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Tree {
        let mut files: Vec<File> = files
            .into_iter()
            .map(|(path, text)| File { path: path.into(), text: text.into() })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { files }
    }

    /// Every file.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether a path is there.
    pub fn contains(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok()
    }

    /// Whether files lie under a folder.
    pub fn contains_folder(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let first = self.files.partition_point(|file| file.path < prefix);
        self.files.get(first).is_some_and(|file| file.path.starts_with(&prefix))
    }

    /// The Rust files of `crates/*/src`, with the crate's name; a test module
    /// with a file of its own is left out.
    pub fn library_sources(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().filter_map(|file| {
            let (name, inside) = file.path.strip_prefix("crates/")?.split_once('/')?;
            let is_test = inside.ends_with("/tests.rs") || inside.contains("/tests/");
            (inside.starts_with("src/") && inside.ends_with(".rs") && !is_test)
                .then_some((name, file))
        })
    }
}

impl File {
    /// Lines with their number from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}
