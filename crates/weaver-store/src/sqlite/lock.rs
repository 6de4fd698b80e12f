//! One process at a time: a lock on a file that names its holder.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::{Error, Result};

/// The lock of a data directory, let go when dropped or when the process dies.
#[derive(Debug)]
pub(super) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock, or says who has it. A store of this very process that is
    /// being closed is waited for.
    pub(super) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("agentweaver.lock");
        let unwritable = |error| Error::unwritable(&path, error);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = holder(&mut file);
                if pid != Some(std::process::id()) {
                    return Err(Error::Locked { dir: dir.into(), pid });
                }
                file.lock().map_err(unwritable)?;
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        write_pid(&mut file).map_err(unwritable)?;
        Ok(DirLock { _file: file })
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
