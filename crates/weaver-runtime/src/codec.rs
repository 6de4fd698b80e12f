//! Between the engine's checkpoints and the store's rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weaver_core::Value;
use weaver_engine::checkpoint::FORMAT;
use weaver_engine::{
    CheckpointId, CheckpointState, Commit, PendingRecord, SaveWrites, Saved, Source,
};
use weaver_store::{self as store, Chain, CheckpointInfo, Lane, PendingWrite, State};

use crate::error::Error;

/// The store's form of a checkpoint's id.
pub fn row_id(id: CheckpointId) -> store::CheckpointId {
    store::CheckpointId(uuid::Uuid::from_u128(id.0))
}

/// The engine's form of a checkpoint's id.
pub fn engine_id(id: store::CheckpointId) -> CheckpointId {
    CheckpointId(id.0.as_u128())
}

/// The row of a commit.
pub fn checkpoint_row(
    thread: &Arc<str>,
    execution: store::ExecutionId,
    commit: &Commit<Value>,
    state: State,
) -> store::Checkpoint {
    let meta = Meta {
        next: commit.next.iter().map(|task| task.node.to_string()).collect(),
        under: commit.parents.last().map(|(_, id)| *id),
    };
    store::Checkpoint {
        lane: Lane::new(thread.clone(), commit.namespace.clone()),
        id: row_id(commit.id),
        parent: commit.parent.map(row_id),
        step: commit.step,
        source: store_source(commit.source),
        execution,
        time: commit.time,
        meta: encode(&meta),
        state,
        // A fork or an edit leaves the checkpoint that it starts from as it was.
        settles_parent: commit.source == Source::Loop,
    }
}

/// The store's word for what made a checkpoint.
pub fn store_source(source: Source) -> store::Source {
    match source {
        Source::Input => store::Source::Input,
        Source::Loop => store::Source::Loop,
        Source::Update => store::Source::Update,
        Source::Fork => store::Source::Fork,
    }
}

/// The engine's word for what made a checkpoint.
pub fn engine_source(source: store::Source) -> Source {
    match source {
        store::Source::Input => Source::Input,
        store::Source::Loop => Source::Loop,
        store::Source::Update => Source::Update,
        store::Source::Fork => Source::Fork,
    }
}

/// What lists of checkpoints show, and what loads look for. A promise: fields are only added.
#[derive(Default, Serialize, Deserialize)]
pub struct Meta {
    /// Nodes that run next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// The checkpoint at which the graph above stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<CheckpointId>,
}

/// The [`Meta`] of a row.
pub fn meta(info: &CheckpointInfo) -> Meta {
    serde_json::from_slice(&info.meta).unwrap_or_default()
}

/// The row of what a task has come to.
pub fn pending_row(thread: &Arc<str>, writes: &SaveWrites<Value>) -> PendingWrite {
    let task = match writes.record.slot() {
        Some(task) => task.to_string(),
        None => COMMAND_SLOT.into(),
    };
    PendingWrite {
        lane: Lane::new(thread.clone(), writes.namespace.clone()),
        checkpoint: row_id(writes.checkpoint),
        task: task.into(),
        payload: encode(&writes.record),
    }
}

/// The slot of what the run itself was told.
const COMMAND_SLOT: &str = "command";

/// The state that a chain of rows adds up to, with what tasks have come to.
pub fn saved(chain: &Chain, pending: &[PendingWrite]) -> Result<Saved<Value>, Error> {
    let mut state = match &chain.full {
        Some(full) => Some(decode::<CheckpointState<Value>>(full)?),
        None => None,
    };
    for delta in &chain.deltas {
        let commit: Commit<Value> = decode(delta)?;
        readable(commit.format)?;
        match &mut state {
            Some(state) => state.apply(&commit),
            None => state = Some(CheckpointState::from_first(&commit)),
        }
    }
    let state = state.ok_or_else(|| Error::Unreadable("a checkpoint without state".into()))?;
    readable(state.format)?;
    with_pending(state, pending)
}

/// A state with what tasks have come to.
pub fn with_pending(
    state: CheckpointState<Value>,
    pending: &[PendingWrite],
) -> Result<Saved<Value>, Error> {
    let pending = pending.iter().map(|row| decode::<PendingRecord<Value>>(&row.payload));
    Ok(Saved { state, pending: pending.collect::<Result<_, _>>()? })
}

/// The stored bytes of a part of a checkpoint.
pub fn encode(part: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(part).expect("checkpoints have string keys and no failing part")
}

/// Reads what [`encode`] wrote.
pub fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Unreadable(error.to_string()))
}

fn readable(format: u16) -> Result<(), Error> {
    match format <= FORMAT {
        true => Ok(()),
        false => Err(Error::Unreadable(format!(
            "it has format {format}, this program knows formats up to {FORMAT}; a newer version wrote it"
        ))),
    }
}
