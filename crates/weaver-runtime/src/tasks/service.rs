//! [`Tasks`]: what workers may ask: claim, renew, let go, report.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::task::{Assignment, CallResult, Emitted, Made, Outcome, TaskCall};
use weaver_core::{Timestamp, Value};
use weaver_store::{
    Batch, ClaimRequest, Execution, ExecutionId, Interrupt, Record, Store, Work, WorkInfo, WorkKey,
    WorkState,
};

use super::{Report, route};
use crate::codec;
use crate::error::Error;
use crate::journal::now;

/// The tasks of one tenant, for its workers.
#[derive(Clone)]
pub struct Tasks {
    store: Store,
}

/// A lease of a task. Means nothing without the name of the worker that it was given to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRef {
    /// Whose task.
    pub execution: ExecutionId,
    /// The row of the queue.
    pub row: Arc<str>,
    /// From the claim.
    pub fence: u64,
}

/// A task that was given to a worker.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The proof.
    pub lease: LeaseRef,
    /// When the lease ends unless it is renewed, by the database's clock.
    pub until: Timestamp,
    /// How often the task was given to a worker, this time included.
    pub deliveries: u32,
    /// What is to be done.
    pub assignment: Assignment,
}

/// How a call of a function stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Called {
    /// This came of it.
    Answered(CallResult),
    /// It is being made: ask again.
    Pending,
}

/// A task that an execution waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its row in the queue.
    pub row: Arc<str>,
    /// The node.
    pub node: String,
    /// The function.
    pub function: String,
    /// The text that a worker must have.
    pub text: String,
    /// How it stands.
    pub state: TaskState,
    /// Who has it.
    pub worker: Option<Arc<str>>,
    /// Since when it has been asked for.
    pub since: Timestamp,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// It was given to workers too often that did not report.
    GivenUp,
}

/// Why a worker is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Somebody else has the task, or nobody needs it any more. Nothing was kept.
    #[error("the lease of the task is over: somebody else has it, or nobody needs it any more")]
    LeaseLost,
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The log cannot be read or written.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<weaver_store::Error> for Refused {
    fn from(error: weaver_store::Error) -> Self {
        match error {
            weaver_store::Error::Fenced { .. } => Refused::LeaseLost,
            other => Refused::Failed(other.into()),
        }
    }
}

impl Tasks {
    /// The tasks of a store's tenant.
    pub fn new(store: Store) -> Self {
        Tasks { store }
    }

    /// Gives a worker up to `count` tasks of the texts that it has, those of the first
    /// text first.
    pub async fn claim(
        &self,
        worker: &str,
        texts: &[String],
        count: usize,
        lease: Duration,
    ) -> Result<Vec<Claimed>, Refused> {
        let mut claimed = Vec::new();
        for text in texts {
            let request = ClaimRequest {
                route: route(self.store.tenant(), text),
                owner: worker.into(),
                count: count.saturating_sub(claimed.len()),
                lease,
            };
            if request.count == 0 {
                break;
            }
            for claim in self.store.queue().claim(request).await? {
                let WorkKey { execution, task, .. } = claim.key;
                let lease = LeaseRef { execution, row: task, fence: claim.fence };
                let (until, deliveries) = (claim.until, claim.deliveries);
                match self.newest(&lease).await? {
                    Some(Asked { assignment, .. }) => {
                        claimed.push(Claimed { lease, until, deliveries, assignment });
                    }
                    None => self.drop_row(&lease).await?,
                }
            }
        }
        Ok(claimed)
    }

    /// Holds a task for `span` from now. Says whether it was still held.
    pub async fn renew(
        &self,
        worker: &str,
        lease: &LeaseRef,
        span: Duration,
    ) -> Result<bool, Refused> {
        let held = vec![(self.key(lease), lease.fence)];
        Ok(!self.store.queue().renew(worker.into(), held, span).await?.is_empty())
    }

    /// Hands a task back that is to be done by another; it counts as not delivered.
    pub async fn release(&self, worker: &str, lease: &LeaseRef) -> Result<(), Refused> {
        let held = vec![(self.key(lease), lease.fence)];
        self.store.queue().release(worker.into(), held).await?;
        Ok(())
    }

    /// Ends a task: it returned, failed or asks a person. The same again changes nothing;
    /// after another report, or when the lease was lost, nothing is kept.
    pub async fn settle(
        &self,
        worker: &str,
        lease: &LeaseRef,
        outcome: Outcome,
        emitted: Vec<Emitted>,
    ) -> Result<(), Refused> {
        if matches!(outcome, Outcome::Called(_)) {
            return Err(Refused::Invalid("a call does not end a task".into()));
        }
        let Some(asked) = self.newest(lease).await? else { return Err(Refused::LeaseLost) };
        let answer = codec::encode(&report(worker, lease, &asked, outcome, emitted).to_answer());
        if asked.answer.is_some() || !self.holds(worker, lease).await? {
            return asked.is_repeat(&answer);
        }
        let LeaseRef { execution, row, fence } = lease.clone();
        let kept = vec![asked.answered(answer.clone())];
        match self.store.complete_task(execution, row, fence, kept).await {
            Ok(()) => Ok(()),
            // Perhaps by this very report, which was sent twice at once.
            Err(weaver_store::Error::Fenced { .. }) => match self.newest(lease).await? {
                Some(asked) => asked.is_repeat(&answer),
                None => Err(Refused::LeaseLost),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// A function of a task calls a model, a tool or the memory: the execution makes the
    /// call and records it. The same call again gets the same answer.
    pub async fn call(
        &self,
        worker: &str,
        lease: &LeaseRef,
        call: TaskCall,
        emitted: Vec<Emitted>,
    ) -> Result<Called, Refused> {
        let asked = self.newest(lease).await?;
        let Some(asked) = asked.filter(|asked| !asked.is_left) else {
            return Err(Refused::LeaseLost);
        };
        if !self.holds(worker, lease).await? {
            return Err(Refused::LeaseLost);
        }
        let made = &asked.assignment.made.results;
        let ordinal = call.ordinal as usize;
        if let Some(result) = made.get(ordinal) {
            return Ok(Called::Answered(result.clone()));
        }
        if ordinal > made.len() {
            let message = format!("call {} comes before call {ordinal}", made.len());
            return Err(Refused::Invalid(message));
        }
        if asked.answer.is_none() {
            let LeaseRef { execution, row, fence } = lease.clone();
            let outcome = Outcome::Called(call);
            let answer = report(worker, lease, &asked, outcome, emitted).to_answer();
            let batch = Batch::standalone()
                .with(Work::TaskHeld { execution, task: row, fence })
                .with(asked.answered(codec::encode(&answer)))
                .with(Work::Wake(execution));
            self.store.append(batch).await?;
        }
        Ok(Called::Pending)
    }

    /// The tasks that an execution waits for, oldest first.
    pub async fn waiting(&self, execution: &Execution) -> Result<Vec<Waiting>, Error> {
        let mut waiting = Vec::new();
        for row in self.store.interrupts(execution.thread.clone(), true).await? {
            let Some(assignment) = task_of(&row)?.filter(|_| row.execution == execution.id) else {
                continue;
            };
            let key = assignment.row.as_deref().unwrap_or(&row.id);
            let key = WorkKey::task(self.store.tenant(), execution.id, key);
            // Without its row nobody can have it: its superstep was left behind.
            let Some(work) = self.store.queue().work(key).await? else { continue };
            waiting.push(Waiting {
                row: work.key.task.clone(),
                node: assignment.node,
                function: assignment.function,
                text: assignment.text,
                state: state_of(&work),
                worker: work.lease.map(|(owner, _)| owner),
                since: row.time,
            });
        }
        Ok(waiting)
    }

    /// The newest question of a lease's row. The open ones are few; the answered ones of
    /// a long thread are many, and are read only when none is open.
    async fn newest(&self, lease: &LeaseRef) -> Result<Option<Asked>, Refused> {
        let Some(execution) = self.store.execution(lease.execution).await? else {
            return Ok(None);
        };
        for open_only in [true, false] {
            let rows = self.store.interrupts(execution.thread.clone(), open_only).await?;
            let mut found: Option<Asked> = None;
            for row in rows.into_iter().filter(|row| row.execution == lease.execution) {
                let Some(assignment) = task_of(&row)? else { continue };
                let own = assignment.row.as_deref().unwrap_or(&row.id);
                if *own == *lease.row {
                    let answer = row.answer.as_ref().map(|(answer, _)| answer.clone());
                    found = Some(Asked { row, assignment, answer, is_left: false });
                } else if let Some(found) = &mut found {
                    // Its task has begun anew since, under a row of its own.
                    found.is_left |= found.row.task == row.task;
                }
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn holds(&self, worker: &str, lease: &LeaseRef) -> Result<bool, Refused> {
        let work = self.store.queue().work(self.key(lease)).await?;
        Ok(work.is_some_and(|work| {
            work.fence == lease.fence
                && work.state == WorkState::Leased
                && work.lease.is_some_and(|(owner, _)| &*owner == worker)
        }))
    }

    /// Takes a row away that nobody asks for any more.
    async fn drop_row(&self, lease: &LeaseRef) -> Result<(), Refused> {
        let LeaseRef { execution, row, fence } = lease.clone();
        let done = Work::TaskDone { execution, task: row, fence };
        match self.store.append(Batch::standalone().with(done)).await {
            Ok(()) | Err(weaver_store::Error::Fenced { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn key(&self, lease: &LeaseRef) -> WorkKey {
        WorkKey::task(self.store.tenant(), lease.execution, lease.row.clone())
    }
}

/// A task's question.
struct Asked {
    row: Interrupt,
    assignment: Assignment,
    answer: Option<Vec<u8>>,
    /// The task has asked something else since.
    is_left: bool,
}

impl Asked {
    fn answered(&self, answer: Vec<u8>) -> Record {
        let (lane, interrupt) = (self.row.lane.clone(), self.row.id.clone());
        Record::Answer { lane, interrupt, answer, time: now() }
    }

    fn is_repeat(&self, answer: &[u8]) -> Result<(), Refused> {
        match self.answer.as_deref() == Some(answer) {
            true => Ok(()),
            false => Err(Refused::LeaseLost),
        }
    }
}

fn report(
    worker: &str,
    lease: &LeaseRef,
    asked: &Asked,
    outcome: Outcome,
    emitted: Vec<Emitted>,
) -> Report {
    let made = match outcome {
        Outcome::Asked(_) | Outcome::Called(_) => asked.assignment.made.clone(),
        Outcome::Returned(_) | Outcome::Failed(_) => Made::default(),
    };
    Report {
        outcome,
        made,
        attempt: asked.assignment.attempt,
        emitted,
        worker: worker.into(),
        row: lease.row.to_string(),
        fence: lease.fence,
    }
}

fn task_of(row: &Interrupt) -> Result<Option<Assignment>, Error> {
    let value: Value = codec::decode(&row.value)?;
    Ok(super::task_of(&value))
}

fn state_of(work: &WorkInfo) -> TaskState {
    match work.state {
        WorkState::Leased => TaskState::Running,
        WorkState::Dead => TaskState::GivenUp,
        _ => TaskState::Queued,
    }
}
