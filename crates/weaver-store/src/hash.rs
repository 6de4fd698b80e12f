//! The hash chains: what an entry's and a checkpoint's hash cover.
//!
//! A payload enters as its own hash, so that a chain does not change when the
//! place of a payload (in its row, in a blob, on another kind of store) does.

use weaver_core::Hash;

use crate::record::{Checkpoint, Entry, Source, State};
use crate::{CheckpointId, ExecutionId, Lane};

/// Where every chain starts.
pub(crate) const ROOT: Hash = Hash([0; 32]);

/// The hash of an entry that follows one with hash `previous`.
pub(crate) fn entry(previous: Hash, entry: &Entry, payload: Hash) -> Hash {
    let (present, step) = (u8::from(entry.step.is_some()), entry.step.unwrap_or_default());
    Hash::of_parts([
        &previous.0[..],
        entry.execution.0.as_bytes(),
        &entry.sequence.to_le_bytes(),
        entry.kind.as_bytes(),
        entry.namespace.as_bytes(),
        &[present],
        &step.to_le_bytes(),
        &entry.time.0.to_le_bytes(),
        &payload.0,
    ])
}

/// What a checkpoint's hash covers besides its parent's.
pub(crate) struct CheckpointParts<'a> {
    pub lane: &'a Lane,
    pub id: CheckpointId,
    pub step: i64,
    pub source: Source,
    pub execution: ExecutionId,
    pub time: i64,
    pub meta: &'a [u8],
    pub is_full: bool,
    pub state: Hash,
}

impl<'a> CheckpointParts<'a> {
    pub(crate) fn of(checkpoint: &'a Checkpoint, state: Hash) -> Self {
        CheckpointParts {
            lane: &checkpoint.lane,
            id: checkpoint.id,
            step: checkpoint.step,
            source: checkpoint.source,
            execution: checkpoint.execution,
            time: checkpoint.time.0,
            meta: &checkpoint.meta,
            is_full: matches!(checkpoint.state, State::Full(_)),
            state,
        }
    }

    /// The hash of a checkpoint whose parent has hash `parent`; [`ROOT`] without one.
    pub(crate) fn hash(&self, parent: Hash) -> Hash {
        Hash::of_parts([
            &parent.0[..],
            self.lane.thread.as_bytes(),
            self.lane.namespace.as_bytes(),
            self.id.0.as_bytes(),
            &self.step.to_le_bytes(),
            self.source.as_str().as_bytes(),
            self.execution.0.as_bytes(),
            &self.time.to_le_bytes(),
            self.meta,
            &[u8::from(self.is_full)],
            &self.state.0,
        ])
    }
}
