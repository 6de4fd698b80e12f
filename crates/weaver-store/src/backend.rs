//! [`Backend`]: what every kind of store can do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::batch::{Batch, Record};
use crate::item::{Item, ItemKey, ItemSearch, NamespaceSearch};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Overview, Standing, ThreadInfo,
    Verification,
};
use crate::record::{Effect, Entry, Execution, Interrupt, Lease, PendingWrite, WorkflowVersion};
use crate::{
    Accounts, CheckpointId, ExecutionId, Idempotency, IdempotencyKey, Lane, Library, Queue, Result,
    Roster, Stats, TenantId, Ticket, WorkInfo, WorkKey,
};

/// An answer that may have to be waited for. Needs no particular runtime.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Records on their way from a store. Ends after the last, or after an error;
/// dropping it ends the reading.
pub type Records = tokio::sync::mpsc::Receiver<Result<Record>>;

/// One kind of store. Reads see what is durable: a batch is visible to all of
/// them once its ticket has said `Ok`, whole.
pub trait Backend: Send + Sync {
    /// The same store as another tenant sees it. They share what is behind it,
    /// and nothing else.
    fn for_tenant(&self, tenant: TenantId) -> Arc<dyn Backend>;

    /// Whose handle this is.
    fn tenant(&self) -> TenantId;

    /// The tenants that have written, in no particular order. The only thing that
    /// a handle says of others: for who runs the house, never for its guests.
    fn tenants(&self) -> Pending<'_, Vec<TenantId>>;

    /// Hands a batch over to be written. Never waits. Batches of one execution
    /// become durable in the order of these calls; so do batches of no execution
    /// among themselves. Between different ones a store may choose the order,
    /// unless one was awaited before the other was handed over. Once this returns, the batch is on its way whatever happens
    /// to the ticket. Between batches await [`Backend::room`].
    fn append(&self, batch: Batch) -> Ticket;

    /// Waits until the queue of unwritten batches is below its bound, so that a
    /// fast producer cannot fill the memory. At once, mostly.
    fn room(&self) -> Pending<'_, ()>;

    /// What the store has been doing. Of all tenants: for who runs the house.
    fn stats(&self) -> Stats;

    /// Takes batches of an execution again after one of them failed. Call it when
    /// no batch of the execution is on its way, and read the log's end again
    /// before appending.
    fn recover(&self, execution: ExecutionId) -> Pending<'_, ()>;

    /// A version of a source.
    fn version(&self, hash: Hash) -> Pending<'_, Option<WorkflowVersion>>;

    /// One execution.
    fn execution(&self, id: ExecutionId) -> Pending<'_, Option<Execution>>;

    /// An execution with its row in the queue, if it has one; nothing when there is no
    /// such execution.
    fn queued(&self, id: ExecutionId) -> Pending<'_, Option<(Execution, Option<WorkInfo>)>> {
        Box::pin(async move {
            let Some(execution) = self.execution(id).await? else { return Ok(None) };
            let work = self.queue().work(WorkKey::execution(self.tenant(), id)).await?;
            Ok(Some((execution, work)))
        })
    }

    /// The rows in the queue of those of these executions that have one, in no particular
    /// order.
    fn works(&self, ids: Vec<ExecutionId>) -> Pending<'_, Vec<WorkInfo>> {
        Box::pin(async move {
            let mut works = Vec::with_capacity(ids.len());
            for id in ids {
                works.extend(self.queue().work(WorkKey::execution(self.tenant(), id)).await?);
            }
            Ok(works)
        })
    }

    /// Who drives an execution; nothing when there is no such execution.
    fn lease(&self, id: ExecutionId) -> Pending<'_, Option<Lease>>;

    /// Executions, newest first.
    fn executions(&self, query: ExecutionQuery) -> Pending<'_, Vec<Execution>>;

    /// Threads, those with the newest execution first; limit 0 means 100.
    fn threads(&self, limit: usize) -> Pending<'_, Vec<ThreadInfo>>;

    /// Threads whose executions have all ended before a time, by name, starting after
    /// a name.
    fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Pending<'_, Vec<Arc<str>>>;

    /// Where an execution's log ends; sequence 0 when it has no entry.
    fn head(&self, execution: ExecutionId) -> Pending<'_, Head>;

    /// How an execution stands, read in one go; nothing when there is no such execution.
    fn standing(&self, id: ExecutionId) -> Pending<'_, Option<Standing>>;

    /// The first and the last entry of an execution's log, the same if it has one only.
    fn ends(&self, execution: ExecutionId) -> Pending<'_, Option<(Entry, Entry)>> {
        Box::pin(async move {
            let Head { sequence, .. } = self.head(execution).await?;
            let first = self.entries(execution, 0, 1).await?.pop();
            let last = self.entries(execution, sequence.saturating_sub(1), 1).await?.pop();
            Ok(first.zip(last))
        })
    }

    /// [`Backend::queued`] and [`Backend::ends`], read in one go.
    fn overview(&self, id: ExecutionId) -> Pending<'_, Option<Overview>> {
        Box::pin(async move {
            let Some((execution, work)) = self.queued(id).await? else { return Ok(None) };
            Ok(Some(Overview { execution, work, ends: self.ends(id).await? }))
        })
    }

    /// Entries with a sequence above `after`, in order; limit 0 means all.
    fn entries(&self, execution: ExecutionId, after: u64, limit: usize) -> Pending<'_, Vec<Entry>>;

    /// The last appended checkpoint of a lane, or the one with the given id.
    fn checkpoint(
        &self,
        lane: Lane,
        id: Option<CheckpointId>,
    ) -> Pending<'_, Option<CheckpointInfo>>;

    /// Checkpoints of a lane, the last appended first, starting after `before`; limit
    /// 0 means all.
    fn checkpoints(
        &self,
        lane: Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Pending<'_, Vec<CheckpointInfo>>;

    /// What builds the state at the last appended checkpoint, or at the given one.
    fn chain(&self, lane: Lane, id: Option<CheckpointId>) -> Pending<'_, Option<Chain>>;

    /// The namespaces of a thread that have checkpoints, in order of their first.
    fn namespaces(&self, thread: Arc<str>) -> Pending<'_, Vec<Arc<str>>>;

    /// Pending writes of a checkpoint, by task.
    fn pending_writes(
        &self,
        lane: Lane,
        checkpoint: CheckpointId,
    ) -> Pending<'_, Vec<PendingWrite>>;

    /// The calls of one task, by ordinal.
    fn effects(&self, lane: Lane, task: Arc<str>) -> Pending<'_, Vec<Effect>>;

    /// Calls of a thread that were announced and have no result, in the order of
    /// their record.
    fn open_effects(&self, thread: Arc<str>) -> Pending<'_, Vec<Effect>>;

    /// Interrupts of a thread, oldest first; with `open_only` those without answer.
    fn interrupts(&self, thread: Arc<str>, open_only: bool) -> Pending<'_, Vec<Interrupt>>;

    /// The request that took effect under a key.
    fn idempotency(&self, key: IdempotencyKey) -> Pending<'_, Option<Idempotency>>;

    /// The queue, that of all tenants: for those who run the work.
    fn queue(&self) -> &dyn Queue;

    /// The workflows that people keep.
    fn library(&self) -> &dyn Library;

    /// What tenants have beside their runs.
    fn accounts(&self) -> &dyn Accounts;

    /// Who pulls tasks.
    fn roster(&self) -> &dyn Roster;

    /// A memory, unless its time is over at `now`.
    fn item(&self, key: ItemKey, now: Timestamp) -> Pending<'_, Option<Item>>;

    /// Memories, the last updated first.
    fn search_items(&self, search: ItemSearch, now: Timestamp) -> Pending<'_, Vec<Item>>;

    /// Namespaces that hold memories, in order.
    fn item_namespaces(
        &self,
        search: NamespaceSearch,
        now: Timestamp,
    ) -> Pending<'_, Vec<Vec<String>>>;

    /// What the node cache holds for a key, unless its time is over at `now`.
    fn cached(&self, key: Hash, now: Timestamp) -> Pending<'_, Option<Vec<u8>>>;

    /// Frees what nothing of this tenant names and what is over at `now`.
    fn collect_garbage(&self, now: Timestamp) -> Pending<'_, Garbage>;

    /// Makes what the coming months need: partitions, where there are any.
    fn prepare_ahead(&self) -> Pending<'_, ()>;

    /// Everything of this tenant as it is at one moment, as records that make the
    /// same when they are appended to an empty store in this order. Who drives
    /// executions is left out: it is true only where it is.
    fn export(&self) -> Records;

    /// Checks everything of this tenant: every hash chain, every blob; and the
    /// file, where there is one. Slow.
    fn verify(&self) -> Pending<'_, Verification>;
}
