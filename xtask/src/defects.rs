//! Planted defects: small changes that break a promise, kept as data in
//! `tests/defects`, and the test that must fail with each.
//!
//! `cargo xtask defects --check` sees that each still finds its place in the
//! sources. `cargo xtask defects [NAME...]` plants them one after the other in a copy
//! of the tracked files and runs their tests; a defect that no test notices escapes,
//! and that is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::tree::Tree;

/// Where they are kept.
const FOLDER: &str = "tests/defects/";

/// One planted defect.
#[derive(Debug, PartialEq, Eq)]
struct Defect {
    name: String,
    /// The promise that it breaks.
    why: String,
    /// The file it is planted in.
    file: String,
    /// Arguments of `cargo test`, separated by blanks.
    test: String,
    was: String,
    is: String,
}

/// Plants the named defects, or all, and gives whether each was caught.
pub fn run(names: &[&str]) -> Result<bool, String> {
    let tree = Tree::of_checkout()?;
    let mut defects = read(&tree)?;
    for name in names {
        if !defects.iter().any(|defect| defect.name == *name) {
            return Err(format!("there is no defect `{name}`"));
        }
    }
    defects.retain(|defect| names.is_empty() || names.contains(&&*defect.name));
    let field = Field::lay_out(&tree)?;
    let mut escaped = Vec::new();
    for defect in &defects {
        let began = Instant::now();
        let caught = field.try_out(defect)?;
        let word = if caught { "caught" } else { "ESCAPED" };
        println!("{word:<8} {:<32} {:>4} s", defect.name, began.elapsed().as_secs());
        if !caught {
            escaped.push(defect);
        }
    }
    for Defect { name, why, test, .. } in &escaped {
        eprintln!("{FOLDER}{name}.defect: {why}\n    mend: `cargo test {test}` passes with it");
    }
    println!("count: {} planted defects caught", defects.len() - escaped.len());
    println!("{} defects, {} caught", defects.len(), defects.len() - escaped.len());
    Ok(escaped.is_empty())
}

/// Whether every defect still has its place; gives how many there are.
pub fn check() -> Result<usize, String> {
    Ok(read(&Tree::of_checkout()?)?.len())
}

fn read(tree: &Tree) -> Result<Vec<Defect>, String> {
    let files = tree.files().iter().filter(|file| file.path.starts_with(FOLDER));
    let mut defects = Vec::new();
    for file in files.filter(|file| file.path.ends_with(".defect")) {
        let defect = parse(&file.path, &file.text)
            .ok_or_else(|| format!("{}: it lacks a part; see its neighbours", file.path))?;
        let places = match tree.files().iter().find(|file| file.path == defect.file) {
            Some(target) => target.text.matches(&defect.was).count(),
            None => 0,
        };
        if places != 1 {
            let Defect { file: target, .. } = &defect;
            return Err(format!(
                "{}: its text is found {places} times in {target}, and must be once\n    \
                 mend: write under `--- was` what stands there now",
                file.path
            ));
        }
        defects.push(defect);
    }
    Ok(defects)
}

/// `why:`, `file:` and `test:` lines, then the text before and after.
fn parse(path: &str, text: &str) -> Option<Defect> {
    let (head, change) = text.split_once("--- was\n")?;
    let (was, is) = change.split_once("--- is\n")?;
    let line = |key: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.to_string()))
    };
    Some(Defect {
        name: path.strip_prefix(FOLDER)?.strip_suffix(".defect")?.to_string(),
        why: line("why")?,
        file: line("file")?,
        test: line("test")?,
        was: was.strip_suffix('\n')?.to_string(),
        is: is.strip_suffix('\n').unwrap_or(is).to_string(),
    })
}

/// A copy of the sources with a build directory of its own.
struct Field {
    sources: PathBuf,
    build: PathBuf,
}

impl Field {
    /// Copies what has changed since the last time, so that little is built again.
    fn lay_out(tree: &Tree) -> Result<Field, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the root");
        let place = root.join("target/defects");
        let field = Field { sources: place.join("sources"), build: place.join("build") };
        for file in tree.files() {
            field.put(&file.path, &file.text)?;
        }
        Ok(field)
    }

    fn put(&self, path: &str, text: &str) -> Result<(), String> {
        let path = self.sources.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let folder = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// Plants a defect, runs its test, and mends the copy again.
    fn try_out(&self, defect: &Defect) -> Result<bool, String> {
        let path = self.sources.join(&defect.file);
        let sound = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        self.put(&defect.file, &sound.replacen(&defect.was, &defect.is, 1))?;
        let caught = self.test(defect);
        self.put(&defect.file, &sound)?;
        caught
    }

    fn test(&self, defect: &Defect) -> Result<bool, String> {
        let built = self.cargo(defect, &["--no-run"])?;
        if !built {
            return Err(format!("{}{}.defect does not compile", FOLDER, defect.name));
        }
        Ok(!self.cargo(defect, &[])?)
    }

    fn cargo(&self, defect: &Defect, more: &[&str]) -> Result<bool, String> {
        let status = Command::new(env!("CARGO"))
            .args(["test", "--quiet", "--ignore-rust-version", "--locked"])
            .args(defect.test.split(' '))
            .args(more)
            .current_dir(&self.sources)
            .env("CARGO_TARGET_DIR", &self.build)
            // Each defect changes one file of one crate.
            .env("CARGO_INCREMENTAL", "1")
            // Those that schedules find are found by few of them.
            .env("SIM_SEEDS", "600")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        Ok(status.map_err(|error| format!("cargo cannot be started: {error}"))?.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_is_read_and_has_its_place() {
        let text = "why: It breaks.\nfile: a.rs\ntest: -p a\n--- was\nx + 1\n--- is\nx\n";
        let tree = |source: &str| Tree::new([("tests/defects/d.defect", text), ("a.rs", source)]);
        let found = read(&tree("y = x + 1;")).unwrap();
        assert_eq!((&*found[0].was, &*found[0].is), ("x + 1", "x"));
        assert!(read(&tree("y = x;")).unwrap_err().contains("0 times"));
        assert!(read(&tree("x + 1, x + 1")).unwrap_err().contains("2 times"));
    }

    #[test]
    fn each_kept_defect_has_its_place() {
        assert!(check().unwrap() >= 20);
    }
}
