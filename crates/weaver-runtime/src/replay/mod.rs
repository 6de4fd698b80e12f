//! [`replay`]: goes through a recorded execution again without firing anything.
//!
//! All ids of an execution follow from its first checkpoint, so the same functions
//! have the same tasks, and each of their calls finds its recorded result by its
//! place. What the functions come to is kept in a store in memory and compared with
//! the log. With the functions of another file this says what the file would have
//! made of a run that has happened.

mod compare;
mod follow;
mod recording;

use std::collections::BTreeMap;
use std::sync::Arc;

use weaver_core::Value;
use weaver_engine::{Graph, Input, InputCommand, Outcome, Resume};
use weaver_store::{Execution, ExecutionId, ExecutionStatus, Store};

use crate::drive::drive;
use crate::error::Error;
use crate::request::{Clock, RunRequest};
use crate::task::Handler;
use follow::Follower;
use recording::Recording;

/// Which execution to go through, and with what.
#[derive(Clone)]
pub struct ReplayRequest {
    /// The execution.
    pub execution: ExecutionId,
    /// The graph: that of the source it is pinned to, or another.
    pub graph: Graph<Value>,
    /// `context=` of the run, which the log does not keep.
    pub context: Value,
    /// What nodes see as `config`.
    pub config: Value,
}

/// What a replay came to.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The execution as the log has it.
    pub execution: Execution,
    /// How it ended this time.
    pub outcome: Outcome<Value>,
    /// How many recorded calls were served, by kind: `model`, `tool`, `clock` …
    pub served: BTreeMap<Arc<str>, u64>,
    /// Checkpoints that are the same as then.
    pub same_checkpoints: u64,
    /// Everything that is not as it was, in the order of steps; empty: it is equal.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What.
    pub kind: DifferenceKind,
    /// The graph: empty for the root.
    pub namespace: Arc<str>,
    /// The superstep.
    pub step: i64,
    /// Whose doing it is, where that is known.
    pub node: Option<Arc<str>>,
    /// What the log has.
    pub recorded: Value,
    /// What came this time.
    pub now: Value,
}

/// What kind of thing is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A call that the log does not hold; its kind.
    CallNotRecorded(String),
    /// A call of the same kind that asks something else; its kind. The log keeps the
    /// answer of a call and a hash of what was asked: `recorded` is the answer.
    CallChanged(String),
    /// A recorded call that was not made; its kind.
    CallNotMade(String),
    /// A node wrote something else to this key.
    Wrote(String),
    /// The state holds something else under this key.
    State(String),
    /// Other nodes run next.
    Next,
    /// The log has a superstep that was not reached.
    Shorter,
    /// There is a superstep that the log does not have.
    Longer,
    /// It ended otherwise.
    Outcome,
}

/// Goes through an execution again. Nothing is written to `store`, and no call
/// leaves the process: one that is not recorded fails its node and is reported.
///
/// Errors: the execution is unknown, ran nothing, or was continued in a way that its
/// log cannot repeat.
pub async fn replay(
    store: &Store,
    handler: Arc<dyn Handler>,
    request: ReplayRequest,
) -> Result<Replayed, Error> {
    let recording = Recording::read(store, request.execution).await?;
    let scratch = Store::in_memory();
    recording.seed(store, &scratch).await?;
    let follower = Arc::new(Follower::new(store.clone(), handler, &recording));
    let mut run = recording.first_run(store, &request).await?;
    let mut outcome = drive(Some(scratch.clone()), follower.clone(), run.clone()).await?.outcome;
    for segment in 1..recording.starts.len() {
        if matches!(outcome, Outcome::Done { .. }) {
            break;
        }
        run = RunRequest { at: None, below: Vec::new(), ..run };
        recording.set_terms(&mut run, segment);
        run.input = next_input(&outcome, &recording, segment)?;
        outcome = drive(Some(scratch.clone()), follower.clone(), run.clone()).await?.outcome;
    }
    let compared = compare::checkpoints(store, &scratch, &recording).await?;
    let mut differences = follower.differences(&recording);
    differences.extend(compared.differences);
    differences.sort_by_key(|difference| (difference.step, difference.namespace.len()));
    if differences.is_empty() {
        differences.extend(compare::outcome(&recording.execution, &outcome));
    }
    Ok(Replayed {
        execution: recording.execution,
        outcome,
        served: follower.served(),
        same_checkpoints: compared.same,
        differences,
    })
}

/// What the run was continued with: the answers that came then.
fn next_input(
    outcome: &Outcome<Value>,
    recording: &Recording,
    segment: usize,
) -> Result<Input<Value>, Error> {
    let asked = match outcome {
        Outcome::Interrupted { interrupts, .. } => interrupts.as_slice(),
        _ => &[],
    };
    let answers: Vec<_> = asked
        .iter()
        .filter_map(|question| Some((question.id, recording.answer(question.id, segment)?)))
        .collect();
    Ok(match answers.is_empty() {
        true => Input::Continue,
        false => Input::Command(InputCommand {
            resume: Some(Resume::ById(answers)),
            ..InputCommand::default()
        }),
    })
}

/// Whether the log of an execution may end in the midst of a superstep.
fn ends_open(status: ExecutionStatus) -> bool {
    status != ExecutionStatus::Completed
}

/// The clock of a replay.
fn clock(recording: &Recording) -> Clock {
    Clock::Replayed(recording.first().time())
}
