//! What the end of a run means: for the execution's status, and for its place in
//! the queue.

use weaver_core::Value;
use weaver_engine::Outcome;
use weaver_store::{ExecutionStatus, Interrupt, Park, Work};

use crate::effects::NEEDS_ATTENTION;
use crate::questions;
use crate::request::Claimed;

/// How an execution stands after a run, and the word that its last event says.
pub fn status(outcome: &Outcome<Value>) -> (ExecutionStatus, &'static str) {
    match outcome {
        Outcome::Done { .. } => (ExecutionStatus::Completed, "completed"),
        Outcome::Interrupted { .. } => (ExecutionStatus::Waiting, "interrupted"),
        // Whether the call has happened is for a person to say.
        Outcome::Failed(failure) if failure.code == NEEDS_ATTENTION => {
            (ExecutionStatus::Waiting, "waiting")
        }
        Outcome::Failed(_) => (ExecutionStatus::Failed, "failed"),
        Outcome::Drained => (ExecutionStatus::Waiting, "drained"),
        Outcome::Cancelled => (ExecutionStatus::Cancelled, "cancelled"),
    }
}

/// What becomes of a claimed execution's place in the queue, and whom its end wakes.
pub fn work_after<'a>(
    claimed: &Claimed,
    outcome: &Outcome<Value>,
    questions: impl Iterator<Item = &'a Interrupt>,
) -> Vec<Work> {
    let execution = claimed.standing.execution.id;
    let park = match outcome {
        Outcome::Done { .. } | Outcome::Cancelled => return end(claimed),
        Outcome::Failed(failure) if failure.code != NEEDS_ATTENTION => return end(claimed),
        Outcome::Failed(_) => Park::Wake,
        Outcome::Drained => Park::Ready,
        Outcome::Interrupted { interrupts, .. } => {
            questions::first_deadline(questions, interrupts).map_or(Park::Wake, Park::Until)
        }
    };
    vec![Work::Park { execution, park }]
}

/// An execution has ended, and whoever waits for it looks at it.
pub fn end(claimed: &Claimed) -> Vec<Work> {
    let execution = &claimed.standing.execution;
    let done = Work::Done(execution.id);
    [done].into_iter().chain(execution.parent.map(Work::Wake)).collect()
}
