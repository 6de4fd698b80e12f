//! [`Folder`]: workflows that are files, which their owner edits elsewhere too.
//!
//! A file is a workflow if its text mentions `langgraph`. Beside `NAME.py` stand
//! `NAME.layout.json`, where its nodes are on the canvas, and `NAME.script.yaml`, what
//! answers for its models. A workflow's id follows from its path, its version from what
//! the three files hold: whoever changed them, and with whatever, it is another one.

use std::io;
use std::path::{Component, Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::broadcast;
use uuid::Uuid;
use weaver_api::workflow::{Layout, Origin, Workflow};
use weaver_core::{Hash, Timestamp};
use weaver_store::WorkflowId;

use crate::wire;

/// A folder that is watched.
pub struct Folder {
    root: PathBuf,
    /// Tells of changes as long as it is there.
    _watcher: RecommendedWatcher,
}

/// What becomes of a write.
pub enum Written {
    /// So it stands now.
    Done(Box<Workflow>),
    /// Somebody has changed it since: so it stands.
    Stale(Box<Workflow>),
}

/// What is written; what is `None` stays.
#[derive(Default)]
pub struct Change {
    /// The text.
    pub source: Option<String>,
    /// The script; `Some(None)` takes it away.
    pub script: Option<Option<String>>,
    /// Where nodes stand.
    pub layout: Option<Layout>,
}

/// Files and folders of one folder that are looked at.
const FILES_MAX: usize = 2000;
const DEPTH_MAX: usize = 5;
/// A larger file is not somebody's workflow.
const FILE_BYTES_MAX: u64 = 2 << 20;
const LAYOUT: &str = "layout.json";
const SCRIPT: &str = "script.yaml";

impl Folder {
    /// Which folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder, whose changes are told by the ids of their workflows.
    pub fn open(root: &Path, changed: broadcast::Sender<WorkflowId>) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", root.display());
        let root = root.canonicalize().map_err(|error| wrong(&error))?;
        if !root.is_dir() {
            return Err(wrong(&"it is no directory"));
        }
        let at = root.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                let Ok(event) = event else { return };
                if event.kind.is_access() {
                    return;
                }
                for path in event.paths.iter().filter_map(|path| of_workflow(&at, path)) {
                    // Nobody may be listening.
                    let _ = changed.send(id_of(&path));
                }
            })
            .map_err(|error| wrong(&error))?;
        watcher.watch(&root, RecursiveMode::Recursive).map_err(|error| wrong(&error))?;
        Ok(Folder { root, _watcher: watcher })
    }

    /// Its workflows by path, with their texts.
    pub fn list(&self) -> Vec<Workflow> {
        let mut paths = Vec::new();
        let mut left = FILES_MAX;
        walk(&self.root, DEPTH_MAX, &mut left, &mut paths);
        paths.sort();
        paths.iter().filter_map(|path| self.read(path).ok()).filter(is_workflow).collect()
    }

    /// The workflow of an id.
    pub fn get(&self, id: WorkflowId) -> Option<Workflow> {
        let path = self.path(id)?;
        self.read(&path).ok()
    }

    /// Makes a file that is not there.
    pub fn create(&self, file: &str, change: &Change) -> io::Result<Workflow> {
        let relative = Path::new(file);
        let is_plain = relative.components().count() == 1
            && relative.components().all(|part| matches!(part, Component::Normal(_)))
            && file.ends_with(".py")
            && !file.starts_with('.');
        if !is_plain {
            let wrong = "a new file stands in the folder itself: a name without `/`, not hidden, that ends in .py";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, wrong));
        }
        let path = self.root.join(relative);
        let source = change.source.as_deref().unwrap_or_default();
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        io::Write::write_all(&mut out, source.as_bytes())?;
        write_beside(&path, change)?;
        self.read(&path)
    }

    /// Changes the files of a workflow that has this version.
    pub fn change(
        &self,
        id: WorkflowId,
        version: u64,
        change: &Change,
    ) -> io::Result<Option<Written>> {
        let Some(path) = self.path(id) else { return Ok(None) };
        let now = self.read(&path)?;
        if now.version != version {
            return Ok(Some(Written::Stale(Box::new(now))));
        }
        if let Some(source) = change.source.as_ref().filter(|new| now.source.as_ref() != Some(new))
        {
            replace(&path, source.as_bytes())?;
        }
        write_beside(&path, change)?;
        Ok(Some(Written::Done(Box::new(self.read(&path)?))))
    }

    fn path(&self, id: WorkflowId) -> Option<PathBuf> {
        let mut paths = Vec::new();
        let mut left = FILES_MAX;
        walk(&self.root, DEPTH_MAX, &mut left, &mut paths);
        paths.into_iter().find(|path| self.id(path) == Some(id))
    }

    fn id(&self, path: &Path) -> Option<WorkflowId> {
        Some(id_of(path.strip_prefix(&self.root).ok()?))
    }

    fn read(&self, path: &Path) -> io::Result<Workflow> {
        let relative = path.strip_prefix(&self.root).map_err(io::Error::other)?;
        let about = std::fs::metadata(path)?;
        if about.len() > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
        }
        let source = std::fs::read_to_string(path)?;
        let script = beside(path, SCRIPT)?;
        let layout = beside(path, LAYOUT)?;
        let version = version_of([Some(source.as_str()), script.as_deref(), layout.as_deref()]);
        let file = relative.to_string_lossy().into_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Workflow {
            id: id_of(relative).to_string(),
            name,
            hash: wire::version_hash(&file, &source).to_hex(),
            file,
            source: Some(source),
            script,
            // A layout that cannot be read is laid out anew.
            layout: layout.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            version,
            revision: version,
            created_at: moment(about.created().or(about.modified())).into(),
            updated_at: moment(about.modified()).into(),
            origin: Origin::Folder,
            path: Some(path.display().to_string()),
        })
    }
}

fn is_workflow(workflow: &Workflow) -> bool {
    workflow.source.as_ref().is_some_and(|source| source.contains("langgraph"))
}

/// The Python files below a folder. What is hidden, what tools keep and what leads out of
/// the folder is left out.
fn walk(folder: &Path, depth: usize, left: &mut usize, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_foreign = name.starts_with('.')
            || matches!(&*name, "__pycache__" | "node_modules" | "venv" | "target");
        let Ok(kind) = entry.file_type() else { continue };
        match kind.is_dir() {
            _ if is_foreign || kind.is_symlink() => {}
            true if depth > 0 => walk(&entry.path(), depth - 1, left, paths),
            true => {}
            false if name.ends_with(".py") => paths.push(entry.path()),
            false => {}
        }
    }
}

/// The path, below the folder, of the workflow that a file belongs to.
fn of_workflow(root: &Path, path: &Path) -> Option<PathBuf> {
    let relative = path.strip_prefix(root).ok()?;
    let name = relative.file_name()?.to_str()?;
    let stem = [".py", ".layout.json", ".script.yaml"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))?;
    (!stem.starts_with('.')).then(|| relative.with_file_name(format!("{stem}.py")))
}

/// The id of a path below the folder: the same as long as it is called so.
fn id_of(relative: &Path) -> WorkflowId {
    let Hash(bytes) = Hash::of(relative.as_os_str().as_encoded_bytes());
    let half = bytes.first_chunk().expect("a hash has 32 bytes");
    WorkflowId(uuid::Builder::from_custom_bytes(*half).into_uuid())
}

/// A number that JavaScript holds without loss.
fn version_of(parts: [Option<&str>; 3]) -> u64 {
    let marked = parts.map(|part| part.map_or(String::new(), |text| format!("+{text}")));
    let Hash(bytes) = Hash::of_parts(marked.iter().map(String::as_bytes));
    let first: [u8; 8] = *bytes.first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(first) >> 11
}

fn beside(path: &Path, ending: &str) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path.with_extension(ending)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_beside(path: &Path, change: &Change) -> io::Result<()> {
    if let Some(layout) = &change.layout {
        let json = serde_json::to_string_pretty(layout).expect("a layout has a JSON form");
        replace(&path.with_extension(LAYOUT), (json + "\n").as_bytes())?;
    }
    match &change.script {
        None => Ok(()),
        Some(Some(script)) => replace(&path.with_extension(SCRIPT), script.as_bytes()),
        Some(None) => match std::fs::remove_file(path.with_extension(SCRIPT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// Writes a file whole or not at all: an editor that reads it meanwhile sees no half.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", Uuid::now_v7().simple()));
    let written = std::fs::write(&draft, bytes).and_then(|()| {
        if let Ok(about) = std::fs::metadata(path) {
            std::fs::set_permissions(&draft, about.permissions())?;
        }
        std::fs::rename(&draft, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn moment(time: io::Result<std::time::SystemTime>) -> Timestamp {
    let since = time.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Timestamp(since.map_or(0, |since| since.as_micros() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder, broadcast::Receiver<WorkflowId>) {
        let dir = tempfile::tempdir().unwrap();
        let (sender, receiver) = broadcast::channel(64);
        let folder = Folder::open(dir.path(), sender).unwrap();
        (dir, folder, receiver)
    }

    #[test]
    fn python_files_that_speak_of_langgraph_are_workflows() {
        let (dir, folder, _) = folder();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("b.py", "import langgraph");
        write("sub/a.py", "import langgraph");
        write("helper.py", "x = 1");
        write(".venv/c.py", "import langgraph");
        write("notes.txt", "langgraph");
        std::os::unix::fs::symlink("/etc", dir.path().join("out")).unwrap();
        let files: Vec<String> = folder.list().into_iter().map(|it| it.file).collect();
        assert_eq!(files, ["b.py", "sub/a.py"]);
    }

    #[tokio::test]
    async fn a_change_of_either_side_is_seen_by_the_other() {
        let (dir, folder, mut changed) = folder();
        let new = Change { source: Some("import langgraph".into()), ..Change::default() };
        let made = folder.create("a.py", &new).unwrap();
        assert_eq!(folder.create("a.py", &new).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        for wrong in ["../a.py", "a.txt", "/a.py", ".a.py", "sub/a.py"] {
            assert!(folder.create(wrong, &new).is_err(), "{wrong}");
        }
        let id: WorkflowId = made.id.parse().unwrap();
        assert_eq!(changed.recv().await.unwrap(), id);

        let edit = |text: &str| Change { source: Some(text.into()), ..Change::default() };
        let written = folder.change(id, made.version, &edit("import langgraph # 1")).unwrap();
        let Some(Written::Done(now)) = written else { panic!("it is written") };
        assert_eq!(
            std::fs::read_to_string(dir.path().join("a.py")).unwrap(),
            "import langgraph # 1"
        );

        // The owner's editor writes too: what was made to the version before is refused.
        std::fs::write(dir.path().join("a.py"), "import langgraph # 2").unwrap();
        let late = folder.change(id, now.version, &edit("lost")).unwrap();
        let Some(Written::Stale(now)) = late else { panic!("it is stale") };
        assert_eq!(now.source.as_deref(), Some("import langgraph # 2"));
        assert_eq!(changed.recv().await.unwrap(), id);
        let files = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(files, 1, "no draft is left");
    }
}
