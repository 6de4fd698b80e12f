//! Money of a run tree: set aside before it is spent.

use uuid::Uuid;

use super::rows::{Answer, Rows, StoredReservation};
use crate::{ExecutionId, TenantId};

/// Names the budget of a run tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey {
    /// Whose.
    pub tenant: TenantId,
    /// The execution at the root of the tree.
    pub root: ExecutionId,
}

impl BudgetKey {
    /// The budget of no execution but of a name, such as a month: it stays when
    /// executions are forgotten.
    pub fn named(tenant: TenantId, name: &str) -> Self {
        let hash = weaver_core::Hash::of(name.as_bytes());
        let bytes = hash.0[..16].try_into().expect("a hash has 32 bytes");
        BudgetKey { tenant, root: ExecutionId(uuid::Builder::from_custom_bytes(bytes).into_uuid()) }
    }

    /// Ids of executions are of other versions.
    pub(crate) fn is_named(&self) -> bool {
        self.root.0.get_version_num() == NAMED_VERSION
    }
}

/// The version of ids that are made of names.
const NAMED_VERSION: usize = 8;

/// How a budget stands, in millionths of a US dollar. Settled and reserved money
/// together are never above the limit through a reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// How much may be spent.
    pub limit_micros: u64,
    /// What was spent, the unconfirmed part included.
    pub settled_micros: u64,
    /// What is set aside.
    pub reserved_micros: u64,
    /// What lost attempts had set aside: it counts as spent, and may not have been.
    pub unconfirmed_micros: u64,
}

/// Money set aside for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Whose money.
    pub budget: BudgetKey,
    /// Its name; a second reservation with it is the same one.
    pub id: Uuid,
    /// The execution that makes the call.
    pub execution: ExecutionId,
    /// The fence under which it works.
    pub fence: u64,
    /// The most that the call can cost, in millionths of a US dollar.
    pub amount_micros: u64,
}

/// The answer to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Spend it.
    Granted,
    /// Not so much is left.
    Exceeded {
        /// How much is, in millionths of a US dollar.
        left_micros: u64,
    },
}

impl Budget {
    /// What may still be reserved.
    pub fn left_micros(&self) -> u64 {
        let gone = self.settled_micros.saturating_add(self.reserved_micros);
        self.limit_micros.saturating_sub(gone)
    }
}

/// Sets a budget's limit.
pub(super) async fn set<R: Rows>(
    rows: &mut R,
    key: &BudgetKey,
    limit_micros: &u64,
) -> Answer<(), R::Error> {
    let budget = rows.budget(*key).await?.unwrap_or_default();
    rows.put_budget(*key, &Budget { limit_micros: *limit_micros, ..budget }).await
}

/// A budget.
pub(super) async fn get<R: Rows>(
    rows: &mut R,
    key: &BudgetKey,
) -> Answer<Option<Budget>, R::Error> {
    rows.budget(*key).await
}

/// Sets money aside.
pub(super) async fn reserve<R: Rows>(
    rows: &mut R,
    reservation: &Reservation,
) -> Answer<Reserved, R::Error> {
    // The budget first: its row is the lock of its reservations.
    let Some(budget) = rows.budget(reservation.budget).await? else {
        return Ok(Reserved::Granted);
    };
    if rows.reservation(reservation).await?.is_some() {
        return Ok(Reserved::Granted);
    }
    let left_micros = budget.left_micros();
    if reservation.amount_micros > left_micros {
        return Ok(Reserved::Exceeded { left_micros });
    }
    let reserved_micros = budget.reserved_micros + reservation.amount_micros;
    rows.put_budget(reservation.budget, &Budget { reserved_micros, ..budget }).await?;
    rows.put_reservation(&StoredReservation { reservation: *reservation, closed: false }).await?;
    Ok(Reserved::Granted)
}

/// Replaces what was set aside by what was spent.
pub(super) async fn settle<R: Rows>(
    rows: &mut R,
    reservation: &Reservation,
    actual_micros: &u64,
) -> Answer<(), R::Error> {
    let Some(budget) = rows.budget(reservation.budget).await? else { return Ok(()) };
    let Some(stored) = rows.reservation(reservation).await?.filter(|stored| !stored.closed) else {
        return Ok(());
    };
    rows.put_budget(reservation.budget, &closed(budget, &stored.reservation, *actual_micros))
        .await?;
    rows.put_reservation(&StoredReservation { closed: true, ..stored }).await
}

/// Counts what lost attempts had set aside as spent.
pub(super) async fn abandon<R: Rows>(
    rows: &mut R,
    key: &BudgetKey,
    execution: &ExecutionId,
    before_fence: &u64,
) -> Answer<usize, R::Error> {
    let Some(mut budget) = rows.budget(*key).await? else { return Ok(0) };
    let lost = rows.open_reservations(*key, *execution, *before_fence).await?;
    for reservation in &lost {
        budget = closed(budget, reservation, reservation.amount_micros);
        budget.unconfirmed_micros += reservation.amount_micros;
        let stored = StoredReservation { reservation: *reservation, closed: true };
        rows.put_reservation(&stored).await?;
    }
    rows.put_budget(*key, &budget).await?;
    Ok(lost.len())
}

fn closed(budget: Budget, reservation: &Reservation, actual_micros: u64) -> Budget {
    Budget {
        settled_micros: budget.settled_micros.saturating_add(actual_micros),
        reserved_micros: budget.reserved_micros.saturating_sub(reservation.amount_micros),
        ..budget
    }
}
