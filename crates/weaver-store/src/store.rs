//! [`Store`]: the handle that everybody holds.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::memory::SharedMemory;
use crate::postgres::{Postgres, PostgresOptions};
use crate::sqlite::Sqlite;
use crate::{Backend, Clock, Result, TenantId};

/// A handle to a store of any kind; clones share it. What it can do is
/// documented at [`Backend`], to which it dereferences.
///
/// When the last handle of a SQLite store is dropped, what was appended is
/// still written, the file is tidied and the lock let go; dropping waits for that.
#[derive(Clone)]
pub struct Store(Arc<dyn Backend>);

/// How to open a SQLite store.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// [`Backend::room`] waits while more than this many bytes are queued.
    pub queue_bytes_max: usize,
    /// The file grows to about this many bytes; beyond, writes fail with
    /// [`crate::Error::Full`]. `None` for as much as the disk holds.
    pub file_bytes_max: Option<u64>,
    /// What is added to the time of timers and leases; nothing but in tests.
    pub clock: Clock,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            queue_bytes_max: 16 * 1024 * 1024,
            file_bytes_max: None,
            clock: Clock::default(),
        }
    }
}

impl Store {
    /// Opens the store in a data directory, and makes both if need be. One
    /// process at a time can have it; opening it again in this process gives the
    /// same store.
    pub fn open_sqlite(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        Ok(Store(Sqlite::open(dir.as_ref(), &options)?))
    }

    /// Opens the store in a data directory for reading, beside whoever has it
    /// open for writing. Appending fails.
    pub fn open_sqlite_read_only(dir: impl AsRef<Path>) -> Result<Self> {
        Ok(Store(Sqlite::open_read_only(dir.as_ref())?))
    }

    /// Opens the store in a PostgreSQL database (`postgres://user@host/name`). Its
    /// tables are in the schema `agentweaver`, or the one of `?schema=…`; the
    /// connection is encrypted if the URL asks for it (`?sslmode=require`), and then
    /// the server's certificate is checked. Any number of processes may have it open.
    pub fn open_postgres(url: &str, options: &PostgresOptions) -> Result<Self> {
        Ok(Store(Postgres::open(url, options)?))
    }

    /// A store that is gone with its last handle.
    pub fn in_memory() -> Self {
        Store::in_memory_at(Clock::default())
    }

    /// The same, with a clock that a test moves.
    pub fn in_memory_at(clock: Clock) -> Self {
        SharedMemory::new(clock).open()
    }

    /// The same store as another tenant sees it; a store is opened as
    /// [`crate::TenantId::LOCAL`].
    pub fn for_tenant(&self, tenant: TenantId) -> Self {
        Store(self.0.for_tenant(tenant))
    }

    /// Any other kind of store.
    pub fn from_backend(backend: impl Backend + 'static) -> Self {
        Store(Arc::new(backend))
    }
}

impl Deref for Store {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
