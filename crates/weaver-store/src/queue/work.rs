//! What is queued, and what happens to it.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::Timestamp;

use super::ConcurrencyKey;
use super::schedule::ScheduleKey;
use crate::{Entry, Error, ExecutionId, Result, TenantId};

/// Names a row of the queue: an execution that is to be driven, or one task of it
/// that is for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkKey {
    /// Whose.
    pub tenant: TenantId,
    /// Which execution.
    pub execution: ExecutionId,
    /// Which task; empty for the execution itself. Its form is the writer's.
    pub task: Arc<str>,
}

impl WorkKey {
    /// The row of an execution.
    pub fn execution(tenant: TenantId, execution: ExecutionId) -> Self {
        WorkKey { tenant, execution, task: "".into() }
    }

    /// The row of a task.
    pub fn task(tenant: TenantId, execution: ExecutionId, task: impl Into<Arc<str>>) -> Self {
        WorkKey { tenant, execution, task: task.into() }
    }

    /// Whether this is an execution, not a task.
    pub fn is_execution(&self) -> bool {
        self.task.is_empty()
    }
}

/// What goes first: 0 before 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// Before everything else.
    pub const FIRST: Priority = Priority(0);
    /// What work has that says nothing.
    pub const NORMAL: Priority = Priority(5);
    /// After everything else.
    pub const LAST: Priority = Priority(9);

    /// A priority from 0 (first) to 9 (last).
    pub fn new(level: u8) -> Result<Self> {
        match level {
            0..=9 => Ok(Priority(level)),
            _ => Err(Error::Invalid(format!("a priority is 0 (first) to 9 (last), not {level}"))),
        }
    }

    /// 0 (first) to 9 (last).
    pub fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Priority::NORMAL
    }
}

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkState {
    /// May be claimed.
    Ready,
    /// Waits for its time, or for an answer.
    Delayed,
    /// Waits for a slot of a limit.
    Held,
    /// Somebody works on it.
    Leased,
    /// Somebody stopped it for a while.
    Paused,
    /// Was delivered too often; see [`DeadLetter`].
    Dead,
}

impl WorkState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkState::Ready => "ready",
            WorkState::Delayed => "delayed",
            WorkState::Held => "held",
            WorkState::Leased => "leased",
            WorkState::Paused => "paused",
            WorkState::Dead => "dead",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        use WorkState::*;
        [Ready, Delayed, Held, Leased, Paused, Dead].into_iter().find(|s| s.as_str() == word)
    }
}

/// A change of the queue that becomes durable with the batch it is in.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Something is to be done. A key that is queued already is a conflict.
    Enqueue(Enqueue),
    /// An execution waits: it gives its slots back and is free to be claimed again
    /// when its time comes. If it was woken since its claim, it is ready at once.
    Park {
        /// Which.
        execution: ExecutionId,
        /// For what.
        park: Park,
    },
    /// An execution has ended. Its tasks go with it.
    Done(ExecutionId),
    /// A task has ended, well or badly. Refused with [`Error::Fenced`] unless the
    /// task is leased under this fence.
    TaskDone {
        /// Whose task.
        execution: ExecutionId,
        /// Which.
        task: Arc<str>,
        /// From its claim.
        fence: u64,
    },
    /// Nothing changes. Refused with [`Error::Fenced`] unless the task is leased under
    /// this fence: what is in the batch comes from who has it.
    TaskHeld {
        /// Whose task.
        execution: ExecutionId,
        /// Which.
        task: Arc<str>,
        /// From its claim.
        fence: u64,
    },
    /// Nothing changes; a conflict when somebody works on the execution, or has since
    /// its fence was this: what was looked at before the batch still holds.
    Idle {
        /// Which.
        execution: ExecutionId,
        /// Its fence as it was read; 0 when nobody ever had it.
        fence: u64,
    },
    /// An execution that was delivered more than once has got on: the deliveries
    /// before this one do not count. Nothing without the lease of this fence.
    GotOn {
        /// Which.
        execution: ExecutionId,
        /// From its claim.
        fence: u64,
    },
    /// Something came that a waiting execution waits for. One that is leased does
    /// not miss it: its next park becomes ready at once.
    Wake(ExecutionId),
    /// An execution and everything that it started ends as cancelled.
    Cancel(Cancel),
    /// An execution is not to be worked on for a while.
    Pause(ExecutionId),
    /// It goes on.
    Unpause(ExecutionId),
    /// A dead letter gets another round of deliveries. A conflict when it is none.
    Requeue {
        /// The execution.
        execution: ExecutionId,
        /// Which of its tasks; empty for the execution itself.
        task: Arc<str>,
    },
    /// What an execution and all that it starts may cost; what is settled and reserved
    /// stays.
    Budget {
        /// The execution at the root of the tree.
        root: ExecutionId,
        /// In millionths of a US dollar.
        limit_micros: u64,
    },
    /// Something that another store's queue held ([`super::Queue::kept`]).
    Restore(Box<super::Kept>),
    /// A new workflow, as version 1. One with its id is a conflict.
    AddWorkflow(Box<(crate::Workflow, crate::WorkflowText)>),
    /// A slot of a schedule was used. A conflict unless the schedule's next slot is
    /// still `slot`: of several who fire it, one succeeds.
    Fired {
        /// Which schedule.
        schedule: ScheduleKey,
        /// The slot, [`super::Schedule::next`] as it was read.
        slot: Timestamp,
        /// The next slot; `None` when there is none.
        next: Option<Timestamp>,
    },
}

impl Work {
    /// The one execution whose rows the change is about.
    pub(crate) fn execution(&self) -> Option<ExecutionId> {
        match self {
            Work::Enqueue(Enqueue { execution, .. })
            | Work::Park { execution, .. }
            | Work::Done(execution)
            | Work::TaskDone { execution, .. }
            | Work::TaskHeld { execution, .. }
            | Work::Idle { execution, .. }
            | Work::Requeue { execution, .. }
            | Work::GotOn { execution, .. }
            | Work::Wake(execution)
            | Work::Pause(execution)
            | Work::Unpause(execution) => Some(*execution),
            Work::Cancel(_)
            | Work::Budget { .. }
            | Work::Restore(_)
            | Work::AddWorkflow(_)
            | Work::Fired { .. } => None,
        }
    }

    /// What the change names.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Work::Enqueue(Enqueue { task, route, workflow, key, .. }) => {
                let key = key.as_ref().map(|key| &*key.name);
                [&**task, &**route].into_iter().chain(workflow.as_deref()).chain(key).collect()
            }
            Work::TaskDone { task, .. }
            | Work::TaskHeld { task, .. }
            | Work::Requeue { task, .. } => vec![&**task],
            Work::Cancel(cancel) => vec![&*cancel.kind],
            Work::Fired { schedule, .. } => vec![&*schedule.name],
            Work::Park { .. }
            | Work::Done(_)
            | Work::Idle { .. }
            | Work::GotOn { .. }
            | Work::Restore(_)
            | Work::AddWorkflow(_)
            | Work::Budget { .. }
            | Work::Wake(_)
            | Work::Pause(_)
            | Work::Unpause(_) => Vec::new(),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    /// Which execution.
    pub execution: ExecutionId,
    /// Which of its tasks; empty for the execution itself.
    pub task: Arc<str>,
    /// Who may claim it: [`super::ROUTE_DRIVE`] for executions, for tasks a name
    /// that their workers know.
    pub route: Arc<str>,
    /// What goes first.
    pub priority: Priority,
    /// The workflow whose limits apply to an execution.
    pub workflow: Option<Arc<str>>,
    /// Work that may not be done at the same time.
    pub key: Option<ConcurrencyKey>,
    /// Not before this time; `None` for at once.
    pub run_at: Option<Timestamp>,
    /// After so many deliveries without getting on it is a dead letter.
    pub deliveries_max: u32,
    /// Who works on it at once, if it need not wait.
    pub taker: Option<super::Taker>,
}

/// [`Enqueue::deliveries_max`] of work that says nothing.
const DELIVERIES_MAX: u32 = 5;

impl Enqueue {
    /// An execution, to be driven at once.
    pub fn execution(execution: ExecutionId) -> Self {
        Enqueue {
            execution,
            task: "".into(),
            route: super::ROUTE_DRIVE.into(),
            priority: Priority::default(),
            workflow: None,
            key: None,
            run_at: None,
            deliveries_max: DELIVERIES_MAX,
            taker: None,
        }
    }

    /// A task for those who claim `route`.
    pub fn task(
        execution: ExecutionId,
        task: impl Into<Arc<str>>,
        route: impl Into<Arc<str>>,
    ) -> Self {
        Enqueue { task: task.into(), route: route.into(), ..Enqueue::execution(execution) }
    }
}

/// What an execution waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Park {
    /// Its turn: it only lets others go first.
    Ready,
    /// A time, or a [`Work::Wake`] before it.
    Until(Timestamp),
    /// A [`Work::Wake`], however long that takes.
    Wake,
}

/// Ends an execution and its descendants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Which. One that has ended stays as it is.
    pub execution: ExecutionId,
    /// [`crate::Entry::kind`] of the last line that each gets in its log.
    pub kind: Arc<str>,
    /// The payload of that line.
    pub payload: Vec<u8>,
    /// When.
    pub time: Timestamp,
}

impl Cancel {
    /// The last line of an execution's log.
    pub(crate) fn entry(&self, execution: ExecutionId, sequence: u64) -> Entry {
        Entry {
            execution,
            sequence,
            kind: self.kind.clone(),
            namespace: "".into(),
            step: None,
            time: self.time,
            payload: self.payload.clone(),
        }
    }
}

/// Who asks for work, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Which work.
    pub route: Arc<str>,
    /// A name of the claiming process that no other has.
    pub owner: Arc<str>,
    /// How much at most.
    pub count: usize,
    /// For how long, unless it is renewed.
    pub lease: Duration,
}

/// Leased work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub key: WorkKey,
    /// The proof, for what is written about it.
    pub fence: u64,
    /// How often it was delivered since it last got on, this time included.
    pub deliveries: u32,
    /// When the lease ends, by the database's clock.
    pub until: Timestamp,
    /// What it was enqueued with.
    pub priority: Priority,
    /// Since when it was waiting.
    pub since: Timestamp,
}

/// A lease that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub key: WorkKey,
    /// Under which fence.
    pub fence: u64,
    /// When it ends now.
    pub until: Timestamp,
    /// Somebody wants the execution to pause: park it after this superstep.
    pub pause: bool,
}

/// What [`super::Queue::promote_due`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promoted {
    /// How many rows' time had come.
    pub count: usize,
    /// When the next one's comes.
    pub next: Option<Timestamp>,
}

/// What [`super::Queue::reap_expired`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// How many rows are ready again.
    pub requeued: usize,
    /// How many were given up.
    pub dead: usize,
}

/// Work that was delivered too often. Its execution has the status `waiting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub key: WorkKey,
    /// Its route.
    pub route: Arc<str>,
    /// Why it was given up.
    pub reason: Arc<str>,
    /// How often it was delivered.
    pub deliveries: u32,
    /// When it was given up.
    pub time: Timestamp,
}

/// A row of the queue, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkInfo {
    /// Which.
    pub key: WorkKey,
    /// Its route.
    pub route: Arc<str>,
    /// How it stands.
    pub state: WorkState,
    /// What goes first.
    pub priority: Priority,
    /// The limit that it waits for.
    pub held_on: Option<super::Scope>,
    /// When it is to be ready, if it waits for a time.
    pub run_at: Option<Timestamp>,
    /// Since when it has been waiting for its turn.
    pub since: Timestamp,
    /// Deliveries since it last got on.
    pub deliveries: u32,
    /// The fence of its last claim; 0 before the first.
    pub fence: u64,
    /// Who holds it until when.
    pub lease: Option<(Arc<str>, Timestamp)>,
    /// Whether it is to pause.
    pub paused: bool,
}
