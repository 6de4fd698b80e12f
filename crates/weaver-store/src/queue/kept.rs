//! [`Kept`]: what the queue holds of a tenant, to be moved to another store, and what of
//! it is forgotten in time.

use weaver_core::Timestamp;

use super::rows::{Answer, Row, Rows, Slots, StoredReservation};
use super::{Budget, BudgetKey, DeadLetter, Rate, Schedule, Scope, Work, WorkKey, WorkState};
use crate::library::{self, Revision, Workflow, WorkflowKey};
use crate::{Error, Metric, Quota, Record, Sealed, TenantId};

/// One thing that a queue holds, as it is. Its parts are the store's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept(Thing);

#[derive(Clone, Debug, PartialEq)]
enum Thing {
    Weight(u32),
    Slots(Scope, Slots),
    Rate(Scope, Rate, Timestamp),
    Schedule(Schedule),
    Budget(BudgetKey, Budget),
    Reservation(StoredReservation),
    Dead(DeadLetter),
    Workflow(Workflow),
    Revision(WorkflowKey, Revision),
    Sealed(Sealed),
    Metric(Metric),
    Quota(Quota),
    Row(Row),
}

/// What [`super::Queue::forget_over`] forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Idempotency keys that were too old.
    pub keys: u64,
    /// Budgets of executions that were forgotten, and reservations that were settled.
    pub money: u64,
}

/// Rows of the queue that are read in one go.
const ROWS_MAX: usize = 1000;

/// The first page holds everything that is no row, and the first rows; the next ones
/// the rows after a row.
pub(super) async fn page<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    after: &Option<WorkKey>,
) -> Answer<Vec<Record>, R::Error> {
    let mut things = Vec::new();
    let mut keys = Vec::new();
    if after.is_none() {
        things = all_but_rows(rows, *tenant).await?;
        keys = rows.requests(*tenant).await?;
    }
    let page = rows.rows_after(*tenant, after.as_ref(), ROWS_MAX).await?;
    things.extend(page.into_iter().map(|row| Thing::Row(at_rest(row))));
    let things = things.into_iter().map(|thing| Record::Work(Work::Restore(Box::new(Kept(thing)))));
    Ok(keys.into_iter().map(Record::Idempotency).chain(things).collect())
}

async fn all_but_rows<R: Rows>(rows: &mut R, tenant: TenantId) -> Answer<Vec<Thing>, R::Error> {
    let mut things = Vec::new();
    let weight = rows.ranks(tenant, super::ROUTE_DRIVE, Default::default()).await?.weight;
    if weight != 1 {
        things.push(Thing::Weight(weight));
    }
    for limit in rows.limits(tenant).await? {
        let slots = rows.slots(tenant, &limit.scope).await?;
        things.extend(slots.map(|slots| Thing::Slots(limit.scope, slots)));
    }
    let rates = rows.rates(tenant).await?;
    things.extend(rates.into_iter().map(|(scope, rate, even)| Thing::Rate(scope, rate, even)));
    things.extend(rows.schedules(tenant).await?.into_iter().map(Thing::Schedule));
    let budgets = rows.budgets(tenant).await?;
    things.extend(budgets.into_iter().map(|(key, budget)| Thing::Budget(key, budget)));
    things.extend(rows.reservations(tenant).await?.into_iter().map(Thing::Reservation));
    things.extend(rows.dead(tenant, usize::MAX).await?.into_iter().map(Thing::Dead));
    for (workflow, revisions) in library::all(rows, tenant).await? {
        let key = workflow.key;
        things.push(Thing::Workflow(workflow));
        things.extend(revisions.into_iter().map(|revision| Thing::Revision(key, revision)));
    }
    let sealed = rows.sealed(tenant).await?;
    things.extend((!sealed.is_empty()).then_some(Thing::Sealed(sealed)));
    things.extend(rows.quotas(tenant).await?.into_iter().map(Thing::Quota));
    things.extend(rows.metrics(tenant, 0, u32::MAX).await?.into_iter().map(Thing::Metric));
    Ok(things)
}

/// Whoever holds a lease does so only where it is: a row that is leased is as ready as
/// after its end.
fn at_rest(mut row: Row) -> Row {
    if row.state == WorkState::Leased {
        row.state = WorkState::Ready;
    }
    (row.owner, row.until) = (None, None);
    row
}

/// Keeps what was read from another store.
pub(super) async fn restore<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    kept: &Kept,
) -> Answer<(), R::Error> {
    if kept.0.tenant().is_some_and(|whose| whose != tenant) {
        return Err(Error::Invalid("it is another tenant's".into()).into());
    }
    match &kept.0 {
        Thing::Weight(weight) => rows.set_weight(tenant, *weight).await,
        Thing::Slots(scope, slots) => rows.set_slots(tenant, scope, Some(*slots)).await,
        Thing::Rate(scope, rate, even) => rows.set_rate(tenant, scope, Some((*rate, *even))).await,
        Thing::Schedule(schedule) => rows.put_schedule(schedule).await,
        Thing::Budget(key, budget) => rows.put_budget(*key, budget).await,
        Thing::Reservation(stored) => rows.put_reservation(stored).await,
        Thing::Dead(letter) => rows.put_dead(letter).await,
        Thing::Workflow(workflow) => library::restore(rows, tenant, workflow).await,
        Thing::Revision(key, revision) => {
            library::restore_revision(rows, tenant, key, revision).await
        }
        Thing::Sealed(sealed) => rows.put_sealed(tenant, sealed).await,
        Thing::Metric(metric) => rows.put_metrics(tenant, std::slice::from_ref(metric)).await,
        Thing::Quota(quota) => rows.set_quota(tenant, &quota.kind, Some(quota.value)).await,
        Thing::Row(row) => {
            // What comes later has its turn behind it.
            let ranks = rows.ranks(tenant, &row.route, row.priority).await?;
            if row.rank > ranks.last {
                rows.set_last_rank(tenant, &row.route, row.priority, row.rank).await?;
            }
            rows.put(row).await?;
            rows.wake().await
        }
    }
}

impl Thing {
    fn tenant(&self) -> Option<TenantId> {
        match self {
            Thing::Weight(_) | Thing::Slots(..) | Thing::Rate(..) => None,
            Thing::Sealed(_) | Thing::Metric(_) | Thing::Quota(_) => None,
            Thing::Schedule(schedule) => Some(schedule.key.tenant),
            Thing::Budget(key, _) => Some(key.tenant),
            Thing::Reservation(stored) => Some(stored.reservation.budget.tenant),
            Thing::Dead(letter) => Some(letter.key.tenant),
            Thing::Workflow(workflow) => Some(workflow.key.tenant),
            Thing::Revision(key, _) => Some(key.tenant),
            Thing::Row(row) => Some(row.key.tenant),
        }
    }
}

impl Kept {
    /// The row that it is, if it is one: where the next page begins.
    pub fn row(&self) -> Option<&WorkKey> {
        match &self.0 {
            Thing::Row(row) => Some(&row.key),
            _ => None,
        }
    }
}

/// Forgets requests from before a time, and money of what is forgotten.
pub(super) async fn forget_over<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    keys_before: &Option<Timestamp>,
) -> Answer<Forgotten, R::Error> {
    let keys = match keys_before {
        Some(time) => rows.forget_requests(*tenant, *time).await?,
        None => 0,
    };
    Ok(Forgotten { keys, money: rows.forget_money(*tenant).await? })
}
