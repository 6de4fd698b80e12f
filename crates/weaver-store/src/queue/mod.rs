//! The queue: which executions and tasks are to be worked on, by whom, and when.
//!
//! What changes the queue together with state (a submit, the end of a run, a wait,
//! an answer, a cancel) is a [`Work`] in a [`crate::Batch`], so that both are on
//! disk or neither. What only moves work about (claims, leases, timers, limits) is
//! a method of [`Queue`]. [`crate::Store::submit`] and its siblings make the
//! batches whose outcome has to be given once.
//!
//! Invariants:
//! - A row has one key for life and no payload. It goes when its work is done.
//! - A row is `ready` or `leased` only while it holds a slot of every limit that
//!   applies to it. A claim therefore never skips over rows that may not start,
//!   and reads one index: its cost does not depend on how much waits.
//! - Each claim raises the row's fence. A batch that names an older fence, or work
//!   that is no longer leased, changes nothing ([`crate::Error::Fenced`]).
//! - Time is the database's; see [`Clock`].

mod admit;
mod budget;
mod clock;
mod control;
mod flow;
mod kept;
mod limits;
mod operations;
mod rows;
mod schedule;
mod taker;
mod work;

use std::sync::Arc;
use std::time::Duration;

use weaver_core::Timestamp;

pub use budget::{Budget, BudgetKey, Reservation, Reserved};
pub use clock::Clock;
pub use control::{Accepted, Cancelled, Decision, Idempotency, IdempotencyKey, Submission};
pub use kept::{Forgotten, Kept};
pub use limits::{ConcurrencyKey, Limit, Rate, Scope};
pub use schedule::{Missed, Plan, Schedule, ScheduleKey};
pub use taker::Taker;
pub use work::{
    Cancel, Claim, ClaimRequest, DeadLetter, Enqueue, Held, Park, Priority, Promoted, Reaped, Work,
    WorkInfo, WorkKey, WorkState,
};

pub(crate) use flow::{apply, forget_thread};
pub(crate) use operations::{Operation, Transact, operations};
pub(crate) use rows::{
    AccountRows, Answer, Books, Ranks, Row, Rows, Shelf, Slots, StoredReservation, WorkerRows, bit,
    now_or_never,
};

use crate::{Pending, Result, TenantId};

/// The route of executions that are to be driven; tasks for workers have others.
pub const ROUTE_DRIVE: &str = "drive";

/// Moves work about. All methods serve all tenants unless they name one.
///
/// Nothing here waits for work to come: take [`Queue::wakeups`] and look again
/// when it says so, and each second anyway.
pub trait Queue: Send + Sync {
    /// Leases up to `request.count` ready rows of a route to an owner: by priority,
    /// then fairly between tenants, then by age. Raises each row's fence and counts
    /// a delivery.
    fn claim(&self, request: ClaimRequest) -> Pending<'_, Vec<Claim>>;

    /// Holds leases for `lease` longer, from now. Gives those that are still held;
    /// what is missing was cancelled, or somebody else has it: stop working on it.
    fn renew(
        &self,
        owner: Arc<str>,
        held: Vec<(WorkKey, u64)>,
        lease: Duration,
    ) -> Pending<'_, Vec<Held>>;

    /// Hands leased rows back at once; their delivery does not count. Gives how
    /// many were still held.
    fn release(&self, owner: Arc<str>, held: Vec<(WorkKey, u64)>) -> Pending<'_, usize>;

    /// Makes up to `limit` delayed rows ready whose time has come.
    fn promote_due(&self, limit: usize) -> Pending<'_, Promoted>;

    /// Takes up to `limit` rows back whose lease is over: they become ready again,
    /// or dead letters when they were delivered too often.
    fn reap_expired(&self, limit: usize) -> Pending<'_, Reaped>;

    /// Sets how many pieces of work of a scope may be under way at once; `None` for
    /// no limit. What runs goes on; what was held may start.
    fn set_limit(&self, tenant: TenantId, scope: Scope, limit: Option<u32>) -> Pending<'_, ()>;

    /// The limits of a tenant and how much of each is used.
    fn limits(&self, tenant: TenantId) -> Pending<'_, Vec<Limit>>;

    /// How fast executions of a tenant may start, by scope.
    fn rates(&self, tenant: TenantId) -> Pending<'_, Vec<(Scope, Rate)>>;

    /// Sets how fast executions of a scope may start; `None` for as fast as they come.
    /// Counts from the next enqueue on.
    fn set_rate(&self, tenant: TenantId, scope: Scope, rate: Option<Rate>) -> Pending<'_, ()>;

    /// Sets a tenant's share of the claims: one with weight 2 gets twice what one
    /// with weight 1 gets while both have work. 1 at first; 0 is refused.
    fn set_weight(&self, tenant: TenantId, weight: u32) -> Pending<'_, ()>;

    /// One row of the queue.
    fn work(&self, key: WorkKey) -> Pending<'_, Option<WorkInfo>>;

    /// Work of a tenant that was given up, the latest first; limit 0 means 100.
    fn dead_letters(&self, tenant: TenantId, limit: usize) -> Pending<'_, Vec<DeadLetter>>;

    /// Keeps a schedule, in place of an earlier one with its key.
    fn put_schedule(&self, schedule: Schedule) -> Pending<'_, ()>;

    /// Keeps a schedule unless its name is taken. Says whether it was kept.
    fn add_schedule(&self, schedule: Schedule) -> Pending<'_, bool>;

    /// Lets a schedule fire, or stops it. One that fires again begins with the next
    /// slot from now: those that passed meanwhile were not missed. Gives the schedule
    /// as it is then.
    fn enable_schedule(&self, key: ScheduleKey, enabled: bool) -> Pending<'_, Option<Schedule>>;

    /// Forgets a schedule. Says whether there was one.
    fn remove_schedule(&self, key: ScheduleKey) -> Pending<'_, bool>;

    /// One schedule.
    fn schedule(&self, key: ScheduleKey) -> Pending<'_, Option<Schedule>>;

    /// The schedules of a tenant, by name.
    fn schedules(&self, tenant: TenantId) -> Pending<'_, Vec<Schedule>>;

    /// Up to `limit` schedules whose next slot has come, of all tenants.
    fn due_schedules(&self, limit: usize) -> Pending<'_, Vec<Schedule>>;

    /// Sets the limit of a run tree's money; what is settled and reserved stays.
    fn set_budget(&self, key: BudgetKey, limit_micros: u64) -> Pending<'_, ()>;

    /// How a run tree's budget stands; nothing without a budget.
    fn budget(&self, key: BudgetKey) -> Pending<'_, Option<Budget>>;

    /// Sets money aside before it is spent. Refused when settled and reserved money
    /// would go over the limit. A run tree without a budget may spend what it likes.
    /// The same reservation again gives the same answer.
    fn reserve(&self, reservation: Reservation) -> Pending<'_, Reserved>;

    /// What a reservation really cost. `actual_micros` above what was reserved is
    /// taken as it is. The second settling of a reservation changes nothing.
    fn settle(&self, reservation: Reservation, actual_micros: u64) -> Pending<'_, ()>;

    /// Counts the open reservations of an execution from before a fence as spent
    /// and unconfirmed: their holder is gone and nobody knows what it spent. Gives
    /// how many.
    fn abandon_reservations(
        &self,
        key: BudgetKey,
        execution: crate::ExecutionId,
        before_fence: u64,
    ) -> Pending<'_, usize>;

    /// Everything that the queue holds of a tenant, as records that make the same in an
    /// empty store: the first page, or the one after a row ([`Kept::row`]). The last one
    /// holds no row. Leases are left out.
    fn kept(&self, tenant: TenantId, after: Option<WorkKey>) -> Pending<'_, Vec<crate::Record>>;

    /// Forgets a tenant's idempotency keys from before a time, settled reservations, and
    /// budgets of executions that are forgotten.
    fn forget_over(
        &self,
        tenant: TenantId,
        keys_before: Option<Timestamp>,
    ) -> Pending<'_, Forgotten>;

    /// The time of the database.
    fn now(&self) -> Pending<'_, Timestamp>;

    /// Says when it is worth looking at the queue.
    fn wakeups(&self) -> Wakeups;
}

/// Hints that the queue has changed. Several changes may give one hint; a hint may
/// be about nothing, and one may be lost: polling is the truth.
#[derive(Clone, Debug)]
pub struct Wakeups(tokio::sync::watch::Receiver<u64>);

impl Wakeups {
    pub(crate) fn new(receiver: tokio::sync::watch::Receiver<u64>) -> Self {
        Wakeups(receiver)
    }

    /// Waits for a change since the last call: something is ready to be claimed, or
    /// something that is held was cancelled, paused or answered.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The store is closed: nothing will change any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Checks what every limit and weight must be.
pub(crate) fn at_least_one(what: &str, number: u32) -> Result<()> {
    match number {
        0 => Err(crate::Error::Invalid(format!("{what} must be at least 1"))),
        _ => Ok(()),
    }
}
