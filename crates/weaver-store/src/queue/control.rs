//! What is asked from outside, and takes effect once.

use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use super::{Cancel, Enqueue, Work};
use crate::{
    Batch, Error, Execution, ExecutionId, ExecutionStatus, Interrupt, Lane, Record, Result, Store,
};

/// Who sent a request under which key. Scoped so that no two callers clash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    /// Who asked.
    pub caller: Arc<str>,
    /// What was asked for: a route template.
    pub route: Arc<str>,
    /// The caller's key.
    pub key: Arc<str>,
}

/// A request that takes effect once. In a batch it is a conflict when the key was
/// used before, so that nothing of the batch happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Under which key.
    pub key: IdempotencyKey,
    /// Hash of the request's body.
    pub body: Hash,
    /// What is answered to it, and to every repeat.
    pub answer: Vec<u8>,
    /// When it came.
    pub time: Timestamp,
}

/// An execution that is to be queued.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// The execution; its status is set to `queued`.
    pub execution: Execution,
    /// How it is queued.
    pub enqueue: Enqueue,
    /// What else belongs to it: the source's version, the first line of the log.
    pub records: Vec<Record>,
    /// The key that makes a repeat harmless, if there is one.
    pub idempotency: Option<Idempotency>,
}

/// The answer to an interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the interrupt is.
    pub lane: Lane,
    /// [`crate::Interrupt::id`].
    pub interrupt: Arc<str>,
    /// The answer.
    pub answer: Vec<u8>,
    /// When it came.
    pub time: Timestamp,
    /// The key that makes a repeat harmless, if there is one. Without it the same
    /// answer again is taken for a repeat.
    pub idempotency: Option<Idempotency>,
}

/// The outcome of something that takes effect once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It took effect now.
    New,
    /// It had taken effect. What was answered then, if it had a key.
    Repeat(Vec<u8>),
}

/// The outcome of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It ended as cancelled, now or before.
    Cancelled,
    /// It had ended otherwise.
    Ended(ExecutionStatus),
}

impl Store {
    /// Queues an execution. Once this says so, it is on disk and will be worked on
    /// (`New`), or was before under the same key (`Repeat`).
    pub async fn submit(&self, submission: Submission) -> Result<Accepted> {
        let Submission { mut execution, enqueue, records, idempotency } = submission;
        execution.status = ExecutionStatus::Queued;
        let id = execution.id;
        // Of no execution: what fails here must not stop one that has the same id.
        let mut batch = Batch::standalone();
        batch.records.extend(idempotency.clone().map(Record::Idempotency));
        batch.push(execution);
        batch.records.extend(records);
        batch.push(Work::Enqueue(enqueue));
        match self.append_once(batch, idempotency.as_ref()).await {
            // It is ours: nobody else has this id.
            Err(Error::UnknownCommit { .. }) if self.execution(id).await?.is_some() => {
                Ok(Accepted::New)
            }
            outcome => outcome,
        }
    }

    /// Answers an interrupt and lets the execution that waits for it go on. A second
    /// answer is an [`Error::Conflict`], unless it is the first one again.
    pub async fn answer(&self, decision: Decision) -> Result<Accepted> {
        let Decision { lane, interrupt, answer, time, idempotency } = decision;
        let Some(asked) = self.find_interrupt(&lane, &interrupt).await? else {
            return Err(Error::Conflict(format!("nothing waits under `{interrupt}` in {lane}")));
        };
        let mut batch = Batch::standalone();
        batch.records.extend(idempotency.clone().map(Record::Idempotency));
        batch.push(Record::Answer {
            lane: lane.clone(),
            interrupt: interrupt.clone(),
            answer: answer.clone(),
            time,
        });
        batch.push(Work::Wake(asked.execution));
        let error = match self.append_once(batch, idempotency.as_ref()).await {
            Err(error @ (Error::Conflict(_) | Error::UnknownCommit { .. })) => error,
            outcome => return outcome,
        };
        match self.find_interrupt(&lane, &interrupt).await?.and_then(|found| found.answer) {
            Some((first, _)) if first == answer => Ok(Accepted::Repeat(Vec::new())),
            Some(_) => {
                Err(Error::Conflict(format!("`{interrupt}` in {lane} has another answer already")))
            }
            None => Err(error),
        }
    }

    async fn find_interrupt(&self, lane: &Lane, id: &str) -> Result<Option<Interrupt>> {
        let all = self.interrupts(lane.thread.clone(), false).await?;
        Ok(all.into_iter().rev().find(|found| found.lane == *lane && *found.id == *id))
    }

    /// Ends an execution and everything that it started, and wakes the one that started
    /// it. After this says
    /// `Cancelled`, nothing that they still do is saved. A repeat changes nothing.
    pub async fn cancel(&self, cancel: Cancel) -> Result<Cancelled> {
        let id = cancel.execution;
        let mut batch = Batch::standalone().with(Work::Cancel(cancel));
        let parent = self.execution(id).await?.and_then(|execution| execution.parent);
        batch.records.extend(parent.map(|parent| Record::Work(Work::Wake(parent))));
        self.append(batch).await?;
        match self.execution(id).await? {
            Some(Execution { status: ExecutionStatus::Cancelled, .. }) => Ok(Cancelled::Cancelled),
            Some(found) => Ok(Cancelled::Ended(found.status)),
            None => Err(Error::Conflict(format!("execution {id} was forgotten"))),
        }
    }

    /// Stops an execution after its superstep, until [`Store::unpause`]. A repeat
    /// changes nothing.
    pub async fn pause(&self, execution: ExecutionId) -> Result<()> {
        self.append(Batch::standalone().with(Work::Pause(execution))).await
    }

    /// Lets a paused execution go on. A repeat changes nothing.
    pub async fn unpause(&self, execution: ExecutionId) -> Result<()> {
        self.append(Batch::standalone().with(Work::Unpause(execution))).await
    }

    /// Ends a task that was claimed under `fence`, keeps what came of it, and lets
    /// its execution look at it. [`Error::Fenced`] when somebody else has the task, or
    /// nobody needs it any more; then nothing is kept.
    pub async fn complete_task(
        &self,
        execution: ExecutionId,
        task: Arc<str>,
        fence: u64,
        outcome: Vec<Record>,
    ) -> Result<()> {
        let mut batch = Batch::standalone().with(Work::TaskDone { execution, task, fence });
        batch.records.extend(outcome);
        batch.push(Work::Wake(execution));
        self.append(batch).await
    }

    /// Appends a batch that starts with an idempotency record, if there is one, and
    /// so takes effect once.
    pub async fn append_once(&self, batch: Batch, once: Option<&Idempotency>) -> Result<Accepted> {
        let error = match self.append(batch).await {
            Ok(()) => return Ok(Accepted::New),
            Err(error @ (Error::Conflict(_) | Error::UnknownCommit { .. })) => error,
            Err(error) => return Err(error),
        };
        let Some(once) = once else { return Err(error) };
        match self.idempotency(once.key.clone()).await? {
            Some(first) if first.body == once.body => Ok(Accepted::Repeat(first.answer)),
            Some(_) => Err(Error::KeyReused { key: once.key.key.clone() }),
            None => Err(error),
        }
    }
}
