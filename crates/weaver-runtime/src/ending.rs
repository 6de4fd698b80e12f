//! What the end of a run means: for the execution's status, and for its place in
//! the queue.

use weaver_core::Value;
use weaver_engine::Outcome;
use weaver_store::{ExecutionId, ExecutionStatus, Interrupt, Park, Work};

use crate::effects::NEEDS_ATTENTION;
use crate::questions;

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

/// What becomes of a claimed execution's place in the queue.
pub fn work_after<'a>(
    execution: ExecutionId,
    outcome: &Outcome<Value>,
    questions: impl Iterator<Item = &'a Interrupt>,
) -> Work {
    let park = match outcome {
        Outcome::Done { .. } | Outcome::Cancelled => return Work::Done(execution),
        Outcome::Failed(failure) if failure.code != NEEDS_ATTENTION => {
            return Work::Done(execution);
        }
        Outcome::Failed(_) => Park::Wake,
        Outcome::Drained => Park::Ready,
        Outcome::Interrupted { interrupts, .. } => {
            questions::first_deadline(questions, interrupts).map_or(Park::Wake, Park::Until)
        }
    };
    Work::Park { execution, park }
}
