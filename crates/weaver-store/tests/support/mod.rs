//! What the tests of this crate share: short ways to make records.

#![allow(dead_code)]

use uuid::Uuid;
use weaver_core::{Hash, Timestamp};
use weaver_store::*;

/// A clock that the test reads as it likes.
pub fn at(micros: i64) -> Timestamp {
    Timestamp(micros)
}

/// A fixed id.
pub fn execution_id(n: u128) -> ExecutionId {
    ExecutionId(Uuid::from_u128(n))
}

/// A fixed id.
pub fn checkpoint_id(n: u128) -> CheckpointId {
    CheckpointId(Uuid::from_u128(n))
}

/// An execution that has just begun.
pub fn execution(id: ExecutionId, thread: &str) -> Execution {
    Execution {
        id,
        parent: None,
        thread: thread.into(),
        workflow: None,
        version: None,
        status: ExecutionStatus::Running,
        input: b"{}".to_vec(),
        started: at(1),
        ended: None,
        error: None,
        totals: Totals::default(),
    }
}

/// A log line of the root graph.
pub fn entry(execution: ExecutionId, sequence: u64, payload: &[u8]) -> Entry {
    Entry {
        execution,
        sequence,
        kind: "custom".into(),
        namespace: "".into(),
        step: Some(sequence as i64),
        time: at(sequence as i64),
        payload: payload.to_vec(),
    }
}

/// A checkpoint that ends a superstep.
pub fn checkpoint(
    lane: &Lane,
    id: CheckpointId,
    parent: Option<CheckpointId>,
    execution: ExecutionId,
    delta: &[u8],
) -> Checkpoint {
    Checkpoint {
        lane: lane.clone(),
        id,
        parent,
        step: 0,
        source: Source::Loop,
        execution,
        time: at(1),
        meta: b"{}".to_vec(),
        state: State::Delta(delta.to_vec()),
        settles_parent: true,
    }
}

/// What a task wrote.
pub fn pending(lane: &Lane, checkpoint: CheckpointId, task: &str, payload: &[u8]) -> PendingWrite {
    PendingWrite { lane: lane.clone(), checkpoint, task: task.into(), payload: payload.to_vec() }
}

/// A call of task `t`.
pub fn effect(
    lane: &Lane,
    execution: ExecutionId,
    ordinal: u32,
    status: EffectStatus,
    result: &[u8],
) -> Effect {
    Effect {
        lane: lane.clone(),
        task: "t".into(),
        ordinal,
        execution,
        step: 1,
        kind: "tool".into(),
        request: Hash::of(b"request"),
        key: "key".into(),
        status,
        result: result.to_vec(),
        time: at(5),
    }
}

/// Waits for any future of the store.
pub fn get<T>(pending: impl Future<Output = Result<T>>) -> T {
    block_on(pending).expect("the store answers")
}

/// Bytes that do not compress.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let next = |n: &u64| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(seed), next).map(|n| (n >> 33) as u8).take(bytes).collect()
}
