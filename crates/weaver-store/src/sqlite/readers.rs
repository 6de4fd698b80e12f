//! Read-only connections, opened when needed and used again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;

use super::fault::Fault;
use super::open::BUSY_TIMEOUT;
use super::rows::Db;
use crate::backend::Pending;
use crate::{Connections, Error, Result, TenantId};

/// How many idle connections are kept.
const IDLE_MAX: usize = 8;

pub(super) struct Readers {
    path: PathBuf,
    /// Nothing once the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
    used: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Readers { path, idle: Mutex::new(Some(Vec::new())), used: AtomicUsize::new(0) }
    }

    /// Runs a tenant's query in one read transaction; see [`Readers::query`].
    pub(super) fn read<T: Send + 'static>(
        readers: &Arc<Self>,
        tenant: TenantId,
        query: impl FnOnce(Db<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<'static, T> {
        Readers::query(readers, move |connection| query(Db::of(connection, tenant)?))
    }

    /// Runs a query in one read transaction: on a thread of its own inside a
    /// tokio runtime, because a disk may be slow, and at once elsewhere.
    pub(super) fn query<T: Send + 'static>(
        readers: &Arc<Self>,
        query: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<'static, T> {
        let readers = readers.clone();
        Box::pin(async move {
            match Handle::try_current() {
                Ok(runtime) => match runtime.spawn_blocking(move || readers.with(query)).await {
                    Ok(result) => result,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => Err(Error::Closed),
                },
                Err(_) => readers.with(query),
            }
        })
    }

    /// Runs a tenant's query in one read transaction on this thread.
    pub(super) fn with_tenant<T>(
        &self,
        tenant: TenantId,
        query: impl FnOnce(Db<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        self.with(|connection| query(Db::of(connection, tenant)?))
    }

    /// Runs a query in one read transaction on this thread.
    pub(super) fn with<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut connection = self.take()?;
        self.used.fetch_add(1, Ordering::Relaxed);
        let result = in_transaction(&mut connection, query);
        self.used.fetch_sub(1, Ordering::Relaxed);
        if connection.is_autocommit() {
            self.put_back(connection);
        }
        result.map_err(|fault| fault.into_error(&self.path))
    }

    /// How many connections there are.
    pub(super) fn in_use(&self) -> Connections {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.as_ref().map_or(0, Vec::len);
        Connections { used: self.used.load(Ordering::Relaxed), idle, max: None }
    }

    /// Closes the idle connections and keeps none from now on.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn take(&self) -> Result<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = idle.as_mut().and_then(Vec::pop) {
            return Ok(connection);
        }
        drop(idle);
        self.connect().map_err(|error| Fault::from(error).into_error(&self.path))
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < IDLE_MAX) {
            idle.push(connection);
        }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    query: impl FnOnce(&mut Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    connection.execute_batch("BEGIN")?;
    let result = query(connection);
    connection.execute_batch("COMMIT")?;
    result
}
