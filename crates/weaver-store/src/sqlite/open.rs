//! Opening: the directory, the lock, the file, the schema, the writer's thread.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::lock::DirLock;
use super::readers::Readers;
use super::writer::Queue;
use super::{OpenFile, WriterHandle, schema};
use crate::{Clock, Error, OpenOptions, Result};

/// The file in the data directory.
const FILE: &str = "agentweaver.db";

/// How long to wait for somebody who holds the file (a person's `sqlite3`, a backup).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The stores that are open in this process, so that opening one again shares it.
static OPEN: Mutex<Option<HashMap<PathBuf, Weak<OpenFile>>>> = Mutex::new(None);

pub(super) fn shared(dir: &Path, options: &OpenOptions) -> Result<Arc<OpenFile>> {
    fs::create_dir_all(dir).map_err(|error| Error::unwritable(dir, error))?;
    let dir = dir.canonicalize().map_err(|error| Error::unwritable(dir, error))?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    open.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = open.get(&dir).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let store = Arc::new(exclusive(&dir, options)?);
    open.insert(dir, Arc::downgrade(&store));
    Ok(store)
}

fn exclusive(dir: &Path, options: &OpenOptions) -> Result<OpenFile> {
    let lock = DirLock::take(dir)?;
    let path = dir.join(FILE);
    let connection = connect(&path, options).map_err(|fault| fault.into_error(&path))?;
    let (queue, work) =
        Queue::new(connection, path.clone(), options.queue_bytes_max, options.clock.clone());
    let thread = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(work)
        .map_err(|error| Error::Io { path: path.clone(), reason: error.to_string() })?;
    let writer = WriterHandle { queue: Some(queue), thread: Some(thread), _lock: lock };
    Ok(OpenFile {
        readers: Arc::new(Readers::new(path.clone())),
        path,
        writer: Some(writer),
        clock: options.clock.clone(),
    })
}

/// The writer's connection, on a file that is known to be ours and up to date.
fn connect(path: &Path, options: &OpenOptions) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    schema::version(&connection, path)?;
    // FULL syncs the log file at each commit: what is acknowledged is on disk.
    // The log file is copied back every 16 MiB, and cut to that size. The writer
    // looks references up itself, from memory; SQLite would search the tables.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -8192;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;",
    )?;
    schema::migrate(&mut connection, path)?;
    if let Some(bytes) = options.file_bytes_max {
        let page_bytes: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = (i64::try_from(bytes).unwrap_or(i64::MAX) / page_bytes).max(1);
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(super) fn schema_version(dir: &Path) -> Result<u32> {
    let path = dir.join(FILE);
    match path.exists() {
        true => Readers::new(path.clone()).with(|connection| schema::version(connection, &path)),
        false => Ok(0),
    }
}

pub(super) fn read_only(dir: &Path) -> Result<Arc<OpenFile>> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(Error::Missing { dir: dir.into() });
    }
    let readers = Readers::new(path.clone());
    let found = readers.with(|connection| schema::version(connection, &path))?;
    if found == 0 {
        return Err(Error::Missing { dir: dir.into() });
    }
    if found < schema::SUPPORTED {
        // An older program wrote it, and this one's queries need its own schema.
        exclusive(dir, &OpenOptions::default())?;
    }
    Ok(Arc::new(OpenFile {
        readers: Arc::new(readers),
        path,
        writer: None,
        clock: Clock::default(),
    }))
}
