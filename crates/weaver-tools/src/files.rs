//! Files inside one directory, and nothing outside of it.
//!
//! A path is walked one name at a time from an open directory, and no symbolic
//! link is ever followed. What a link points to, or is made to point to while we
//! look, can therefore not matter. All methods block; call them from a blocking
//! thread.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use weaver_core::Value;

use crate::options::FileOptions;
use crate::tool::ToolError;

/// A directory that files are kept in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: Arc<OwnedFd>,
    path: PathBuf,
    options: FileOptions,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name; a directory's ends with `/`.
    pub name: String,
    /// Bytes; 0 for what is no file.
    pub size: u64,
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// By name.
    pub entries: Vec<FileEntry>,
    /// There are more than the limit.
    pub truncated: bool,
}

impl Workspace {
    /// Opens a directory that exists.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self, ToolError> {
        let path = path.as_ref();
        let cannot = |error: &dyn std::fmt::Display| {
            ToolError::failed(format!(
                "The workspace {} cannot be opened: {error}.",
                path.display()
            ))
        };
        let real = path.canonicalize().map_err(|error| cannot(&error))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let root =
            nix::fcntl::open(&real, flags, Mode::empty()).map_err(|error| cannot(&error.desc()))?;
        Ok(Workspace { root: Arc::new(root), path: real, options })
    }

    /// Reads a text file.
    pub fn read(&self, path: &str) -> Result<String, ToolError> {
        let bytes = self.read_bytes(path)?;
        String::from_utf8(bytes)
            .map_err(|_| ToolError::failed(format!("`{path}` is not a text file (UTF-8).")))
    }

    /// Reads a file.
    pub fn read_bytes(&self, path: &str) -> Result<Vec<u8>, ToolError> {
        let (folder, name) = self.folder_of(path, false)?;
        // Opening a pipe must not wait for a writer.
        let file = open_file(&folder, name, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let mut bytes = Vec::new();
        let limit = self.options.file_bytes_max;
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| ToolError::failed(format!("`{path}` cannot be read: {error}.")))?;
        self.fits(path, bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Writes a file, whole or not at all; makes the directories that it needs.
    pub fn write(&self, path: &str, text: &str) -> Result<(), ToolError> {
        self.may_write(path)?;
        self.fits(path, text.len() as u64)?;
        let (folder, name) = self.folder_of(path, true)?;
        match stat_of(&folder, name) {
            Ok(stat) if !is(&stat, SFlag::S_IFREG) => return Err(no_plain_file(path)),
            _ => {}
        }
        let temporary = temporary_name();
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let written = open_file(&folder, OsStr::new(&temporary), path, flags)
            .and_then(|mut file| {
                file.write_all(text.as_bytes()).map_err(|e| cannot_write(path, &e))
            })
            .and_then(|()| {
                renameat(&folder, temporary.as_str(), &folder, name)
                    .map_err(|errno| explain(path, errno))
            });
        if written.is_err() {
            let _ = unlinkat(&folder, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// Writes at the end of a file, which is made where there is none.
    pub fn append(&self, path: &str, text: &str) -> Result<(), ToolError> {
        self.may_write(path)?;
        let (folder, name) = self.folder_of(path, true)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NONBLOCK;
        let mut file = open_file(&folder, name, path, flags)?;
        let size = file.metadata().map_err(|error| cannot_write(path, &error))?.len();
        self.fits(path, size.saturating_add(text.len() as u64))?;
        file.write_all(text.as_bytes()).map_err(|error| cannot_write(path, &error))
    }

    /// What a directory holds; `.` or nothing is the workspace itself.
    pub fn list(&self, path: &str) -> Result<Listing, ToolError> {
        let names = names_of(path)?;
        let folder = self.walk(&names, path, false)?;
        let fd = folder.try_clone().map_err(|error| ToolError::failed(error.to_string()))?;
        // A descriptor that is shared would share its position too.
        let fd = openat(&fd, ".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        let mut dir = fd.and_then(Dir::from_fd).map_err(|errno| explain(path, errno))?;
        let mut entries = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(|errno| explain(path, errno))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let Ok(stat) = fstatat(&folder, entry.file_name(), AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue; // gone in the meantime
            };
            if is(&stat, SFlag::S_IFDIR) {
                entries.push(FileEntry { name: format!("{name}/"), size: 0 });
            } else if is(&stat, SFlag::S_IFREG) {
                entries.push(FileEntry { name, size: u64::try_from(stat.st_size).unwrap_or(0) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let truncated = entries.len() > self.options.entries_max;
        entries.truncate(self.options.entries_max);
        Ok(Listing { entries, truncated })
    }

    /// Deletes a file or an empty directory.
    pub fn delete(&self, path: &str) -> Result<(), ToolError> {
        self.may_write(path)?;
        let (folder, name) = self.folder_of(path, false)?;
        let stat = stat_of(&folder, name).map_err(|errno| explain(path, errno))?;
        let flag = match is(&stat, SFlag::S_IFDIR) {
            true => UnlinkatFlags::RemoveDir,
            false => UnlinkatFlags::NoRemoveDir,
        };
        unlinkat(&folder, name, flag).map_err(|errno| explain(path, errno))
    }

    /// The real path of a file that may exist, after the same checks, for a
    /// library that opens files by itself and can be told to follow no links.
    pub(crate) fn checked_path(&self, path: &str, make: bool) -> Result<PathBuf, ToolError> {
        let (folder, name) = self.folder_of(path, make)?;
        match stat_of(&folder, name) {
            Ok(stat) if !is(&stat, SFlag::S_IFREG) => Err(no_plain_file(path)),
            Err(Errno::ENOENT) if !make => Err(explain(path, Errno::ENOENT)),
            _ => Ok(names_of(path)?.iter().fold(self.path.clone(), |path, name| path.join(name))),
        }
    }

    /// The directory that a path's last name is in, and that name.
    fn folder_of<'a>(&self, path: &'a str, make: bool) -> Result<(OwnedFd, &'a OsStr), ToolError> {
        let names = names_of(path)?;
        let (name, folders) = names.split_last().ok_or_else(|| {
            ToolError::refused(format!("`{path}` names the workspace itself, not a file in it."))
        })?;
        Ok((self.walk(folders, path, make)?, OsStr::new(*name)))
    }

    fn walk(&self, names: &[&str], path: &str, make: bool) -> Result<OwnedFd, ToolError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let root = self.root.try_clone();
        let mut folder = root.map_err(|error| ToolError::failed(error.to_string()))?;
        for name in names {
            let mut next = openat(&folder, *name, flags, Mode::empty());
            if make && matches!(next, Err(Errno::ENOENT)) {
                match mkdirat(&folder, *name, Mode::from_bits_truncate(0o755)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(explain(path, errno)),
                }
                next = openat(&folder, *name, flags, Mode::empty());
            }
            folder = next.map_err(|errno| explain(path, errno))?;
        }
        Ok(folder)
    }

    fn may_write(&self, path: &str) -> Result<(), ToolError> {
        match self.options.allow_write {
            true => Ok(()),
            false => Err(ToolError::refused(format!(
                "`{path}` may not be changed: the workspace is read-only."
            ))),
        }
    }

    fn fits(&self, path: &str, size: u64) -> Result<(), ToolError> {
        let limit = self.options.file_bytes_max;
        match size > limit {
            true => Err(ToolError::TooLarge(format!(
                "`{path}` is or would be larger than {} KiB.",
                limit >> 10
            ))),
            false => Ok(()),
        }
    }
}

impl Listing {
    /// `{"entries": [{"name", "size"}], "truncated"}`.
    pub fn to_value(&self) -> Value {
        let entries = self.entries.iter().map(|entry| {
            let size = Value::Int(i64::try_from(entry.size).unwrap_or(i64::MAX));
            Value::map([("name", Value::str(&*entry.name)), ("size", size)])
        });
        Value::map([("entries", Value::list(entries)), ("truncated", self.truncated.into())])
    }
}

/// The names of a relative path. Everything that could lead out, or that systems
/// read differently, is refused.
fn names_of(path: &str) -> Result<Vec<&str>, ToolError> {
    let refuse =
        |why: &str| Err(ToolError::refused(format!("The path `{path}` is refused: {why}.")));
    if path.starts_with('/') || path.starts_with('~') {
        return refuse("it must be relative to the workspace");
    }
    if path.contains(['\\', '\0']) || path.chars().any(char::is_control) {
        return refuse("it has a backslash or a control character");
    }
    if path.len() > 1024 {
        return refuse("it is longer than 1,024 bytes");
    }
    let names: Vec<_> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.contains(&"..") {
        return refuse("`..` could lead out of the workspace");
    }
    match names.len() > 32 {
        true => refuse("it is deeper than 32 directories"),
        false => Ok(names),
    }
}

fn open_file(
    folder: &impl AsFd,
    name: &OsStr,
    path: &str,
    flags: OFlag,
) -> Result<File, ToolError> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(0o644);
    let fd = openat(folder.as_fd(), name, flags, mode).map_err(|errno| explain(path, errno))?;
    let stat = fstat(&fd).map_err(|errno| explain(path, errno))?;
    match is(&stat, SFlag::S_IFREG) {
        true => Ok(File::from(fd)),
        false => Err(no_plain_file(path)),
    }
}

fn stat_of(folder: &OwnedFd, name: &OsStr) -> Result<FileStat, Errno> {
    fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == kind
}

fn no_plain_file(path: &str) -> ToolError {
    ToolError::refused(format!("`{path}` is no plain file (a directory, link or device)."))
}

fn cannot_write(path: &str, error: &std::io::Error) -> ToolError {
    ToolError::failed(format!("`{path}` cannot be written: {error}."))
}

fn explain(path: &str, errno: Errno) -> ToolError {
    match errno {
        Errno::ENOENT => ToolError::NotFound(format!("There is no `{path}` in the workspace.")),
        // A link where a directory or file should be.
        Errno::ELOOP | Errno::EMLINK => ToolError::refused(format!(
            "The path `{path}` is refused: it goes through a symbolic link."
        )),
        Errno::ENOTDIR => ToolError::refused(format!(
            "The path `{path}` is refused: a part of it is a file or a symbolic link, not a directory."
        )),
        Errno::ENXIO | Errno::EISDIR => no_plain_file(path),
        Errno::ENOTEMPTY => ToolError::failed(format!("The directory `{path}` is not empty.")),
        other => ToolError::failed(format!("`{path}`: {}.", other.desc())),
    }
}

/// A name that nobody else uses at this moment, in this process or another.
fn temporary_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".{}-{count}.tmp", std::process::id())
}
