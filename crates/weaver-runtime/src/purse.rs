//! [`Purse`]: the money of a run tree, as the tasks of one of its executions spend it.

use std::fmt;

use uuid::Uuid;
use weaver_core::{Failure, FailureKind};
use weaver_store::{
    Budget, BudgetKey, Error, Execution, ExecutionId, Reservation, Reserved, Result, Store,
};

use crate::error::store_failure;
use crate::order::Order;

/// What an execution may spend. Money is set aside before a call and settled after it,
/// so that what is settled and set aside is never above the limit of the whole tree.
#[derive(Clone, Debug)]
pub struct Purse {
    store: Store,
    budget: BudgetKey,
    execution: ExecutionId,
    fence: u64,
}

/// Money that is set aside for one call. Dropped without [`Spending::settle`] it stays
/// set aside until the execution's driver is done, and counts as spent from then on:
/// nobody knows what the call has cost.
#[derive(Debug)]
pub struct Spending {
    store: Store,
    reservation: Reservation,
}

/// An amount in millionths of a US dollar, as people read it.
#[derive(Clone, Copy, Debug)]
pub struct Dollars(pub u64);

impl Purse {
    /// The purse of an execution that was claimed under a fence; nothing when its tree
    /// has no budget. What earlier holders had set aside counts as spent.
    pub(crate) async fn open(
        store: &Store,
        execution: &Execution,
        order: &Order,
        fence: u64,
    ) -> Result<Option<Self>> {
        if !order.has_budget {
            return Ok(None);
        }
        let budget = BudgetKey { tenant: store.tenant(), root: root(store, execution).await? };
        let purse = Purse { store: store.clone(), budget, execution: execution.id, fence };
        purse.give_up(fence).await?;
        Ok(Some(purse))
    }

    /// Counts what is still set aside as spent: no call of the holder is under way.
    pub(crate) async fn close(&self) -> Result<()> {
        self.give_up(self.fence + 1).await
    }

    async fn give_up(&self, before_fence: u64) -> Result<()> {
        let queue = self.store.queue();
        let lost = queue.abandon_reservations(self.budget, self.execution, before_fence).await?;
        if lost > 0 {
            tracing::warn!(execution = %self.execution, lost, "nobody knows what calls have cost");
        }
        Ok(())
    }

    /// Sets aside the most that a call can cost, in millionths of a US dollar. When not
    /// so much is left, `what` names the call in the failure.
    pub async fn reserve(
        &self,
        amount_micros: u64,
        what: &str,
    ) -> std::result::Result<Spending, Failure> {
        let reservation = Reservation {
            budget: self.budget,
            id: Uuid::now_v7(),
            execution: self.execution,
            fence: self.fence,
            amount_micros,
        };
        let mut reserved = self.store.queue().reserve(reservation).await;
        if matches!(reserved, Err(Error::UnknownCommit { .. })) {
            // It has a name: if it is there already, this is the same one.
            reserved = self.store.queue().reserve(reservation).await;
        }
        match reserved.map_err(store_failure)? {
            Reserved::Granted => Ok(Spending { store: self.store.clone(), reservation }),
            Reserved::Exceeded { left_micros } => Err(exceeded(what, amount_micros, left_micros)),
        }
    }
}

impl Spending {
    /// What is set aside, in millionths of a US dollar.
    pub fn amount_micros(&self) -> u64 {
        self.reservation.amount_micros
    }

    /// Says what the call has really cost, in millionths of a US dollar.
    pub async fn settle(self, actual_micros: u64) -> std::result::Result<(), Failure> {
        let queue = self.store.queue();
        let mut settled = queue.settle(self.reservation, actual_micros).await;
        if matches!(settled, Err(Error::UnknownCommit { .. })) {
            // A second settling changes nothing.
            settled = queue.settle(self.reservation, actual_micros).await;
        }
        settled.map_err(store_failure)
    }
}

/// The execution at the root of an execution's tree.
pub(crate) async fn root(store: &Store, execution: &Execution) -> Result<ExecutionId> {
    let (mut id, mut parent) = (execution.id, execution.parent);
    while let Some(above) = parent {
        id = above;
        parent = store.execution(above).await?.and_then(|above| above.parent);
    }
    Ok(id)
}

/// How the budget of an execution's tree stands; nothing without one.
pub(crate) async fn budget_of(store: &Store, execution: &Execution) -> Result<Option<Budget>> {
    let root = root(store, execution).await?;
    store.queue().budget(BudgetKey { tenant: store.tenant(), root }).await
}

fn exceeded(what: &str, amount_micros: u64, left_micros: u64) -> Failure {
    let (amount, left) = (Dollars(amount_micros), Dollars(left_micros));
    let message =
        format!("{what} may cost up to {amount}, and {left} of the execution's budget is left");
    Failure::new(FailureKind::Budget, "budget_exceeded", message)
        .with_help("raise it with `agentweaver retry ID --budget USD`, or let the call cost less")
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % 1_000_000);
        write!(f, "${}.{:0<2}", self.0 / 1_000_000, digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_dollars() {
        for (micros, text) in [(0, "$0.00"), (1, "$0.000001"), (2_500_000, "$2.50")] {
            assert_eq!(Dollars(micros).to_string(), text);
        }
    }
}
