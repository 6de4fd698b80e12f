//! The methods of [`Queue`], once for all kinds of store: each is an [`Operation`]
//! that a store runs in a transaction of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use weaver_core::Timestamp;

use super::limits::{Limit, Rate, Scope};
use super::rows::{Answer, Row, Rows, Slots};
use super::schedule::{Schedule, ScheduleKey};
use super::work::{Claim, ClaimRequest, DeadLetter, Held, Promoted, Reaped, WorkInfo, WorkKey};
use super::{
    Budget, BudgetKey, Forgotten, Queue, Reservation, Reserved, Wakeups, admit, at_least_one, flow,
};
use crate::{Error, ExecutionId, Pending, Record, Result, TenantId};

/// Something to do in one transaction. It may be run again when the transaction
/// has to be.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What it gives.
    type Output: Send + 'static;

    /// Whether it only reads.
    const READS: bool;

    /// Whether it is on the disk when its answer is there.
    const FLUSHED: bool = true;

    /// Whether it is one question that is about nobody's rows.
    const ALONE: bool = false;

    /// Does it.
    fn run<R: Rows>(
        &self,
        rows: &mut R,
    ) -> impl Future<Output = Answer<Self::Output, R::Error>> + Send;
}

/// A store that runs operations.
pub(crate) trait Transact: Send + Sync {
    /// Runs an operation; done when the answer is there, and durable if it is to be.
    fn transact<O: Operation>(&self, operation: O) -> Pending<'_, O::Output>;

    /// See [`Queue::wakeups`].
    fn wakeups(&self) -> Wakeups;
}

/// Removing a limit starts what it held in pieces of this size, so that nobody
/// waits long for the transaction.
const HAND_ON_MAX: usize = 500;

/// Operations that do what a function over rows does.
macro_rules! operations {
    ($($name:ident $reads:literal ($($field:ident: $type:ty),*) -> $output:ty = $does:path;)*) => {$(
        struct $name { $($field: $type),* }

        impl Operation for $name {
            type Output = $output;
            const READS: bool = $reads;

            async fn run<R: Rows>(&self, rows: &mut R) -> Answer<$output, R::Error> {
                $does(rows, $(&self.$field),*).await
            }
        }
    )*};
}
pub(crate) use operations;

struct ClaimWork {
    request: ClaimRequest,
}

/// A claim reaches the disk with the first batch that is written under it. One that a crash
/// of the database takes back has changed nothing, and no later claim has its fence
/// ([`Rows::lease`]): whoever still works under it is refused.
impl Operation for ClaimWork {
    type Output = Vec<Claim>;
    const READS: bool = false;
    const FLUSHED: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Vec<Claim>, R::Error> {
        claim(rows, &self.request).await
    }
}

operations! {
    Renew false (owner: Arc<str>, held: Vec<(WorkKey, u64)>, lease: Duration) -> Vec<Held> = renew;
    Release false (owner: Arc<str>, held: Vec<(WorkKey, u64)>) -> usize = release;
    PromoteDue false (limit: usize) -> Promoted = promote_due;
    ReapExpired false (limit: usize) -> Reaped = reap_expired;
    SetLimit false (tenant: TenantId, scope: Scope, limit: Option<u32>) -> bool = set_limit;
    Limits true (tenant: TenantId) -> Vec<Limit> = limits;
    Rates false (tenant: TenantId) -> Vec<(Scope, Rate)> = rates;
    SetRate false (tenant: TenantId, scope: Scope, rate: Option<Rate>) -> () = set_rate;
    SetWeight false (tenant: TenantId, weight: u32) -> () = set_weight;
    WorkOf true (key: WorkKey) -> Option<WorkInfo> = work;
    DeadLetters true (tenant: TenantId, limit: usize) -> Vec<DeadLetter> = dead_letters;
    PutSchedule false (schedule: Schedule) -> () = super::schedule::put;
    AddSchedule false (schedule: Schedule) -> bool = super::schedule::add;
    EnableSchedule false (key: ScheduleKey, enabled: bool) -> Option<Schedule>
        = super::schedule::enable;
    RemoveSchedule false (key: ScheduleKey) -> bool = super::schedule::remove;
    ScheduleOf true (key: ScheduleKey) -> Option<Schedule> = super::schedule::get;
    Schedules true (tenant: TenantId) -> Vec<Schedule> = schedules;
    DueSchedules false (limit: usize) -> Vec<Schedule> = due_schedules;
    SetBudget false (key: BudgetKey, limit_micros: u64) -> () = super::budget::set;
    BudgetOf true (key: BudgetKey) -> Option<Budget> = super::budget::get;
    Reserve false (reservation: Reservation) -> Reserved = super::budget::reserve;
    Settle false (reservation: Reservation, actual_micros: u64) -> () = super::budget::settle;
    Abandon false (key: BudgetKey, execution: ExecutionId, before_fence: u64)
        -> usize = super::budget::abandon;
    KeptOf false (tenant: TenantId, after: Option<WorkKey>) -> Vec<Record> = super::kept::page;
    ForgetOver false (tenant: TenantId, keys_before: Option<Timestamp>) -> Forgotten
        = super::kept::forget_over;
}

struct Now;

impl Operation for Now {
    type Output = Timestamp;
    const READS: bool = true;
    const ALONE: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Timestamp, R::Error> {
        rows.now().await
    }
}

impl<S: Transact> Queue for S {
    fn claim(&self, request: ClaimRequest) -> Pending<'_, Vec<Claim>> {
        self.transact(ClaimWork { request })
    }

    fn renew(
        &self,
        owner: Arc<str>,
        held: Vec<(WorkKey, u64)>,
        lease: Duration,
    ) -> Pending<'_, Vec<Held>> {
        self.transact(Renew { owner, held, lease })
    }

    fn release(&self, owner: Arc<str>, held: Vec<(WorkKey, u64)>) -> Pending<'_, usize> {
        self.transact(Release { owner, held })
    }

    fn promote_due(&self, limit: usize) -> Pending<'_, Promoted> {
        self.transact(PromoteDue { limit })
    }

    fn reap_expired(&self, limit: usize) -> Pending<'_, Reaped> {
        self.transact(ReapExpired { limit })
    }

    fn set_limit(&self, tenant: TenantId, scope: Scope, limit: Option<u32>) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(limit) = limit {
                at_least_one("a limit", limit)?;
            }
            while self.transact(SetLimit { tenant, scope: scope.clone(), limit }).await? {}
            Ok(())
        })
    }

    fn limits(&self, tenant: TenantId) -> Pending<'_, Vec<Limit>> {
        self.transact(Limits { tenant })
    }

    fn rates(&self, tenant: TenantId) -> Pending<'_, Vec<(Scope, Rate)>> {
        self.transact(Rates { tenant })
    }

    fn set_rate(&self, tenant: TenantId, scope: Scope, rate: Option<Rate>) -> Pending<'_, ()> {
        if let Err(error) = check_rate(&scope, rate) {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.transact(SetRate { tenant, scope, rate })
    }

    fn set_weight(&self, tenant: TenantId, weight: u32) -> Pending<'_, ()> {
        match at_least_one("a weight", weight) {
            Ok(()) => self.transact(SetWeight { tenant, weight }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn work(&self, key: WorkKey) -> Pending<'_, Option<WorkInfo>> {
        self.transact(WorkOf { key })
    }

    fn dead_letters(&self, tenant: TenantId, limit: usize) -> Pending<'_, Vec<DeadLetter>> {
        self.transact(DeadLetters { tenant, limit: if limit == 0 { 100 } else { limit } })
    }

    fn put_schedule(&self, schedule: Schedule) -> Pending<'_, ()> {
        self.transact(PutSchedule { schedule })
    }

    fn add_schedule(&self, schedule: Schedule) -> Pending<'_, bool> {
        self.transact(AddSchedule { schedule })
    }

    fn enable_schedule(&self, key: ScheduleKey, enabled: bool) -> Pending<'_, Option<Schedule>> {
        self.transact(EnableSchedule { key, enabled })
    }

    fn remove_schedule(&self, key: ScheduleKey) -> Pending<'_, bool> {
        self.transact(RemoveSchedule { key })
    }

    fn schedule(&self, key: ScheduleKey) -> Pending<'_, Option<Schedule>> {
        self.transact(ScheduleOf { key })
    }

    fn schedules(&self, tenant: TenantId) -> Pending<'_, Vec<Schedule>> {
        self.transact(Schedules { tenant })
    }

    fn due_schedules(&self, limit: usize) -> Pending<'_, Vec<Schedule>> {
        self.transact(DueSchedules { limit })
    }

    fn set_budget(&self, key: BudgetKey, limit_micros: u64) -> Pending<'_, ()> {
        self.transact(SetBudget { key, limit_micros })
    }

    fn budget(&self, key: BudgetKey) -> Pending<'_, Option<Budget>> {
        self.transact(BudgetOf { key })
    }

    fn reserve(&self, reservation: Reservation) -> Pending<'_, Reserved> {
        self.transact(Reserve { reservation })
    }

    fn settle(&self, reservation: Reservation, actual_micros: u64) -> Pending<'_, ()> {
        self.transact(Settle { reservation, actual_micros })
    }

    fn abandon_reservations(
        &self,
        key: BudgetKey,
        execution: ExecutionId,
        before_fence: u64,
    ) -> Pending<'_, usize> {
        self.transact(Abandon { key, execution, before_fence })
    }

    fn kept(&self, tenant: TenantId, after: Option<WorkKey>) -> Pending<'_, Vec<Record>> {
        self.transact(KeptOf { tenant, after })
    }

    fn forget_over(
        &self,
        tenant: TenantId,
        keys_before: Option<Timestamp>,
    ) -> Pending<'_, Forgotten> {
        self.transact(ForgetOver { tenant, keys_before })
    }

    fn now(&self) -> Pending<'_, Timestamp> {
        self.transact(Now)
    }

    fn wakeups(&self) -> Wakeups {
        Transact::wakeups(self)
    }
}

fn check_rate(scope: &Scope, rate: Option<Rate>) -> Result<()> {
    if matches!(scope, Scope::Key(_)) {
        return Err(Error::Invalid("a rate is of a workflow or of the tenant".into()));
    }
    rate.map_or(Ok(()), |rate| at_least_one("the burst of a rate", rate.burst))
}

async fn claim<R: Rows>(rows: &mut R, request: &ClaimRequest) -> Answer<Vec<Claim>, R::Error> {
    let leased = rows.lease(request).await?;
    for same_priority in leased.chunk_by(|one, next| one.priority == next.priority) {
        if let Some(last) = same_priority.last() {
            rows.advance_clock(&request.route, last.priority, last.rank).await?;
        }
    }
    Ok(leased.into_iter().map(Row::into_claim).collect())
}

/// The row, if it is still leased to the owner under the fence.
async fn held_row<R: Rows>(
    rows: &mut R,
    owner: &str,
    (key, fence): &(WorkKey, u64),
) -> Answer<Option<Row>, R::Error> {
    let row = rows.row(key).await?;
    Ok(row.filter(|row| row.is_leased(*fence) && row.owner.as_deref() == Some(owner)))
}

/// By tenant and id: whoever locks several rows does so in this order.
fn in_order(held: &[(WorkKey, u64)]) -> Vec<&(WorkKey, u64)> {
    let mut held: Vec<_> = held.iter().collect();
    held.sort();
    held
}

async fn renew<R: Rows>(
    rows: &mut R,
    owner: &Arc<str>,
    held: &[(WorkKey, u64)],
    lease: &Duration,
) -> Answer<Vec<Held>, R::Error> {
    let until = rows.now().await?.after(*lease);
    let mut renewed = Vec::with_capacity(held.len());
    for lease in in_order(held) {
        if let Some(mut row) = held_row(rows, owner, lease).await? {
            row.until = Some(until);
            rows.put(&row).await?;
            renewed.push(Held { key: row.key, fence: row.fence, until, pause: row.paused });
        }
    }
    Ok(renewed)
}

async fn release<R: Rows>(
    rows: &mut R,
    owner: &Arc<str>,
    held: &[(WorkKey, u64)],
) -> Answer<usize, R::Error> {
    let mut count = 0;
    for lease in in_order(held) {
        if let Some(mut row) = held_row(rows, owner, lease).await? {
            row.deliveries -= 1;
            flow::hand_back(rows, row).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn promote_due<R: Rows>(rows: &mut R, limit: &usize) -> Answer<Promoted, R::Error> {
    let now = rows.now().await?;
    let due = rows.due(now, *limit).await?;
    let count = due.len();
    for row in due {
        flow::promote(rows, row, now).await?;
    }
    Ok(Promoted { count, next: rows.next_due().await? })
}

async fn reap_expired<R: Rows>(rows: &mut R, limit: &usize) -> Answer<Reaped, R::Error> {
    let now = rows.now().await?;
    let mut reaped = Reaped::default();
    for row in rows.expired(now, *limit).await? {
        if row.deliveries >= row.deliveries_max {
            flow::bury(rows, row).await?;
            reaped.dead += 1;
        } else {
            flow::hand_back(rows, row).await?;
            reaped.requeued += 1;
        }
    }
    Ok(reaped)
}

/// Sets a limit and starts some of what it held; says whether there may be more.
async fn set_limit<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    scope: &Scope,
    limit: &Option<u32>,
) -> Answer<bool, R::Error> {
    let used = match rows.slots(*tenant, scope).await? {
        Some(slots) => slots.used,
        None if limit.is_none() => return Ok(false),
        None => rows.mark_holders(*tenant, scope).await?,
    };
    // Without a limit of its own a key has the one that its work asks for.
    let fixed = limit.is_some() || !matches!(scope, Scope::Key(_));
    let unset = match rows.first_held(*tenant, scope).await?.and_then(|row| row.concurrency) {
        Some(key) if !fixed => key.limit,
        _ => u32::MAX,
    };
    let slots = Slots { limit: limit.unwrap_or(unset), used, fixed };
    rows.set_slots(*tenant, scope, Some(slots)).await?;
    let more = admit::hand_on(rows, *tenant, scope, HAND_ON_MAX).await? == HAND_ON_MAX;
    if limit.is_none() && !more && fixed {
        rows.set_slots(*tenant, scope, None).await?;
    }
    Ok(more)
}

async fn limits<R: Rows>(rows: &mut R, tenant: &TenantId) -> Answer<Vec<Limit>, R::Error> {
    rows.limits(*tenant).await
}

async fn rates<R: Rows>(rows: &mut R, tenant: &TenantId) -> Answer<Vec<(Scope, Rate)>, R::Error> {
    let rates = rows.rates(*tenant).await?;
    Ok(rates.into_iter().map(|(scope, rate, _)| (scope, rate)).collect())
}

async fn set_rate<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    scope: &Scope,
    rate: &Option<Rate>,
) -> Answer<(), R::Error> {
    let now = rows.now().await?;
    rows.set_rate(*tenant, scope, rate.map(|rate| (rate, now))).await
}

async fn set_weight<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    weight: &u32,
) -> Answer<(), R::Error> {
    rows.set_weight(*tenant, *weight).await
}

async fn work<R: Rows>(rows: &mut R, key: &WorkKey) -> Answer<Option<WorkInfo>, R::Error> {
    Ok(rows.row(key).await?.map(Row::into_info))
}

async fn dead_letters<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    limit: &usize,
) -> Answer<Vec<DeadLetter>, R::Error> {
    rows.dead(*tenant, *limit).await
}

async fn schedules<R: Rows>(rows: &mut R, tenant: &TenantId) -> Answer<Vec<Schedule>, R::Error> {
    rows.schedules(*tenant).await
}

async fn due_schedules<R: Rows>(rows: &mut R, limit: &usize) -> Answer<Vec<Schedule>, R::Error> {
    let now = rows.now().await?;
    rows.due_schedules(now, *limit).await
}
