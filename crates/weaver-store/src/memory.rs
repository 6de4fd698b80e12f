//! The store in memory: for tests, for runs that keep nothing, and as the model
//! that the others are compared with.

mod accounts;
mod apply;
mod queue;
mod queue_books;
mod queue_rows;
mod roster;
mod shelf;
mod tables;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::channel;
use tokio::sync::watch;
use weaver_core::{Hash, Timestamp};

use self::queue::QueueTables;
use self::tables::Tables;
use crate::backend::{Backend, Pending, Records};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch, cut_namespaces, path_text};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Standing, ThreadInfo, Verification,
};
use crate::queue::{Operation, Transact};
use crate::record::{Effect, Entry, Execution, Interrupt, Lease, PendingWrite, WorkflowVersion};
use crate::{
    Batch, CheckpointId, Clock, Error, ExecutionId, Idempotency, IdempotencyKey, Lane, Queue,
    Result, Stats, Store, TenantId, Ticket, Wakeups,
};

/// A store that is gone when dropped, as one tenant sees it.
pub(crate) struct Memory {
    world: Arc<Mutex<World>>,
    /// Executions that had a failed batch; later ones are refused.
    failed: Arc<Mutex<Failed>>,
    /// Counts the changes of the queue that are worth a look.
    wakeups: Arc<watch::Sender<u64>>,
    clock: Clock,
    tenant: TenantId,
}

type Failed = HashMap<(TenantId, ExecutionId), Arc<Error>>;

/// One store in memory that is opened several times, as by several processes: each
/// has its own view of which executions had a failed batch.
#[derive(Clone)]
pub struct SharedMemory {
    world: Arc<Mutex<World>>,
    wakeups: Arc<watch::Sender<u64>>,
    clock: Clock,
}

impl SharedMemory {
    /// An empty store with a clock that a test moves.
    pub fn new(clock: Clock) -> Self {
        SharedMemory { world: Arc::default(), wakeups: Arc::new(watch::Sender::new(0)), clock }
    }

    /// The store as one more process sees it.
    pub fn open(&self) -> Store {
        let SharedMemory { world, wakeups, clock } = self.clone();
        let tenant = TenantId::LOCAL;
        Store::from_backend(Memory { world, failed: Arc::default(), wakeups, clock, tenant })
    }
}

/// All that is kept. Behind one lock, because the queue is one for all tenants.
#[derive(Default)]
struct World {
    tenants: HashMap<TenantId, Tenant>,
    queue: QueueTables,
}

#[derive(Default)]
struct Tenant {
    tables: Tables,
    written: bool,
}

impl World {
    fn has_written(&mut self, tenant: TenantId) {
        self.tenants.entry(tenant).or_default().written = true;
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_tenant<T>(&self, work: impl FnOnce(&mut Tenant) -> T) -> T {
        work(self.lock().tenants.entry(self.tenant).or_default())
    }

    fn read<T: Send + 'static>(&self, query: impl FnOnce(&Tables) -> T) -> Pending<'static, T> {
        ready(Ok(self.with_tenant(|tenant| query(&tenant.tables))))
    }

    /// Tells those who wait for work, if there was a change.
    fn wake_if(&self, world: &mut World) {
        if std::mem::take(&mut world.queue.wake) {
            self.wakeups.send_modify(|count| *count += 1);
        }
    }

    fn write(&self, batch: Batch) -> Result<()> {
        let execution = batch.execution.map(|id| (self.tenant, id));
        let (mut failed, mut world) = (self.failed(), self.lock());
        if let Some(cause) = execution.and_then(|id| failed.get(&id)) {
            return Err(Error::Aborted { cause: cause.clone() });
        }
        world.has_written(self.tenant);
        let result = world.apply(self.tenant, &self.clock, batch);
        if let (Err(error), Some(id)) = (&result, execution) {
            failed.insert(id, Arc::new(error.clone()));
        }
        self.wake_if(&mut world);
        result
    }
}

fn ready<T: Send + 'static>(result: Result<T>) -> Pending<'static, T> {
    Box::pin(std::future::ready(result))
}

impl Transact for Memory {
    fn transact<O: Operation>(&self, operation: O) -> Pending<'_, O::Output> {
        let mut world = self.lock();
        let result = world.operate(&self.clock, &operation);
        self.wake_if(&mut world);
        ready(result)
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.wakeups.subscribe())
    }
}

impl Backend for Memory {
    fn for_tenant(&self, tenant: TenantId) -> Arc<dyn Backend> {
        Arc::new(Memory {
            world: self.world.clone(),
            failed: self.failed.clone(),
            wakeups: self.wakeups.clone(),
            clock: self.clock.clone(),
            tenant,
        })
    }

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn tenants(&self) -> Pending<'_, Vec<TenantId>> {
        let world = self.lock();
        let written = world.tenants.iter().filter(|(_, tenant)| tenant.written);
        ready(Ok(written.map(|(id, _)| *id).collect()))
    }

    fn queue(&self) -> &dyn Queue {
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

    fn append(&self, batch: Batch) -> Ticket {
        Ticket::ready(self.write(batch))
    }

    fn room(&self) -> Pending<'_, ()> {
        ready(Ok(()))
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()> {
        self.failed().remove(&(self.tenant, execution));
        ready(Ok(()))
    }

    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>> {
        self.read(|tables| tables.versions.get(&hash).cloned())
    }

    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>> {
        self.read(|tables| tables.executions.get(&id).cloned())
    }

    fn lease(&self, id: ExecutionId) -> Pending<'_, Option<Lease>> {
        self.read(|tables| {
            tables.executions.get(&id)?;
            Some(tables.leases.get(&id).cloned().unwrap_or_default())
        })
    }

    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>> {
        self.read(|tables| tables.list_executions(&query))
    }

    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>> {
        self.read(|tables| tables.list_threads(limit))
    }

    fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Pending<'_, Vec<Arc<str>>> {
        self.read(|tables| tables.idle_threads(before, after, limit))
    }

    fn head(&self, execution: ExecutionId) -> Pending<'_, Head> {
        self.read(|tables| tables.head(execution))
    }

    fn standing(&self, id: ExecutionId) -> Pending<'_, Option<Standing>> {
        self.read(|tables| tables.standing(id))
    }

    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>> {
        self.read(|tables| tables.list_entries(execution, after, limit))
    }

    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>> {
        self.read(|tables| tables.stored(&lane, id).map(|(info, _)| info.clone()))
    }

    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>> {
        self.read(|tables| tables.list_checkpoints(&lane, before, limit))
    }

    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>> {
        self.read(|tables| tables.chain(&lane, id))
    }

    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>> {
        self.read(|tables| tables.list_namespaces(&thread))
    }

    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>> {
        self.read(|tables| {
            let writes = tables.pending.get(&(lane, checkpoint));
            writes.map(|writes| writes.values().cloned().collect()).unwrap_or_default()
        })
    }

    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(|tables| tables.effects_of(&lane, &task))
    }

    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(|tables| tables.open_effects(&thread))
    }

    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>> {
        self.read(|tables| {
            let wanted = |interrupt: &&Interrupt| {
                interrupt.lane.thread == thread && !(open_only && interrupt.answer.is_some())
            };
            tables.interrupts.iter().filter(wanted).cloned().collect()
        })
    }

    fn idempotency(&self, key: IdempotencyKey) -> Pending<'_, Option<Idempotency>> {
        self.read(|tables| tables.idempotency.get(&key).cloned())
    }

    fn item(&self, key: ItemKey, now: Timestamp) -> Pending<'_, Option<Item>> {
        if let Err(error) = path_text(&key.namespace) {
            return ready(Err(error));
        }
        self.read(|tables| tables.live_items(now).find(|item| item.key == key).cloned())
    }

    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>> {
        if let Err(error) = path_text(&search.prefix) {
            return ready(Err(error));
        }
        self.read(|tables| tables.search_items(&search, now))
    }

    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>> {
        self.read(|tables| {
            let namespaces = tables.live_items(now).map(|item| item.key.namespace.clone());
            cut_namespaces(&search, namespaces)
        })
    }

    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>> {
        self.read(|tables| {
            let entry = tables.cache.get(&key)?;
            tables::is_live(entry.expires, now).then(|| entry.payload.clone())
        })
    }

    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage> {
        ready(Ok(self.with_tenant(|tenant| tenant.tables.collect_garbage(now))))
    }

    fn prepare_ahead(&self) -> Pending<'_, ()> {
        ready(Ok(()))
    }

    fn export(&self) -> Records {
        let everything = self.with_tenant(|tenant| tenant.tables.everything());
        let (out, records) = channel(everything.len().max(1));
        for record in everything {
            // There is room for all, and nobody has closed it yet.
            let _ = out.try_send(Ok(record));
        }
        records
    }

    fn verify(&self) -> Pending<'_, Verification> {
        self.read(Tables::verify)
    }
}
