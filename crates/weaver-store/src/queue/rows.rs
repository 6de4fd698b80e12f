//! [`Rows`]: what the queue needs of a database, inside one transaction.
//!
//! The rules of the queue are written once (`flow.rs` and its neighbours) over
//! these small reads and writes. In memory and on SQLite the futures are ready at
//! once ([`now_or_never`]); on PostgreSQL they are round trips.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use uuid::Uuid;
use weaver_core::Timestamp;

use super::budget::{Budget, BudgetKey, Reservation};
use super::control::Idempotency;
use super::limits::{ConcurrencyKey, Limit, Rate, Scope};
use super::schedule::{Schedule, ScheduleKey};
use super::work::{
    Cancel, Claim, ClaimRequest, DeadLetter, Priority, WorkInfo, WorkKey, WorkState,
};
use crate::library::{Revision, Workflow, WorkflowKey};
use crate::{
    Error, ExecutionId, ExecutionStatus, Metric, Quota, Sealed, TenantId, Worker, WorkflowId,
};

/// A row of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: WorkKey,
    pub(crate) route: Arc<str>,
    pub(crate) priority: Priority,
    pub(crate) workflow: Option<Arc<str>>,
    pub(crate) concurrency: Option<ConcurrencyKey>,
    pub(crate) state: WorkState,
    /// Its place among ready rows of its route and priority.
    pub(crate) rank: i64,
    /// Since when it waits for its turn: the order of held rows.
    pub(crate) since: Timestamp,
    pub(crate) run_at: Option<Timestamp>,
    /// The slots that it holds, [`bit`]s.
    pub(crate) slots: u8,
    pub(crate) held_on: Option<Scope>,
    pub(crate) deliveries: u32,
    pub(crate) deliveries_max: u32,
    pub(crate) fence: u64,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) paused: bool,
    /// Woken while it was leased.
    pub(crate) woken: bool,
}

/// The bit of a scope in [`Row::slots`]. Slots are taken in the order of the bits,
/// so that nobody waits for a slot that somebody behind him holds.
pub(crate) fn bit(scope: &Scope) -> u8 {
    match scope {
        Scope::Key(_) => 1,
        Scope::Workflow(_) => 2,
        Scope::Tenant => 4,
    }
}

impl Row {
    /// The scopes whose limits apply, in the order in which slots are taken. A task
    /// works for an execution that is counted already.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        let key = self.concurrency.as_ref().map(|key| Scope::Key(key.name.clone()));
        let of_execution = self.key.is_execution();
        let workflow = self.workflow.clone().filter(|_| of_execution).map(Scope::Workflow);
        let tenant = of_execution.then_some(Scope::Tenant);
        key.into_iter().chain(workflow).chain(tenant).collect()
    }

    /// One more delivery, to this owner, under a fence that is higher by `raise`.
    pub(crate) fn lease_to(&mut self, owner: &Arc<str>, until: Timestamp, raise: u64) {
        self.state = WorkState::Leased;
        self.owner = Some(owner.clone());
        self.until = Some(until);
        self.fence += raise;
        self.deliveries += 1;
        self.woken = false;
    }

    /// Whether it is leased under this fence.
    pub(crate) fn is_leased(&self, fence: u64) -> bool {
        self.state == WorkState::Leased && self.fence == fence
    }

    /// What whoever it is leased to knows of it.
    pub(crate) fn into_claim(self) -> Claim {
        Claim {
            until: self.until.expect("a leased row has an end of its lease"),
            key: self.key,
            fence: self.fence,
            deliveries: self.deliveries,
            priority: self.priority,
            since: self.since,
        }
    }

    pub(crate) fn into_info(self) -> WorkInfo {
        WorkInfo {
            lease: self.owner.zip(self.until),
            key: self.key,
            route: self.route,
            state: self.state,
            priority: self.priority,
            held_on: self.held_on,
            run_at: self.run_at,
            since: self.since,
            deliveries: self.deliveries,
            fence: self.fence,
            paused: self.paused,
        }
    }
}

/// The slots of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) limit: u32,
    pub(crate) used: u32,
    /// Set by [`super::Queue::set_limit`]; otherwise by the work with the key, and
    /// gone when unused.
    pub(crate) fixed: bool,
}

/// What a rank is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranks {
    /// The tenant's last rank at this route and priority.
    pub(crate) last: i64,
    /// The rank claimed last, of any tenant.
    pub(crate) clock: i64,
    /// The tenant's weight.
    pub(crate) weight: u32,
}

/// The stored part of a budget's reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredReservation {
    pub(crate) reservation: Reservation,
    /// Settled or abandoned.
    pub(crate) closed: bool,
}

/// An answer of [`Rows`].
pub(crate) type Answer<T, E> = std::result::Result<T, E>;

/// A trait whose methods are async, and ready for any thread.
macro_rules! rows_trait {
    (
        $(#[$about:meta])* trait $trait:ident: $($bound:ident),* { $(type $error:ident;)? }
        $($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
    ) => {
        $(#[$about])*
        pub(crate) trait $trait: $($bound +)* {
            $(/// What can go wrong.
            type $error: From<Error> + Send;)?

            $($(#[$doc])*
            fn $name(&mut self, $($argument: $type),*)
                -> impl Future<Output = Answer<$answer, Self::Error>> + Send;)*
        }
    };
}

rows_trait! {
    /// Reads and writes of one transaction: what waits, and the limits that it waits
    /// for. What a method reads nobody else changes before the transaction ends.
    trait Rows: AccountRows, WorkerRows {}

    /// One row.
    fn row(key: &WorkKey) -> Option<Row>;
    /// Rows of a tenant in the order of their keys, from the one after a key on.
    fn rows_after(tenant: TenantId, after: Option<&WorkKey>, limit: usize) -> Vec<Row>;
    /// The row of an execution and those of its tasks.
    fn rows_of(tenant: TenantId, execution: ExecutionId) -> Vec<Row>;
    /// Executions of a thread that have a row.
    fn queued_of(tenant: TenantId, thread: &str) -> Vec<ExecutionId>;
    /// Keeps a row, in place of the one with its key.
    fn put(row: &Row) -> ();
    /// Keeps the row of an execution that was leased just now: batches of that must have its
    /// fence from now on.
    fn put_leased(row: &Row) -> ();
    /// Forgets a row.
    fn remove(key: &WorkKey) -> ();
    /// Leases ready rows from now on, in order, raises the fences of executions, and gives the
    /// rows as they are now. A store that may lose a claim that it has answered never
    /// gives its fence again.
    fn lease(request: &ClaimRequest) -> Vec<Row>;
    /// Delayed rows whose time has come, the earliest first.
    fn due(now: Timestamp, limit: usize) -> Vec<Row>;
    /// The earliest time of a delayed row.
    fn next_due() -> Option<Timestamp>;
    /// Leased rows whose lease is over, the earliest first.
    fn expired(now: Timestamp, limit: usize) -> Vec<Row>;
    /// What the next rank is computed from.
    fn ranks(tenant: TenantId, route: &str, priority: Priority) -> Ranks;
    /// The tenant's last rank.
    fn set_last_rank(tenant: TenantId, route: &str, priority: Priority, rank: i64) -> ();
    /// The rank claimed last is at least this.
    fn advance_clock(route: &str, priority: Priority, rank: i64) -> ();
    /// A tenant's weight.
    fn set_weight(tenant: TenantId, weight: u32) -> ();
    /// The slots of a scope, if it has a limit.
    fn slots(tenant: TenantId, scope: &Scope) -> Option<Slots>;
    /// Keeps or forgets the slots of a scope.
    fn set_slots(tenant: TenantId, scope: &Scope, slots: Option<Slots>) -> ();
    /// The scopes of a tenant that have limits, in order.
    fn limits(tenant: TenantId) -> Vec<Limit>;
    /// Gives a slot of the scope to all rows that would hold one, and says how many.
    fn mark_holders(tenant: TenantId, scope: &Scope) -> u32;
    /// The first row that waits for a slot of the scope.
    fn first_held(tenant: TenantId, scope: &Scope) -> Option<Row>;
    /// How fast executions of a scope may start, and when the next would be due if
    /// all came evenly.
    fn rate(tenant: TenantId, scope: &Scope) -> Option<(Rate, Timestamp)>;
    /// The rates of a tenant, by scope, each with when the next start would be due.
    fn rates(tenant: TenantId) -> Vec<(Scope, Rate, Timestamp)>;
    /// Keeps or forgets that.
    fn set_rate(tenant: TenantId, scope: &Scope, rate: Option<(Rate, Timestamp)>) -> ();
    /// Somebody should look at the queue once this transaction is durable.
    fn wake() -> ();
}

rows_trait! {
    /// Reads and writes of the same transaction: what stands beside the queue.
    trait Books: Shelf {}

    /// The database's time.
    fn now() -> Timestamp;
    /// Keeps a dead letter.
    fn put_dead(letter: &DeadLetter) -> ();
    /// Forgets a dead letter.
    fn remove_dead(key: &WorkKey) -> ();
    /// Dead letters of a tenant, the latest first.
    fn dead(tenant: TenantId, limit: usize) -> Vec<DeadLetter>;
    /// How an execution stands, if there is one.
    fn status(tenant: TenantId, execution: ExecutionId) -> Option<ExecutionStatus>;
    /// How an execution stands now, unless it has ended.
    fn set_status(tenant: TenantId, execution: ExecutionId, status: ExecutionStatus) -> ();
    /// The fence of an execution; 0 when there is none.
    fn fence(tenant: TenantId, execution: ExecutionId) -> u64;
    /// The execution and its descendants, those that have not ended.
    fn open_tree(tenant: TenantId, execution: ExecutionId) -> Vec<ExecutionId>;
    /// Ends an execution as cancelled, with a last line in its log, under a fence
    /// that nobody has.
    fn cancel(tenant: TenantId, execution: ExecutionId, cancel: &Cancel) -> ();
    /// A schedule.
    fn schedule(key: &ScheduleKey) -> Option<Schedule>;
    /// Keeps a schedule, in place of the one with its key.
    fn put_schedule(schedule: &Schedule) -> ();
    /// Forgets a schedule.
    fn remove_schedule(key: &ScheduleKey) -> ();
    /// The schedules of a tenant, by name.
    fn schedules(tenant: TenantId) -> Vec<Schedule>;
    /// Enabled schedules whose slot has come, the earliest first.
    fn due_schedules(now: Timestamp, limit: usize) -> Vec<Schedule>;
    /// A budget.
    fn budget(key: BudgetKey) -> Option<Budget>;
    /// Keeps a budget.
    fn put_budget(key: BudgetKey, budget: &Budget) -> ();
    /// A reservation.
    fn reservation(reservation: &Reservation) -> Option<StoredReservation>;
    /// Keeps a reservation.
    fn put_reservation(stored: &StoredReservation) -> ();
    /// The budgets of a tenant, by execution.
    fn budgets(tenant: TenantId) -> Vec<(BudgetKey, Budget)>;
    /// Open reservations of a tenant, by execution and name.
    fn reservations(tenant: TenantId) -> Vec<StoredReservation>;
    /// Forgets closed reservations, and budgets of executions that are not there. Says
    /// how many.
    fn forget_money(tenant: TenantId) -> u64;
    /// Requests of a tenant that took effect, by key.
    fn requests(tenant: TenantId) -> Vec<Idempotency>;
    /// Forgets requests from before a time. Says how many.
    fn forget_requests(tenant: TenantId, before: Timestamp) -> u64;
    /// Open reservations of an execution from before a fence.
    fn open_reservations(
        key: BudgetKey, execution: ExecutionId, before_fence: u64
    ) -> Vec<Reservation>;
}

rows_trait! {
    /// Reads and writes of the same transaction: workflows that people keep. A workflow
    /// that a transaction reads to change it nobody else changes before its end.
    trait Shelf: Send { type Error; }

    /// A workflow.
    fn workflow(key: &WorkflowKey) -> Option<Workflow>;
    /// Keeps a workflow, in place of the one with its key.
    fn put_workflow(workflow: &Workflow) -> ();
    /// Keeps a revision that is not there.
    fn put_revision(key: &WorkflowKey, revision: &Revision) -> ();
    /// Forgets a workflow with its revisions.
    fn remove_workflow(key: &WorkflowKey) -> ();
    /// Workflows of a tenant, the greatest id first, below an id.
    fn workflows(tenant: TenantId, before: Option<WorkflowId>, limit: usize) -> Vec<Workflow>;
    /// Revisions of a workflow, the newest first, below a version.
    fn revisions(key: &WorkflowKey, before: Option<u64>, limit: usize) -> Vec<Revision>;
}

rows_trait! {
    /// Reads and writes of the same transaction: what a tenant has beside its runs.
    trait AccountRows: Books {}

    /// What a tenant keeps sealed.
    fn sealed(tenant: TenantId) -> Sealed;
    /// Keeps that in place of all that was there.
    fn put_sealed(tenant: TenantId, sealed: &Sealed) -> ();
    /// Keeps metrics, each in place of the one with its key.
    fn put_metrics(tenant: TenantId, metrics: &[Metric]) -> ();
    /// Metrics of these days, by key.
    fn metrics(tenant: TenantId, from: u32, to: u32) -> Vec<Metric>;
    /// Keeps or forgets a quota.
    fn set_quota(tenant: TenantId, kind: &Arc<str>, value: Option<u64>) -> ();
    /// Quotas, by kind.
    fn quotas(tenant: TenantId) -> Vec<Quota>;
}

rows_trait! {
    /// Reads and writes of the same transaction: who pulls a tenant's tasks.
    trait WorkerRows: Books {}

    /// A worker. One that a transaction reads to change it nobody else changes before
    /// its end.
    fn worker(tenant: TenantId, id: Uuid) -> Option<Worker>;
    /// Keeps a worker, in place of the one with its id.
    fn put_worker(worker: &Worker) -> ();
    /// Forgets a worker.
    fn remove_worker(tenant: TenantId, id: Uuid) -> ();
    /// Forgets workers that were not seen since a time.
    fn forget_workers(tenant: TenantId, before: Timestamp) -> ();
    /// Workers, the greatest id first.
    fn workers(tenant: TenantId, limit: usize) -> Vec<Worker>;
}

/// The outcome of a future over rows that never wait.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("these rows never wait"),
    }
}

/// A moment `span` before.
pub(crate) fn before(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}
