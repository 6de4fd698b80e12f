//! The store in a PostgreSQL database: several connections write groups of
//! batches, others read. All run on a small runtime of their own, so that callers
//! need none, and a caller that goes away interrupts nothing.

mod accounts;
mod connection;
mod dsn;
mod export;
mod fault;
mod group;
mod load;
mod maintain;
mod partition;
mod pipeline;
mod plan;
mod pool;
mod queue_books;
mod queue_columns;
mod queue_rows;
mod queue_tx;
mod read;
mod read_tasks;
mod roster;
mod schema;
mod shelf;
mod side;
mod transact;
mod turns;
mod value;
mod wakers;
mod write;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::channel;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weaver_core::{Hash, Timestamp};

use self::dsn::Dsn;
use self::pool::{Mode, Pool, Tx, Work};
use self::turns::Turns;
use self::wakers::Wakers;
use self::writer::Queue;
use crate::backend::{Backend, Pending, Records};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Overview, Standing, ThreadInfo,
    Verification,
};
use crate::record::{Effect, Entry, Execution, Interrupt, Lease, PendingWrite, WorkflowVersion};
use crate::{
    Batch, CheckpointId, Clock, Error, ExecutionId, Idempotency, IdempotencyKey, Lane, Result,
    Schema, Stats, TenantId, Ticket, WorkInfo, block_on,
};

/// How to work with a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections that write; an execution always has the same.
    pub writers: usize,
    /// Connections at most for everything else.
    pub connections: usize,
    /// [`Backend::room`] waits while more than this many bytes are queued.
    pub queue_bytes_max: usize,
    /// How long a server that is away is waited for, before what was asked fails.
    pub patience: Duration,
    /// The server ends a statement that takes longer.
    pub statement_timeout: Duration,
    /// The server ends a statement that waits longer for somebody's lock.
    pub lock_timeout: Duration,
    /// The server ends a transaction in which nothing is asked for longer: its
    /// program has stopped, and holds up others.
    pub idle_timeout: Duration,
    /// Bring the schema up to date when opening. The URL's user must be its owner;
    /// without, a schema that is not up to date is refused.
    pub migrate: bool,
    /// What is added to the time of timers and leases; nothing but in tests.
    pub clock: Clock,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            writers: 4,
            connections: 8,
            queue_bytes_max: 16 * 1024 * 1024,
            patience: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(10),
            migrate: true,
            clock: Clock::default(),
        }
    }
}

/// The store in one database, as one tenant sees it.
pub(crate) struct Postgres {
    database: Arc<Database>,
    tenant: TenantId,
}

/// What the handles of a database share.
struct Database {
    pool: Arc<Pool>,
    /// Taken away when the store closes.
    queue: Option<Queue>,
    writers: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
    wakers: Arc<Wakers>,
    /// Ends with the runtime.
    listener: JoinHandle<()>,
    clock: Clock,
    turns: Turns,
}

/// How many records are read before somebody takes them.
const EXPORTED_AHEAD: usize = 256;

/// Threads for the work of all connections: what they do is waiting, packing and
/// hashing.
const THREADS: usize = 2;

impl Postgres {
    /// Opens the store in the database of a URL.
    pub(crate) fn open(url: &str, options: &PostgresOptions) -> Result<Arc<Self>> {
        let dsn = Dsn::parse(url)?;
        let runtime = runtime(&dsn)?;
        let (opening, migrate) = (dsn.clone(), options.migrate);
        let found = on(&runtime, async move {
            if migrate { schema::migrate(&opening).await } else { schema::look(&opening).await }
        });
        let found = match found.and_then(|found| check_version(found, &dsn)) {
            Ok(found) => found,
            Err(error) => {
                // A runtime that is dropped waits, which a thread of another one must not.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        if let Some(warning) = found.warning {
            tracing::warn!(server = dsn.name, version = found.server, "{warning}");
        }
        let wakers = Wakers::new();
        let listener = wakers.start(dsn.clone(), runtime.handle());
        let turns = Turns::default();
        let (queue, writers) = Queue::start(&dsn, options, runtime.handle(), &wakers, &turns);
        let pool = Pool::new(dsn, options.clone(), runtime.handle().clone());
        let (queue, runtime) = (Some(queue), Some(runtime));
        let database = Arc::new(Database {
            pool,
            queue,
            writers,
            runtime,
            wakers,
            listener,
            clock: options.clock.clone(),
            turns,
        });
        Ok(Arc::new(Postgres { database, tenant: TenantId::LOCAL }))
    }

    fn queue(&self) -> Result<&Queue> {
        self.database.queue.as_ref().ok_or(Error::Closed)
    }

    fn read<A, T>(
        &self,
        arguments: A,
        work: impl for<'t> Fn(&'t Tx, &'t A) -> Work<'t, T> + Send + Sync + 'static,
    ) -> Pending<'_, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        Box::pin(self.database.pool.with_tx(self.tenant, Mode::Read, arguments, work))
    }
}

fn check_version(found: schema::Found, dsn: &Dsn) -> Result<schema::Found> {
    if found.version < schema::SUPPORTED {
        let (found, supported) = (found.version, schema::SUPPORTED);
        return Err(Error::OlderSchema { server: dsn.server(), found, supported });
    }
    Ok(found)
}

/// Reads a URL; gives it without the password.
pub(crate) fn check_url(url: &str) -> Result<String> {
    Ok(Dsn::parse(url)?.name)
}

/// The schema of a database, brought up to date first if so asked.
pub(crate) fn schema(url: &str, migrate: bool) -> Result<Schema> {
    let dsn = Dsn::parse(url)?;
    let runtime = runtime(&dsn)?;
    let found = on(&runtime, async move {
        if migrate { schema::migrate(&dsn).await } else { schema::look(&dsn).await }
    });
    runtime.shutdown_background();
    let schema::Found { version, server, warning } = found?;
    Ok(Schema { version, needed: schema::SUPPORTED, server: Some(server), warning })
}

fn runtime(dsn: &Dsn) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("store-postgres")
        .enable_all()
        .build()
        .map_err(|error| Error::Io { path: dsn.name.clone().into(), reason: error.to_string() })
}

/// Runs something on a runtime and waits for it on this thread, which may itself be
/// one of another runtime.
fn on<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (done, answer) = oneshot::channel();
    runtime.spawn(async move {
        let _ = done.send(work.await);
    });
    block_on(answer).unwrap_or(Err(Error::Closed))
}

impl Drop for Database {
    /// Waits until what was appended is written.
    fn drop(&mut self) {
        self.queue = None;
        self.listener.abort();
        let Some(runtime) = self.runtime.take() else { return };
        let (done, answer) = oneshot::channel::<()>();
        let writers = std::mem::take(&mut self.writers);
        runtime.spawn(async move {
            for writer in writers {
                // A writer that panicked has told its callers by dropping their tickets.
                let _ = writer.await;
            }
            drop(done);
        });
        // An error is what the dropped sender means.
        let _ = block_on(answer);
        // This may be a thread of a runtime, where another's end may not be waited for.
        runtime.shutdown_background();
    }
}

impl Backend for Postgres {
    fn for_tenant(&self, tenant: TenantId) -> Arc<dyn Backend> {
        Arc::new(Postgres { database: self.database.clone(), tenant })
    }

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn tenants(&self) -> Pending<'_, Vec<TenantId>> {
        self.read((), |tx, ()| Box::pin(read::tenants(tx)))
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
        Stats { commits, queued_bytes, connections: self.database.pool.in_use() }
    }

    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()> {
        Box::pin(async move { self.queue()?.recover(self.tenant, execution).await })
    }

    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>> {
        self.read(hash, |tx, hash| Box::pin(read::version(tx, *hash)))
    }

    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>> {
        self.read(id, |tx, id| Box::pin(read::execution(tx, *id)))
    }

    fn queued(&self, id: ExecutionId) -> Pending<'_, Option<(Execution, Option<WorkInfo>)>> {
        self.read(id, |tx, id| Box::pin(read::queued(tx, *id)))
    }

    fn overview(&self, id: ExecutionId) -> Pending<'_, Option<Overview>> {
        self.read(id, |tx, id| Box::pin(read::overview(tx, *id)))
    }

    fn works(&self, ids: Vec<ExecutionId>) -> Pending<'_, Vec<WorkInfo>> {
        self.read(ids, |tx, ids| Box::pin(read::works(tx, ids)))
    }

    fn lease(&self, id: ExecutionId) -> Pending<'_, Option<Lease>> {
        self.read(id, |tx, id| Box::pin(read::lease(tx, *id)))
    }

    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>> {
        self.read(query, |tx, query| Box::pin(read::executions(tx, query)))
    }

    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>> {
        self.read(limit, |tx, limit| Box::pin(read::threads(tx, *limit)))
    }

    fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Pending<'_, Vec<Arc<str>>> {
        self.read((before, after, limit), |tx, (before, after, limit)| {
            Box::pin(read::idle_threads(tx, *before, after.as_deref(), *limit))
        })
    }

    fn head(&self, execution: ExecutionId) -> Pending<'_, Head> {
        self.read(execution, |tx, id| Box::pin(read::head(tx, *id)))
    }

    fn standing(&self, id: ExecutionId) -> Pending<'_, Option<Standing>> {
        self.read(id, |tx, id| Box::pin(read::standing(tx, *id)))
    }

    fn ends(&self, execution: ExecutionId) -> Pending<'_, Option<(Entry, Entry)>> {
        self.read(execution, |tx, id| Box::pin(read::ends(tx, *id)))
    }

    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>> {
        self.read((execution, after, limit), |tx, (id, after, limit)| {
            Box::pin(read::entries(tx, *id, *after, *limit))
        })
    }

    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>> {
        self.read((lane, id), |tx, (lane, id)| Box::pin(read::checkpoint(tx, lane, *id)))
    }

    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>> {
        self.read((lane, before, limit), |tx, (lane, before, limit)| {
            Box::pin(read::checkpoints(tx, lane, *before, *limit))
        })
    }

    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>> {
        self.read((lane, id), |tx, (lane, id)| Box::pin(read::chain(tx, lane, *id)))
    }

    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>> {
        self.read(thread, |tx, thread| Box::pin(read::namespaces(tx, thread)))
    }

    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>> {
        self.read((lane, checkpoint), |tx, (lane, checkpoint)| {
            Box::pin(read_tasks::pending_writes(tx, lane, *checkpoint))
        })
    }

    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read((lane, task), |tx, (lane, task)| Box::pin(read_tasks::effects(tx, lane, task)))
    }

    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(thread, |tx, thread| Box::pin(read_tasks::open_effects(tx, thread)))
    }

    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>> {
        self.read((thread, open_only), |tx, (thread, open_only)| {
            Box::pin(read_tasks::interrupts(tx, thread, *open_only))
        })
    }

    fn idempotency(&self, key: IdempotencyKey) -> Pending<'_, Option<Idempotency>> {
        self.read(key, |tx, key| Box::pin(read::idempotency(tx, key)))
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
        self.read((key, now), |tx, (key, now)| Box::pin(read_tasks::item(tx, key, *now)))
    }

    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>> {
        self.read((search, now), |tx, (search, now)| {
            Box::pin(read_tasks::search_items(tx, search, *now))
        })
    }

    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>> {
        self.read((search, now), |tx, (search, now)| {
            Box::pin(read_tasks::item_namespaces(tx, search, *now))
        })
    }

    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>> {
        self.read((key, now), |tx, (key, now)| Box::pin(read_tasks::cached(tx, *key, *now)))
    }

    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage> {
        let pool = &self.database.pool;
        Box::pin(pool.with_tx(self.tenant, Mode::Write, now, |tx, now| {
            Box::pin(maintain::collect(tx, *now))
        }))
    }

    fn prepare_ahead(&self) -> Pending<'_, ()> {
        Box::pin(self.database.pool.renew_partitions())
    }

    fn export(&self) -> Records {
        let (out, records) = channel(EXPORTED_AHEAD);
        let (pool, tenant) = (self.database.pool.clone(), self.tenant);
        self.database.pool.spawn(async move {
            let result = pool
                .with_tx(tenant, Mode::Snapshot, out.clone(), |tx, out| {
                    Box::pin(export::everything(tx, out))
                })
                .await;
            if let Err(error) = result {
                let _ = out.send(Err(error)).await;
            }
        });
        records
    }

    fn verify(&self) -> Pending<'_, Verification> {
        let pool = &self.database.pool;
        Box::pin(
            pool.with_tx(self.tenant, Mode::Snapshot, (), |tx, ()| Box::pin(maintain::verify(tx))),
        )
    }
}
