//! The store in a SQLite file: one thread writes, any number of connections read.

mod apply;
mod encode;
mod fault;
mod lock;
mod maintain;
mod open;
mod pack;
mod read;
mod read_tasks;
mod readers;
mod rows;
mod schema;
mod simple;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use weaver_core::{Hash, Timestamp};

use self::fault::Fault;
use self::lock::DirLock;
use self::readers::Readers;
use self::writer::Queue;
use crate::backend::{Backend, Pending};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, ThreadInfo, Verification,
};
use crate::record::{Effect, Entry, Execution, Interrupt, PendingWrite, WorkflowVersion};
use crate::{Batch, CheckpointId, Error, ExecutionId, Lane, OpenOptions, Result, Ticket};

/// The store in one data directory.
pub(crate) struct Sqlite {
    path: PathBuf,
    readers: Arc<Readers>,
    /// Nothing when opened for reading only.
    writer: Option<WriterHandle>,
}

struct WriterHandle {
    /// Taken away when the store closes.
    queue: Option<Queue>,
    thread: Option<JoinHandle<()>>,
    /// Let go last.
    _lock: DirLock,
}

impl Sqlite {
    /// The store in a directory; the same one if this process has it open already.
    pub(crate) fn open(dir: &Path, options: &OpenOptions) -> Result<Arc<Self>> {
        open::shared(dir, options)
    }

    /// A view of the store in a directory, without the right to write.
    pub(crate) fn open_read_only(dir: &Path) -> Result<Arc<Self>> {
        open::read_only(dir)
    }

    fn queue(&self) -> Result<&Queue> {
        self.writer.as_ref().and_then(|writer| writer.queue.as_ref()).ok_or_else(|| {
            Error::Unwritable {
                path: self.path.clone(),
                reason: "it was opened for reading only".into(),
            }
        })
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<'static, T> {
        Readers::read(&self.readers, query)
    }
}

impl Drop for Sqlite {
    /// Closes the readers first: SQLite tidies its log file up when the last
    /// connection closes, if that one may write.
    fn drop(&mut self) {
        self.readers.close();
        if let Some(writer) = &mut self.writer {
            writer.queue = None;
            if let Some(thread) = writer.thread.take() {
                // A writer that panicked has told its callers by dropping their tickets.
                let _ = thread.join();
            }
        }
    }
}

impl Backend for Sqlite {
    fn append(&self, batch: Batch) -> Ticket {
        match self.queue() {
            Ok(queue) => queue.append(batch),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    fn room(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.queue()?.room().await;
            Ok(())
        })
    }

    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()> {
        Box::pin(async move { self.queue()?.recover(execution).await })
    }

    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>> {
        self.read(move |connection| read::version(connection, hash))
    }

    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>> {
        self.read(move |connection| read::execution(connection, id))
    }

    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>> {
        self.read(move |connection| read::executions(connection, &query))
    }

    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>> {
        self.read(move |connection| read::threads(connection, limit))
    }

    fn head(&self, execution: ExecutionId) -> Pending<'_, Head> {
        self.read(move |connection| read::head(connection, execution))
    }

    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>> {
        self.read(move |connection| read::entries(connection, execution, after, limit))
    }

    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>> {
        self.read(move |connection| read::checkpoint(connection, &lane, id))
    }

    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>> {
        self.read(move |connection| read::checkpoints(connection, &lane, before, limit))
    }

    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>> {
        self.read(move |connection| read::chain(connection, &lane, id))
    }

    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>> {
        self.read(move |connection| read::namespaces(connection, &thread))
    }

    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>> {
        self.read(move |connection| read_tasks::pending_writes(connection, &lane, checkpoint))
    }

    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(move |connection| read_tasks::effects(connection, &lane, &task))
    }

    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(move |connection| read_tasks::open_effects(connection, &thread))
    }

    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>> {
        self.read(move |connection| read_tasks::interrupts(connection, &thread, open_only))
    }

    fn item(&self, key: ItemKey, now: Timestamp) -> Pending<'_, Option<Item>> {
        self.read(move |connection| read_tasks::item(connection, &key, now))
    }

    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>> {
        self.read(move |connection| read_tasks::search_items(connection, &search, now))
    }

    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>> {
        self.read(move |connection| read_tasks::item_namespaces(connection, &search, now))
    }

    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>> {
        self.read(move |connection| read_tasks::cached(connection, key, now))
    }

    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage> {
        Box::pin(async move { self.queue()?.collect(now).await })
    }

    fn verify(&self) -> Pending<'_, Verification> {
        self.read(maintain::verify)
    }
}
