//! [`Faults`]: a store that fails as real ones do, by seed, for tests of those
//! who use it.

mod queue;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use weaver_core::{Hash, Timestamp};

use crate::backend::{Backend, Pending, Records};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Standing, ThreadInfo, Verification,
};
use crate::record::{Effect, Entry, Execution, Interrupt, Lease, PendingWrite, WorkflowVersion};
use crate::{
    Batch, CheckpointId, Error, ExecutionId, Idempotency, IdempotencyKey, Lane, Queue, Stats,
    Store, TenantId, Ticket,
};

/// How often what goes wrong, in thousandths of the calls. The same seed and the
/// same order of calls give the same faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Decides which calls.
    pub seed: u64,
    /// A batch is not written, and its ticket says so.
    pub refuse_per_mille: u32,
    /// A batch is written, but its ticket says that this is unknown.
    pub unknown_per_mille: u32,
    /// An answer comes only after it was asked for several times.
    pub delay_per_mille: u32,
    /// A read fails.
    pub read_per_mille: u32,
}

impl Faults {
    /// The same store, with faults.
    pub fn wrap(self, store: Store) -> Store {
        // A generator that starts at 0 stays there.
        let random = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let state = Arc::new(Mutex::new(State { random, failed: HashMap::new() }));
        Store::from_backend(Faulty { store, faults: self, state })
    }
}

struct Faulty {
    store: Store,
    faults: Faults,
    state: Arc<Mutex<State>>,
}

struct State {
    random: u64,
    /// Executions whose later batches are refused, as the contract says.
    failed: HashMap<(TenantId, ExecutionId), Arc<Error>>,
}

impl State {
    fn happens(&mut self, per_mille: u32) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) % 1000 < u64::from(per_mille)
    }
}

fn injected() -> Error {
    Error::Unreachable { server: "the store".into(), reason: "a fault on purpose".into() }
}

/// Answers "not yet" a few times.
async fn delay(delayed: bool) {
    let mut left = if delayed { 3 } else { 0 };
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Faulty {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<'a, T: Send + 'a>(&'a self, answer: Pending<'a, T>) -> Pending<'a, T> {
        let (fails, delayed) = {
            let mut state = self.state();
            (state.happens(self.faults.read_per_mille), state.happens(self.faults.delay_per_mille))
        };
        Box::pin(async move {
            delay(delayed).await;
            if fails { Err(injected()) } else { answer.await }
        })
    }
}

impl Backend for Faulty {
    fn for_tenant(&self, tenant: TenantId) -> Arc<dyn Backend> {
        let (store, state) = (self.store.for_tenant(tenant), self.state.clone());
        Arc::new(Faulty { store, faults: self.faults, state })
    }

    fn tenant(&self) -> TenantId {
        self.store.tenant()
    }

    fn tenants(&self) -> Pending<'_, Vec<TenantId>> {
        self.read(self.store.tenants())
    }

    fn append(&self, batch: Batch) -> Ticket {
        let mut state = self.state();
        if let Some(cause) = batch.execution.and_then(|id| state.failed.get(&(self.tenant(), id))) {
            return Ticket::ready(Err(Error::Aborted { cause: cause.clone() }));
        }
        let refused = state.happens(self.faults.refuse_per_mille);
        let unknown = state.happens(self.faults.unknown_per_mille);
        let delayed = state.happens(self.faults.delay_per_mille);
        let error = match (refused, unknown) {
            (true, _) => Some(injected()),
            (_, true) => Some(Error::UnknownCommit { reason: "a fault on purpose".into() }),
            _ => None,
        };
        if let (Some(id), Some(error)) = (batch.execution, &error) {
            state.failed.insert((self.tenant(), id), Arc::new(error.clone()));
        }
        let written = (!refused).then(|| self.store.append(batch));
        Ticket::from_future(async move {
            delay(delayed).await;
            if let Some(written) = written {
                written.await?;
            }
            error.map_or(Ok(()), Err)
        })
    }

    fn room(&self) -> Pending<'_, ()> {
        self.store.room()
    }

    fn stats(&self) -> Stats {
        self.store.stats()
    }

    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()> {
        self.state().failed.remove(&(self.tenant(), execution));
        self.store.recover(execution)
    }

    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>> {
        self.read(self.store.version(hash))
    }

    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>> {
        self.read(self.store.execution(id))
    }

    fn lease(&self, id: ExecutionId) -> Pending<'_, Option<Lease>> {
        self.read(self.store.lease(id))
    }

    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>> {
        self.read(self.store.executions(query))
    }

    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>> {
        self.read(self.store.threads(limit))
    }

    fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Pending<'_, Vec<Arc<str>>> {
        self.read(self.store.idle_threads(before, after, limit))
    }

    fn head(&self, execution: ExecutionId) -> Pending<'_, Head> {
        self.read(self.store.head(execution))
    }

    fn standing(&self, id: ExecutionId) -> Pending<'_, Option<Standing>> {
        self.read(self.store.standing(id))
    }

    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>> {
        self.read(self.store.entries(execution, after, limit))
    }

    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>> {
        self.read(self.store.checkpoint(lane, id))
    }

    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>> {
        self.read(self.store.checkpoints(lane, before, limit))
    }

    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>> {
        self.read(self.store.chain(lane, id))
    }

    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>> {
        self.read(self.store.namespaces(thread))
    }

    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>> {
        self.read(self.store.pending_writes(lane, checkpoint))
    }

    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(self.store.effects(lane, task))
    }

    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>> {
        self.read(self.store.open_effects(thread))
    }

    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>> {
        self.read(self.store.interrupts(thread, open_only))
    }

    fn idempotency(&self, key: IdempotencyKey) -> Pending<'_, Option<Idempotency>> {
        self.read(self.store.idempotency(key))
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

    fn item(&self, key: ItemKey, now: Timestamp) -> Pending<'_, Option<Item>> {
        self.read(self.store.item(key, now))
    }

    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>> {
        self.read(self.store.search_items(search, now))
    }

    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>> {
        self.read(self.store.item_namespaces(search, now))
    }

    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>> {
        self.read(self.store.cached(key, now))
    }

    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage> {
        self.store.collect_garbage(now)
    }

    fn prepare_ahead(&self) -> Pending<'_, ()> {
        self.store.prepare_ahead()
    }

    fn export(&self) -> Records {
        self.store.export()
    }

    fn verify(&self) -> Pending<'_, Verification> {
        self.store.verify()
    }
}
