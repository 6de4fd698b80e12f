//! [`Books`] in memory.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use weaver_core::Timestamp;

use super::apply::WorldUndo;
use super::queue::QueueTables;
use super::queue_rows::{MemoryRows, set};
use super::tables::Tables;
use crate::queue::{Books, StoredReservation};
use crate::{
    Budget, BudgetKey, Cancel, DeadLetter, ExecutionId, ExecutionStatus, Idempotency, Reservation,
    Result, Schedule, ScheduleKey, TenantId, WorkKey,
};

impl Books for MemoryRows<'_> {
    async fn now(&mut self) -> Result<Timestamp> {
        Ok(self.clock.host_now())
    }

    async fn put_dead(&mut self, letter: &DeadLetter) -> Result<()> {
        set!(self, dead, letter.key.clone(), Some(letter.clone()))
    }

    async fn remove_dead(&mut self, key: &WorkKey) -> Result<()> {
        set!(self, dead, key.clone(), None)
    }

    async fn dead(&mut self, tenant: TenantId, limit: usize) -> Result<Vec<DeadLetter>> {
        let of_tenant = self.world.queue.dead.values().filter(|dead| dead.key.tenant == tenant);
        let mut letters: Vec<DeadLetter> = of_tenant.cloned().collect();
        letters.sort_by(|a, b| (b.time, &b.key).cmp(&(a.time, &a.key)));
        letters.truncate(limit);
        Ok(letters)
    }

    async fn status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Result<Option<ExecutionStatus>> {
        Ok(self.world.tables(tenant).executions.get(&execution).map(|found| found.status))
    }

    async fn set_status(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        status: ExecutionStatus,
    ) -> Result<()> {
        let undo = self.world.tables(tenant).set_status(execution, status)?;
        self.undo.push(WorldUndo::Of(tenant, undo));
        Ok(())
    }

    async fn fence(&mut self, tenant: TenantId, execution: ExecutionId) -> Result<u64> {
        self.world.tables(tenant).fence(execution)
    }

    async fn open_tree(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> Result<Vec<ExecutionId>> {
        let tables = self.world.tables(tenant);
        let mut tree = vec![execution];
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            let is_child = |id: &&ExecutionId| tables.executions[*id].parent == Some(parent);
            tree.extend(tables.execution_order.iter().filter(is_child));
            next += 1;
        }
        tree.retain(|id| tables.executions.get(id).is_some_and(|found| !found.status.is_end()));
        Ok(tree)
    }

    async fn cancel(
        &mut self,
        tenant: TenantId,
        execution: ExecutionId,
        cancel: &Cancel,
    ) -> Result<()> {
        let undo = self.world.tables(tenant).cancel(execution, cancel)?;
        self.undo.extend(undo.into_iter().map(|undo| WorldUndo::Of(tenant, undo)));
        Ok(())
    }

    async fn schedule(&mut self, key: &ScheduleKey) -> Result<Option<Schedule>> {
        Ok(self.world.queue.schedules.get(key).cloned())
    }

    async fn put_schedule(&mut self, schedule: &Schedule) -> Result<()> {
        set!(self, schedules, schedule.key.clone(), Some(schedule.clone()))
    }

    async fn remove_schedule(&mut self, key: &ScheduleKey) -> Result<()> {
        set!(self, schedules, key.clone(), None)
    }

    async fn schedules(&mut self, tenant: TenantId) -> Result<Vec<Schedule>> {
        let all = self.world.queue.schedules.values();
        Ok(all.filter(|schedule| schedule.key.tenant == tenant).cloned().collect())
    }

    async fn due_schedules(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Schedule>> {
        let all = self.world.queue.schedules.values();
        let is_due = |schedule: &&Schedule| {
            schedule.enabled && schedule.next.is_some_and(|next| next <= now)
        };
        let mut due: Vec<Schedule> = all.filter(is_due).cloned().collect();
        due.sort_by_key(|schedule| schedule.next);
        due.truncate(limit);
        Ok(due)
    }

    async fn budget(&mut self, key: BudgetKey) -> Result<Option<Budget>> {
        Ok(self.world.queue.budgets.get(&key).copied())
    }

    async fn put_budget(&mut self, key: BudgetKey, budget: &Budget) -> Result<()> {
        set!(self, budgets, key, Some(*budget))
    }

    async fn reservation(
        &mut self,
        reservation: &Reservation,
    ) -> Result<Option<StoredReservation>> {
        let key = (reservation.budget, reservation.id);
        Ok(self.world.queue.reservations.get(&key).copied())
    }

    async fn put_reservation(&mut self, stored: &StoredReservation) -> Result<()> {
        let key = (stored.reservation.budget, stored.reservation.id);
        set!(self, reservations, key, Some(*stored))
    }

    async fn budgets(&mut self, tenant: TenantId) -> Result<Vec<(BudgetKey, Budget)>> {
        let all = self.world.queue.budgets.iter().filter(|(key, _)| key.tenant == tenant);
        let mut budgets: Vec<_> = all.map(|(key, budget)| (*key, *budget)).collect();
        budgets.sort_by_key(|(key, _)| *key);
        Ok(budgets)
    }

    async fn reservations(&mut self, tenant: TenantId) -> Result<Vec<StoredReservation>> {
        let all = self.world.queue.reservations.values();
        let is_open = |stored: &&StoredReservation| {
            stored.reservation.budget.tenant == tenant && !stored.closed
        };
        Ok(all.filter(is_open).copied().collect())
    }

    async fn forget_money(&mut self, tenant: TenantId) -> Result<u64> {
        let executions = &self.world.tables(tenant).executions;
        let is_there: HashSet<ExecutionId> = executions.keys().copied().collect();
        let queue = &self.world.queue;
        let is_over = |key: &BudgetKey| {
            key.tenant == tenant && !key.is_named() && !is_there.contains(&key.root)
        };
        let budgets: Vec<_> = queue.budgets.keys().filter(|key| is_over(key)).copied().collect();
        let is_closed = |((budget, _), stored): &(&(BudgetKey, Uuid), &StoredReservation)| {
            budget.tenant == tenant && (stored.closed || is_over(budget))
        };
        let closed: Vec<_> =
            queue.reservations.iter().filter(is_closed).map(|(key, _)| *key).collect();
        let count = budgets.len() + closed.len();
        for key in budgets {
            set!(self, budgets, key, None)?;
        }
        for key in closed {
            set!(self, reservations, key, None)?;
        }
        Ok(count as u64)
    }

    async fn requests(&mut self, tenant: TenantId) -> Result<Vec<Idempotency>> {
        let mut all: Vec<_> = self.world.tables(tenant).idempotency.values().cloned().collect();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(all)
    }

    async fn forget_requests(&mut self, tenant: TenantId, before: Timestamp) -> Result<u64> {
        let known = &mut self.world.tables(tenant).idempotency;
        let count = known.len();
        let over: HashMap<_, _> = known.extract_if(|_, once| once.time < before).collect();
        let forgotten = (count - known.len()) as u64;
        let undo = move |tables: &mut Tables| tables.idempotency.extend(over);
        self.undo.push(WorldUndo::Of(tenant, Box::new(undo)));
        Ok(forgotten)
    }

    async fn open_reservations(
        &mut self,
        key: BudgetKey,
        execution: ExecutionId,
        before_fence: u64,
    ) -> Result<Vec<Reservation>> {
        let all = self.world.queue.reservations.values();
        let is_lost = |stored: &&StoredReservation| {
            !stored.closed
                && stored.reservation.budget == key
                && stored.reservation.execution == execution
                && stored.reservation.fence < before_fence
        };
        Ok(all.filter(is_lost).map(|stored| stored.reservation).collect())
    }
}
