//! The queue of a store that fails.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use weaver_core::Timestamp;

use super::{Faulty, delay, injected};
use crate::{
    Accounts, Budget, BudgetKey, Changed, Claim, ClaimRequest, DeadLetter, Error, ExecutionId,
    Forgotten, Held, Library, Limit, Metric, Pending, Promoted, Queue, Quota, Rate, Reaped, Record,
    Reservation, Reserved, Revision, Roster, Schedule, ScheduleKey, Scope, Sealed, TenantId,
    Wakeups, WorkInfo, WorkKey, Worker, Workflow, WorkflowChange, WorkflowId, WorkflowKey,
};

impl Faulty {
    /// A change that is not made, or is made and said to be unknown. It is made when
    /// the answer is awaited: whoever drops it before cannot tell.
    fn act<'a, T: Send + 'a>(&'a self, answer: Pending<'a, T>) -> Pending<'a, T> {
        let (refused, unknown, delayed) = {
            let mut state = self.state();
            (
                state.happens(self.faults.refuse_per_mille),
                state.happens(self.faults.unknown_per_mille),
                state.happens(self.faults.delay_per_mille),
            )
        };
        Box::pin(async move {
            delay(delayed).await;
            if refused {
                return Err(injected());
            }
            let answer = answer.await?;
            match unknown {
                true => Err(Error::UnknownCommit { reason: "a fault on purpose".into() }),
                false => Ok(answer),
            }
        })
    }
}

/// Each method with its faults: `act` for changes, `read` for questions.
macro_rules! faulty {
    ($($kind:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Queue for Faulty {
            $(fn $name(&self, $($argument: $type),*) -> Pending<'_, $answer> {
                self.$kind(self.store.queue().$name($($argument),*))
            })*

            fn wakeups(&self) -> Wakeups {
                self.store.queue().wakeups()
            }
        }
    };
}

faulty! {
    act claim(request: ClaimRequest) -> Vec<Claim>;
    act renew(owner: Arc<str>, held: Vec<(WorkKey, u64)>, lease: Duration) -> Vec<Held>;
    act release(owner: Arc<str>, held: Vec<(WorkKey, u64)>) -> usize;
    act promote_due(limit: usize) -> Promoted;
    act reap_expired(limit: usize) -> Reaped;
    act set_limit(tenant: TenantId, scope: Scope, limit: Option<u32>) -> ();
    read limits(tenant: TenantId) -> Vec<Limit>;
    read rates(tenant: TenantId) -> Vec<(Scope, Rate)>;
    act set_rate(tenant: TenantId, scope: Scope, rate: Option<Rate>) -> ();
    act set_weight(tenant: TenantId, weight: u32) -> ();
    read work(key: WorkKey) -> Option<WorkInfo>;
    read dead_letters(tenant: TenantId, limit: usize) -> Vec<DeadLetter>;
    act put_schedule(schedule: Schedule) -> ();
    act add_schedule(schedule: Schedule) -> bool;
    act enable_schedule(key: ScheduleKey, enabled: bool) -> Option<Schedule>;
    act remove_schedule(key: ScheduleKey) -> bool;
    read schedule(key: ScheduleKey) -> Option<Schedule>;
    read schedules(tenant: TenantId) -> Vec<Schedule>;
    read due_schedules(limit: usize) -> Vec<Schedule>;
    act set_budget(key: BudgetKey, limit_micros: u64) -> ();
    read budget(key: BudgetKey) -> Option<Budget>;
    act reserve(reservation: Reservation) -> Reserved;
    act settle(reservation: Reservation, actual_micros: u64) -> ();
    act abandon_reservations(key: BudgetKey, execution: ExecutionId, before_fence: u64) -> usize;
    read kept(tenant: TenantId, after: Option<WorkKey>) -> Vec<Record>;
    act forget_over(tenant: TenantId, keys_before: Option<Timestamp>) -> Forgotten;
    read now() -> Timestamp;
}

impl Library for Faulty {
    fn workflow(&self, key: WorkflowKey) -> Pending<'_, Option<(Workflow, Revision)>> {
        self.read(self.store.library().workflow(key))
    }

    fn workflows(
        &self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        limit: usize,
    ) -> Pending<'_, Vec<Workflow>> {
        self.read(self.store.library().workflows(tenant, before, limit))
    }

    fn revisions(
        &self,
        key: WorkflowKey,
        before: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<Revision>> {
        self.read(self.store.library().revisions(key, before, limit))
    }

    fn change_workflow(&self, change: WorkflowChange) -> Pending<'_, Changed> {
        self.act(self.store.library().change_workflow(change))
    }

    fn remove_workflow(&self, key: WorkflowKey, version: Option<u64>) -> Pending<'_, Changed> {
        self.act(self.store.library().remove_workflow(key, version))
    }
}

impl Accounts for Faulty {
    fn sealed(&self, tenant: TenantId) -> Pending<'_, Sealed> {
        self.read(self.store.accounts().sealed(tenant))
    }

    fn replace_sealed(&self, tenant: TenantId, seen: Sealed, next: Sealed) -> Pending<'_, bool> {
        self.act(self.store.accounts().replace_sealed(tenant, seen, next))
    }

    fn put_metrics(&self, tenant: TenantId, metrics: Vec<Metric>) -> Pending<'_, ()> {
        self.act(self.store.accounts().put_metrics(tenant, metrics))
    }

    fn metrics(&self, tenant: TenantId, from: u32, to: u32) -> Pending<'_, Vec<Metric>> {
        self.read(self.store.accounts().metrics(tenant, from, to))
    }

    fn set_quota(&self, tenant: TenantId, kind: Arc<str>, value: Option<u64>) -> Pending<'_, ()> {
        self.act(self.store.accounts().set_quota(tenant, kind, value))
    }

    fn quotas(&self, tenant: TenantId) -> Pending<'_, Vec<Quota>> {
        self.read(self.store.accounts().quotas(tenant))
    }
}

impl Roster for Faulty {
    fn add_worker(&self, worker: Worker, forget_before: Timestamp) -> Pending<'_, ()> {
        self.act(self.store.roster().add_worker(worker, forget_before))
    }

    fn worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>> {
        self.read(self.store.roster().worker(tenant, id))
    }

    fn workers(&self, tenant: TenantId, limit: usize) -> Pending<'_, Vec<Worker>> {
        self.read(self.store.roster().workers(tenant, limit))
    }

    fn see_worker(
        &self,
        tenant: TenantId,
        id: Uuid,
        seen: Timestamp,
        running: u32,
    ) -> Pending<'_, Option<Worker>> {
        self.act(self.store.roster().see_worker(tenant, id, seen, running))
    }

    fn drain_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>> {
        self.act(self.store.roster().drain_worker(tenant, id))
    }

    fn remove_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, bool> {
        self.act(self.store.roster().remove_worker(tenant, id))
    }
}
