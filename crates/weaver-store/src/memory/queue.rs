//! The tables of the queue in memory, with the indexes that databases have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;
use weaver_core::Timestamp;

use crate::queue::{Row, Slots, StoredReservation};
use crate::{
    Budget, BudgetKey, DeadLetter, ExecutionId, Priority, Rate, Revision, Schedule, ScheduleKey,
    Scope, Sealed, TenantId, WorkKey, WorkState, Worker, Workflow, WorkflowKey,
};

/// What the queue keeps.
#[derive(Default)]
pub(super) struct QueueTables {
    rows: BTreeMap<WorkKey, Row>,
    /// Where rows are found, by what they wait for.
    places: BTreeSet<Place>,
    pub(super) ranks: HashMap<(TenantId, Arc<str>, Priority), i64>,
    pub(super) clocks: HashMap<(Arc<str>, Priority), i64>,
    pub(super) weights: HashMap<TenantId, u32>,
    pub(super) slots: BTreeMap<(TenantId, Scope), Slots>,
    pub(super) rates: HashMap<(TenantId, Scope), (Rate, Timestamp)>,
    pub(super) dead: HashMap<WorkKey, DeadLetter>,
    pub(super) schedules: BTreeMap<ScheduleKey, Schedule>,
    pub(super) budgets: HashMap<BudgetKey, Budget>,
    pub(super) reservations: BTreeMap<(BudgetKey, Uuid), StoredReservation>,
    pub(super) workflows: BTreeMap<WorkflowKey, Workflow>,
    pub(super) revisions: BTreeMap<(WorkflowKey, u64), Revision>,
    pub(super) sealed: HashMap<TenantId, Sealed>,
    pub(super) metrics: BTreeMap<MetricKey, u64>,
    pub(super) quotas: BTreeMap<(TenantId, Arc<str>), u64>,
    pub(super) workers: BTreeMap<(TenantId, Uuid), Worker>,
    /// Somebody should look.
    pub(super) wake: bool,
}

/// Whose, of which day, of which model, what, as counted by whom.
pub(super) type MetricKey = (TenantId, u32, Arc<str>, Arc<str>, Uuid);

/// A row's place in the index of its state. What is equal otherwise goes by age:
/// ids of executions grow with time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Ready(Arc<str>, Priority, i64, Age),
    Delayed(Timestamp, Age),
    Leased(Timestamp, Age),
    Held(TenantId, Scope, Priority, Timestamp, Age),
}

type Age = (ExecutionId, Arc<str>, TenantId);

/// Before every age.
fn youngest() -> Age {
    (ExecutionId(Uuid::nil()), "".into(), TenantId(Uuid::nil()))
}

impl Place {
    fn of(row: &Row) -> Option<Self> {
        let WorkKey { tenant, execution, task } = row.key.clone();
        let age = (execution, task, tenant);
        match row.state {
            WorkState::Ready => Some(Place::Ready(row.route.clone(), row.priority, row.rank, age)),
            WorkState::Delayed => row.run_at.map(|time| Place::Delayed(time, age)),
            WorkState::Leased => row.until.map(|time| Place::Leased(time, age)),
            WorkState::Held => {
                let scope = row.held_on.clone()?;
                Some(Place::Held(tenant, scope, row.priority, row.since, age))
            }
            WorkState::Paused | WorkState::Dead => None,
        }
    }

    fn key(&self) -> WorkKey {
        let (Place::Ready(.., age)
        | Place::Delayed(_, age)
        | Place::Leased(_, age)
        | Place::Held(.., age)) = self;
        let (execution, task, tenant) = age.clone();
        WorkKey { tenant, execution, task }
    }
}

impl QueueTables {
    pub(super) fn row(&self, key: &WorkKey) -> Option<&Row> {
        self.rows.get(key)
    }

    /// All rows, in the order of their keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The row of an execution and those of its tasks.
    pub(super) fn rows_of(&self, tenant: TenantId, execution: ExecutionId) -> Vec<Row> {
        let is_of =
            |(key, _): &(&WorkKey, &Row)| key.tenant == tenant && key.execution == execution;
        let from = self.rows.range(WorkKey::execution(tenant, execution)..);
        from.take_while(is_of).map(|(_, row)| row.clone()).collect()
    }

    /// Sets or forgets a row; gives what was there.
    pub(super) fn set_row(&mut self, key: &WorkKey, row: Option<Row>) -> Option<Row> {
        let place = row.as_ref().and_then(Place::of);
        let old = match row {
            Some(row) => self.rows.insert(key.clone(), row),
            None => self.rows.remove(key),
        };
        if let Some(old_place) = old.as_ref().and_then(Place::of) {
            self.places.remove(&old_place);
        }
        self.places.extend(place);
        old
    }

    pub(super) fn ready(&self, route: &str, count: usize) -> Vec<Row> {
        let is_ready = |place: &&Place| matches!(place, Place::Ready(name, ..) if **name == *route);
        let start = Place::Ready(route.into(), Priority::FIRST, i64::MIN, youngest());
        self.rows_at(self.places.range(start..).take_while(is_ready).take(count))
    }

    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<Row> {
        let is_due = |place: &&Place| matches!(place, Place::Delayed(time, _) if *time <= now);
        self.rows_at(self.delayed().take_while(is_due).take(limit))
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        match self.delayed().next() {
            Some(Place::Delayed(time, _)) => Some(*time),
            _ => None,
        }
    }

    fn delayed(&self) -> impl Iterator<Item = &Place> {
        self.places.range(Place::Delayed(Timestamp(i64::MIN), youngest())..)
    }

    pub(super) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Row> {
        let start = Place::Leased(Timestamp(i64::MIN), youngest());
        let is_over = |place: &&Place| matches!(place, Place::Leased(time, _) if *time <= now);
        self.rows_at(self.places.range(start..).take_while(is_over).take(limit))
    }

    pub(super) fn first_held(&self, tenant: TenantId, scope: &Scope) -> Option<Row> {
        let start =
            Place::Held(tenant, scope.clone(), Priority::FIRST, Timestamp(i64::MIN), youngest());
        let first = self.places.range(start..).next()?;
        match first {
            Place::Held(whose, what, ..) if *whose == tenant && what == scope => {
                self.rows.get(&first.key()).cloned()
            }
            _ => None,
        }
    }

    fn rows_at<'a>(&self, places: impl Iterator<Item = &'a Place>) -> Vec<Row> {
        places.filter_map(|place| self.rows.get(&place.key()).cloned()).collect()
    }
}
