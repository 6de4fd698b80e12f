//! Slots, ranks and rates: who may start, in which order, and how fast.
//!
//! *Slots.* A row takes a slot of each limit that applies to it, in the order key,
//! workflow, tenant, and keeps those that it has while it waits for the next. All
//! wait in the same order, so there is no circle. While a scope has a held row its
//! slots are all used; the row that frees one hands it to the first held row in
//! the same transaction.
//!
//! *Ranks* are start-time fair queueing: each ready row's rank is one step of
//! `COST / weight` after its tenant's last rank, or after the rank claimed last if
//! the tenant had nothing queued for a while. Claims go by rank. A tenant that
//! queues a million rows at once gets ranks far ahead, and another's first row
//! still comes next. A tenant's waiting earns it nothing: held rows get their rank
//! when they become ready.

use weaver_core::Timestamp;

use super::limits::Scope;
use super::rows::{Answer, Row, Rows, Slots, before, bit};
use super::taker::Taker;
use super::work::WorkState;
use crate::TenantId;

/// One claim of a tenant with weight 1. Divisible by usual weights; 2^43 claims fit
/// before ranks overflow.
const COST: i64 = 1 << 20;

/// Lets a row wait for its turn: it becomes ready, or held, or is paused. What becomes ready
/// is leased to `taker`, if there is one.
pub(super) async fn enter<R: Rows>(
    rows: &mut R,
    row: &mut Row,
    now: Timestamp,
    taker: Option<&Taker>,
) -> Answer<(), R::Error> {
    row.since = now;
    row.run_at = None;
    if row.paused {
        row.state = WorkState::Paused;
        return rows.put(row).await;
    }
    if let (Some(key), Some(scope)) = (&row.concurrency, row.scopes().first()) {
        agree(rows, row.key.tenant, scope, key.limit).await?;
    }
    if !take_slots(rows, row).await? {
        return rows.put(row).await;
    }
    match taker {
        Some(taker) => taker.take(rows, row, now).await,
        None => make_ready(rows, row).await,
    }
}

/// The limit of a key is what its latest work says, unless it was set.
async fn agree<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    scope: &Scope,
    limit: u32,
) -> Answer<(), R::Error> {
    let slots = match rows.slots(tenant, scope).await? {
        None => Slots { limit, used: 0, fixed: false },
        Some(slots) if slots.fixed || slots.limit == limit => return Ok(()),
        Some(slots) => Slots { limit, ..slots },
    };
    rows.set_slots(tenant, scope, Some(slots)).await?;
    hand_on(rows, tenant, scope, usize::MAX).await.map(drop)
}

/// Takes the slots that a row still needs. Says whether it has all of them; else it is held.
async fn take_slots<R: Rows>(rows: &mut R, row: &mut Row) -> Answer<bool, R::Error> {
    for scope in row.scopes() {
        if row.slots & bit(&scope) != 0 {
            continue;
        }
        let Some(slots) = rows.slots(row.key.tenant, &scope).await? else { continue };
        if slots.used >= slots.limit {
            row.state = WorkState::Held;
            row.held_on = Some(scope);
            return Ok(false);
        }
        let slots = Slots { used: slots.used + 1, ..slots };
        rows.set_slots(row.key.tenant, &scope, Some(slots)).await?;
        row.slots |= bit(&scope);
    }
    row.held_on = None;
    Ok(true)
}

async fn make_ready<R: Rows>(rows: &mut R, row: &mut Row) -> Answer<(), R::Error> {
    row.state = WorkState::Ready;
    row.rank = next_rank(rows, row).await?;
    rows.put(row).await?;
    rows.wake().await
}

async fn next_rank<R: Rows>(rows: &mut R, row: &Row) -> Answer<i64, R::Error> {
    let tenant = row.key.tenant;
    let ranks = rows.ranks(tenant, &row.route, row.priority).await?;
    let step = (COST / i64::from(ranks.weight.max(1))).max(1);
    let rank = ranks.last.max(ranks.clock).saturating_add(step);
    rows.set_last_rank(tenant, &row.route, row.priority, rank).await?;
    Ok(rank)
}

/// Gives a row's slots back, each to the first row that waits for it. The row must
/// not be held, and be put or removed by the caller.
pub(super) async fn free<R: Rows>(rows: &mut R, row: &mut Row) -> Answer<(), R::Error> {
    for scope in row.scopes() {
        if row.slots & bit(&scope) == 0 {
            continue;
        }
        let tenant = row.key.tenant;
        if let Some(slots) = rows.slots(tenant, &scope).await? {
            let slots = Slots { used: slots.used.saturating_sub(1), ..slots };
            rows.set_slots(tenant, &scope, Some(slots)).await?;
            hand_on(rows, tenant, &scope, usize::MAX).await?;
            forget_unused(rows, tenant, &scope).await?;
        }
    }
    row.slots = 0;
    Ok(())
}

/// Gives free slots of a scope to at most `limit` rows that wait for them. Gives how
/// many got one.
pub(super) async fn hand_on<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    scope: &Scope,
    limit: usize,
) -> Answer<usize, R::Error> {
    let mut count = 0;
    while count < limit {
        let Some(slots) = rows.slots(tenant, scope).await? else { break };
        if slots.used >= slots.limit {
            break;
        }
        let Some(mut row) = rows.first_held(tenant, scope).await? else { break };
        match take_slots(rows, &mut row).await? {
            true => make_ready(rows, &mut row).await?,
            false => rows.put(&row).await?,
        }
        count += 1;
    }
    Ok(count)
}

async fn forget_unused<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    scope: &Scope,
) -> Answer<(), R::Error> {
    match rows.slots(tenant, scope).await? {
        Some(Slots { used: 0, fixed: false, .. }) => rows.set_slots(tenant, scope, None).await,
        _ => Ok(()),
    }
}

/// When an execution may start by the rates of its workflow and tenant, and takes
/// its place in them (the generic cell rate algorithm: each scope remembers when
/// the next start would be due if all came evenly).
pub(super) async fn paced<R: Rows>(
    rows: &mut R,
    row: &Row,
    now: Timestamp,
) -> Answer<Option<Timestamp>, R::Error> {
    let mut start = None;
    for scope in row.scopes() {
        if let Some((rate, even)) = rows.rate(row.key.tenant, &scope).await? {
            let even = even.max(now).after(rate.interval);
            rows.set_rate(row.key.tenant, &scope, Some((rate, even))).await?;
            start = start.max(Some(before(even, rate.interval.saturating_mul(rate.burst))));
        }
    }
    Ok(start)
}
