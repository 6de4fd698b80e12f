//! The store in a SQLite file: one thread writes, any number of connections read.

mod accounts;
mod apply;
mod export;
mod fault;
mod lock;
mod maintain;
mod open;
mod queue_books;
mod queue_columns;
mod queue_rows;
mod read;
mod read_tasks;
mod readers;
mod roster;
mod rows;
mod schema;
mod shelf;
mod simple;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::channel;
use tokio::sync::watch;
use weaver_core::{Hash, Timestamp};

use self::fault::Fault;
use self::lock::DirLock;
use self::queue_rows::SqliteRows;
use self::readers::Readers;
use self::rows::Db;
use self::writer::Queue;
use crate::backend::{Backend, Pending, Records};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Standing, ThreadInfo, Verification,
};
use crate::queue::{Operation, Transact, now_or_never};
use crate::record::{Effect, Entry, Execution, Interrupt, Lease, PendingWrite, WorkflowVersion};
use crate::{
    Batch, CheckpointId, Clock, Error, ExecutionId, Idempotency, IdempotencyKey, Lane, OpenOptions,
    Result, Stats, TenantId, Ticket, Wakeups,
};

/// How many records are read before somebody takes them.
const EXPORTED_AHEAD: usize = 256;

/// The store in one data directory, as one tenant sees it.
pub(crate) struct Sqlite {
    file: Arc<OpenFile>,
    tenant: TenantId,
}

/// What the handles of a data directory share.
struct OpenFile {
    path: PathBuf,
    readers: Arc<Readers>,
    /// Nothing when opened for reading only.
    writer: Option<WriterHandle>,
    clock: Clock,
}

struct WriterHandle {
    /// Taken away when the store closes.
    queue: Option<Queue>,
    thread: Option<JoinHandle<()>>,
    /// Let go last.
    _lock: DirLock,
}

/// The schema's version that this program needs.
pub(crate) const SCHEMA_NEEDED: u32 = schema::SUPPORTED;

/// The version of the schema in a directory, 0 when there is no store.
pub(crate) fn schema_version(dir: &Path) -> Result<u32> {
    open::schema_version(dir)
}

impl Sqlite {
    /// The store in a directory; the same one if this process has it open already.
    pub(crate) fn open(dir: &Path, options: &OpenOptions) -> Result<Arc<Self>> {
        Ok(Arc::new(Sqlite { file: open::shared(dir, options)?, tenant: TenantId::LOCAL }))
    }

    /// A view of the store in a directory, without the right to write.
    pub(crate) fn open_read_only(dir: &Path) -> Result<Arc<Self>> {
        Ok(Arc::new(Sqlite { file: open::read_only(dir)?, tenant: TenantId::LOCAL }))
    }

    fn queue(&self) -> Result<&Queue> {
        let writer = self.file.writer.as_ref();
        writer.and_then(|writer| writer.queue.as_ref()).ok_or_else(|| Error::Unwritable {
            path: self.file.path.clone(),
            reason: "it was opened for reading only".into(),
        })
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(Db<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<'static, T> {
        Readers::read(&self.file.readers, self.tenant, query)
    }
}

impl Drop for OpenFile {
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

impl Transact for Sqlite {
    fn transact<O: Operation>(&self, operation: O) -> Pending<'_, O::Output> {
        if !O::READS {
            return Box::pin(async move { self.queue()?.operate(operation).await });
        }
        let clock = self.file.clock.clone();
        Readers::query(&self.file.readers, move |connection| {
            let appliers = &mut HashMap::new();
            let mut rows = SqliteRows { connection, appliers, clock: &clock, wake: false };
            now_or_never(operation.run(&mut rows))
        })
    }

    fn wakeups(&self) -> Wakeups {
        match self.queue() {
            Ok(queue) => queue.wakeups(),
            // Nothing changes through this handle.
            Err(_) => Wakeups::new(watch::Sender::new(0).subscribe()),
        }
    }
}

impl Backend for Sqlite {
    fn for_tenant(&self, tenant: TenantId) -> Arc<dyn Backend> {
        Arc::new(Sqlite { file: self.file.clone(), tenant })
    }

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn tenants(&self) -> Pending<'_, Vec<TenantId>> {
        self.read(read::tenants)
    }

    fn append(&self, batch: Batch) -> Ticket {
        match self.queue() {
            Ok(queue) => queue.append(self.tenant, batch),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    fn room(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.queue()?.room().await;
            Ok(())
        })
    }

    fn stats(&self) -> Stats {
        let (commits, queued_bytes) = self.queue().map(Queue::stats).unwrap_or_default();
        Stats { commits, queued_bytes, connections: self.file.readers.in_use() }
    }

    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()> {
        Box::pin(async move { self.queue()?.recover(self.tenant, execution).await })
    }

    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>> {
        self.read(move |db| read::version(db, hash))
    }

    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>> {
        self.read(move |db| read::execution(db, id))
    }

    fn lease(&self, id: ExecutionId) -> Pending<'_, Option<Lease>> {
        self.read(move |db| read::lease(db, id))
    }

    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>> {
        self.read(move |db| read::executions(db, &query))
    }

    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>> {
        self.read(move |db| read::threads(db, limit))
    }

    fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Pending<'_, Vec<Arc<str>>> {
        self.read(move |db| read::idle_threads(db, before, after.as_deref(), limit))
    }

    fn head(&self, execution: ExecutionId) -> Pending<'_, Head> {
        self.read(move |db| read::head(db, execution))
    }

    fn standing(&self, id: ExecutionId) -> Pending<'_, Option<Standing>> {
        self.read(move |db| read::standing(db, id))
    }

    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>> {
        self.read(move |db| read::entries(db, execution, after, limit))
    }

    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>> {
        self.read(move |db| read::checkpoint(db, &lane, id))
    }

    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>> {
        self.read(move |db| read::checkpoints(db, &lane, before, limit))
    }

    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>> {
        self.read(move |db| read::chain(db, &lane, id))
    }

    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>> {
        self.read(move |db| read::namespaces(db, &thread))
    }

    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>> {
        self.read(move |db| read_tasks::pending_writes(db, &lane, checkpoint))
    }

    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(move |db| read_tasks::effects(db, &lane, &task))
    }

    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(move |db| read_tasks::open_effects(db, &thread))
    }

    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>> {
        self.read(move |db| read_tasks::interrupts(db, &thread, open_only))
    }

    fn idempotency(&self, key: IdempotencyKey) -> Pending<'_, Option<Idempotency>> {
        self.read(move |db| read::idempotency(db, key))
    }

    fn queue(&self) -> &dyn crate::Queue {
        self
    }

    fn library(&self) -> &dyn crate::Library {
        self
    }

    fn accounts(&self) -> &dyn crate::Accounts {
        self
    }

    fn roster(&self) -> &dyn crate::Roster {
        self
    }

    fn item(&self, key: ItemKey, now: Timestamp) -> Pending<'_, Option<Item>> {
        self.read(move |db| read_tasks::item(db, &key, now))
    }

    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>> {
        self.read(move |db| read_tasks::search_items(db, &search, now))
    }

    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>> {
        self.read(move |db| read_tasks::item_namespaces(db, &search, now))
    }

    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>> {
        self.read(move |db| read_tasks::cached(db, key, now))
    }

    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage> {
        Box::pin(async move { self.queue()?.collect(self.tenant, now).await })
    }

    fn prepare_ahead(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn export(&self) -> Records {
        let (out, records) = channel(EXPORTED_AHEAD);
        let (readers, tenant) = (self.file.readers.clone(), self.tenant);
        std::thread::spawn(move || {
            let result = readers.with_tenant(tenant, |db| export::everything(db, &out));
            if let Err(error) = result {
                let _ = out.blocking_send(Err(error));
            }
        });
        records
    }

    fn verify(&self) -> Pending<'_, Verification> {
        self.read(maintain::verify)
    }
}
