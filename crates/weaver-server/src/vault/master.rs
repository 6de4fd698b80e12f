//! [`Master`]: the key above all others, which no store holds.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::seal::Key;
use super::{Error, Result};
use crate::private_file;

/// Where the master key is to be found.
#[derive(Clone, Default)]
pub struct MasterOptions {
    /// The key itself: 64 hexadecimal digits.
    pub key: Option<String>,
    /// The one before, which still opens.
    pub old_key: Option<String>,
    /// A file that holds it.
    pub file: Option<PathBuf>,
    /// The directory of the file that is made when nothing else is said.
    pub data: PathBuf,
}

/// The file in the data directory.
const FILE: &str = "master.key";

/// The key that seals, and those that still open.
pub struct Master {
    seals: Key,
    opens: Vec<Key>,
    /// Where the key is, unless its owner gives it.
    file: Option<PathBuf>,
}

impl std::fmt::Debug for MasterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterOptions").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Master {
    /// Finds the key. When there is none and nothing says where one should be, a file
    /// in the data directory is made, readable by its owner alone.
    pub fn find_or_make(options: &MasterOptions) -> Result<Self> {
        let old = given(options.old_key.as_deref(), "AGENTWEAVER_MASTER_KEY_OLD")?;
        if let Some(seals) = given(options.key.as_deref(), "AGENTWEAVER_MASTER_KEY")? {
            return Ok(Master { opens: old.into_iter().collect(), seals, file: None });
        }
        if let Some(path) = &options.file {
            let seals = read(path)?.ok_or_else(|| unusable(path, "there is no such file"))?;
            return Ok(Master { opens: old.into_iter().collect(), seals, file: None });
        }
        let path = options.data.join(FILE);
        let seals = match read(&path)? {
            Some(key) => key,
            None => {
                let key = Key::random();
                match write(&path, &key) {
                    Ok(()) => key,
                    // Another process was quicker.
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                        read(&path)?.ok_or_else(|| unusable(&path, "it comes and goes"))?
                    }
                    Err(error) => return Err(unusable(&path, &error.to_string())),
                }
            }
        };
        // A change of keys that was cut short left the next one beside it.
        let next = read(&next_to(&path))?;
        Ok(Master { opens: old.into_iter().chain(next).collect(), seals, file: Some(path) })
    }

    /// The key that seals what is new.
    pub fn seals(&self) -> &Key {
        &self.seals
    }

    /// The key of an id.
    pub fn find(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.seals).chain(&self.opens).find(|key| key.id() == id)
    }

    /// Begins a change of the key: both open, and the new one seals. A key that its
    /// owner gives is not changed here: there the new one is given already, with the old
    /// one beside it.
    pub fn begin_change(self) -> Result<Self> {
        let Some(path) = &self.file else { return Ok(self) };
        let beside = next_to(path);
        let next = match read(&beside)? {
            Some(next) => next,
            None => {
                let next = Key::random();
                write(&beside, &next).map_err(|error| unusable(&beside, &error.to_string()))?;
                next
            }
        };
        let Master { seals, mut opens, file } = self;
        opens.push(seals);
        Ok(Master { seals: next, opens, file })
    }

    /// Ends it, once nothing is sealed with the old key any more.
    pub fn end_change(mut self) -> Result<Self> {
        if let Some(path) = &self.file {
            let ended = std::fs::rename(next_to(path), path);
            ended.map_err(|error| unusable(path, &error.to_string()))?;
            self.opens.clear();
        }
        Ok(self)
    }
}

fn next_to(path: &Path) -> PathBuf {
    path.with_extension("key.next")
}

fn given(text: Option<&str>, variable: &str) -> Result<Option<Key>> {
    let Some(text) = text else { return Ok(None) };
    match Key::parse(text) {
        Some(key) => Ok(Some(key)),
        None => Err(Error::Master(format!(
            "{variable} is no key of 64 hexadecimal digits, as `openssl rand -hex 32` makes them"
        ))),
    }
}

/// The key in a file that nobody else may read; nothing when there is no file.
fn read(path: &Path) -> Result<Option<Key>> {
    let wrong = |error: std::io::Error| unusable(path, &error.to_string());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mode = std::fs::metadata(path).map_err(wrong)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(unusable(path, "others may read it: chmod 600"));
    }
    match Key::parse(&text) {
        Some(key) => Ok(Some(key)),
        None => Err(unusable(path, "it holds no key of 64 hexadecimal digits")),
    }
}

fn write(path: &Path, key: &Key) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    private_file::write_new(path, key.digits().as_bytes())
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Master(format!("the master key in {} cannot be used: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(data: &Path) -> MasterOptions {
        MasterOptions { data: data.into(), ..MasterOptions::default() }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Master::find_or_make(&options(dir.path())).unwrap();
        let again = Master::find_or_make(&options(dir.path())).unwrap();
        assert!(first.seals() == again.seals());
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Master::find_or_make(&options(dir.path())).err().unwrap().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_change_that_is_cut_short_leaves_both_keys() {
        let dir = tempfile::tempdir().unwrap();
        let old = Master::find_or_make(&options(dir.path())).unwrap().seals().id();
        let begun = Master::find_or_make(&options(dir.path())).unwrap().begin_change().unwrap();
        let new = begun.seals().id();
        assert_ne!(old, new);
        let found = Master::find_or_make(&options(dir.path())).unwrap();
        assert!(found.find(&old).is_some() && found.find(&new).is_some());
        let again = found.begin_change().unwrap();
        assert_eq!(again.seals().id(), new, "it goes on with the key that was begun");
        again.end_change().unwrap();
        let ended = Master::find_or_make(&options(dir.path())).unwrap();
        assert!(ended.seals().id() == new && ended.find(&old).is_none());
    }

    #[test]
    fn a_given_key_wins_and_the_old_one_still_opens() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (Key::random(), Key::random());
        let given = MasterOptions {
            key: Some(new.digits()),
            old_key: Some(old.digits()),
            ..options(dir.path())
        };
        let master = Master::find_or_make(&given).unwrap();
        assert!(master.seals() == &new && master.find(&old.id()) == Some(&old));
        assert!(!dir.path().join(FILE).exists());
        assert!(!format!("{given:?}").contains(&new.digits()));
        let wrong = MasterOptions { key: Some("short".into()), ..options(dir.path()) };
        let refused = Master::find_or_make(&wrong).err().unwrap().to_string();
        assert!(refused.contains("AGENTWEAVER_MASTER_KEY") && !refused.contains("short"));
    }
}
