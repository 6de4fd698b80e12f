//! What a replay wrote, against the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weaver_core::Value;
use weaver_engine::checkpoint::Stored;
use weaver_engine::{CheckpointState, Outcome};
use weaver_store::{Execution, ExecutionStatus, Lane, Store};

use super::recording::Recording;
use super::{Difference, DifferenceKind, ends_open};
use crate::error::Error;
use crate::{codec, thread};

/// What a comparison found.
#[derive(Default)]
pub(super) struct Compared {
    /// Checkpoints that are the same.
    pub same: u64,
    /// In each namespace those of the first checkpoint that is not.
    pub differences: Vec<Difference>,
}

/// Compares the checkpoints of the execution, which have the same ids in both.
pub(super) async fn checkpoints(
    store: &Store,
    scratch: &Store,
    recording: &Recording,
) -> Result<Compared, Error> {
    let mut compared = Compared::default();
    for (namespace, ids) in &recording.lanes {
        let thread = &recording.execution.thread;
        let lane = Lane::new(thread.clone(), namespace.clone());
        let rows = scratch.checkpoints(lane, None, 0).await?;
        let made: BTreeSet<_> = rows.iter().map(|row| codec::engine_id(row.id)).collect();
        let mut before: Option<CheckpointState<Value>> = None;
        let mut found = Vec::new();
        for id in ids {
            let recorded = thread::load(store, thread, namespace, Some(*id)).await?;
            let Some((recorded, _)) = recorded else { continue };
            let now = match made.contains(id) {
                true => thread::load(scratch, thread, namespace, Some(*id)).await?,
                false => None,
            };
            let Some((now, _)) = now else {
                found.push(shorter(namespace, &recorded.state));
                break;
            };
            states(namespace, before.as_ref(), &recorded.state, &now.state, &mut found);
            if !found.is_empty() {
                break;
            }
            compared.same += 1;
            before = Some(recorded.state);
        }
        let last = ids.last().copied();
        let beyond = rows.iter().rev().find(|row| Some(codec::engine_id(row.id)) > last);
        let ended = !ends_open(recording.execution.status);
        if let (true, true, true, Some(row)) =
            (found.is_empty(), namespace.is_empty(), ended, beyond)
        {
            found.push(Difference {
                kind: DifferenceKind::Longer,
                namespace: namespace.clone(),
                step: row.step,
                node: None,
                recorded: Value::Null,
                now: names(before.as_ref()),
            });
        }
        compared.differences.extend(found);
    }
    Ok(compared)
}

/// Compares how an execution ended.
pub(super) fn outcome(execution: &Execution, now: &Outcome<Value>) -> Option<Difference> {
    let (status, said) = match now {
        Outcome::Done { .. } => (ExecutionStatus::Completed, Value::Null),
        Outcome::Failed(failure) => (ExecutionStatus::Failed, failure.to_string().into()),
        Outcome::Cancelled => (ExecutionStatus::Cancelled, Value::Null),
        Outcome::Interrupted { .. } | Outcome::Drained => (ExecutionStatus::Waiting, Value::Null),
    };
    // What a cut-off run would have come to is not known.
    let unknown = matches!(execution.status, ExecutionStatus::Running | ExecutionStatus::Cancelled);
    if unknown || status == execution.status {
        return None;
    }
    Some(Difference {
        kind: DifferenceKind::Outcome,
        namespace: "".into(),
        step: 0,
        node: match now {
            Outcome::Failed(failure) => failure.node.as_deref().map(Arc::from),
            _ => None,
        },
        recorded: execution.status.as_str().into(),
        now: match said {
            Value::Null => status.as_str().into(),
            said => Value::list([status.as_str().into(), said]),
        },
    })
}

fn states(
    namespace: &Arc<str>,
    before: Option<&CheckpointState<Value>>,
    recorded: &CheckpointState<Value>,
    now: &CheckpointState<Value>,
    found: &mut Vec<Difference>,
) {
    let step = step_of(before, recorded);
    let difference = |kind, node, recorded: Value, now: Value| Difference {
        kind,
        namespace: namespace.clone(),
        step,
        node,
        recorded,
        now,
    };
    let tasks = before.map(|state| state.next.as_slice()).unwrap_or_default();
    if recorded.wrote.len() == tasks.len() && now.wrote.len() == tasks.len() {
        for ((task, then), this) in tasks.iter().zip(&recorded.wrote).zip(&now.wrote) {
            let then: BTreeMap<_, _> = then.iter().flatten().cloned().collect();
            let this: BTreeMap<_, _> = this.iter().flatten().cloned().collect();
            let keys: BTreeSet<_> = then.keys().chain(this.keys()).collect();
            for key in keys.into_iter().filter(|key| then.get(*key) != this.get(*key)) {
                let value =
                    |map: &BTreeMap<Arc<str>, Value>| map.get(key).cloned().unwrap_or_default();
                let kind = DifferenceKind::Wrote(key.to_string());
                found.push(difference(kind, Some(task.node.clone()), value(&then), value(&this)));
            }
        }
    }
    if found.is_empty() {
        let keys: BTreeSet<_> = recorded.channels.keys().chain(now.channels.keys()).collect();
        for key in keys.into_iter().filter(|key| value(recorded, key) != value(now, key)) {
            let side = |state| value(state, key).cloned().unwrap_or_default();
            let kind = DifferenceKind::State(key.to_string());
            found.push(difference(kind, None, side(recorded), side(now)));
        }
    }
    if names(Some(recorded)) != names(Some(now)) {
        let (then, this) = (names(Some(recorded)), names(Some(now)));
        found.push(difference(DifferenceKind::Next, None, then, this));
    }
}

/// The step that led to a checkpoint; with durability `exit` several did.
fn step_of(before: Option<&CheckpointState<Value>>, state: &CheckpointState<Value>) -> i64 {
    before.map_or(state.step, |before| before.step + 1)
}

fn value<'a>(state: &'a CheckpointState<Value>, key: &str) -> Option<&'a Value> {
    match state.channels.get(key)?.stored.as_ref()? {
        Stored::Value(value) => Some(value),
        _ => None,
    }
}

/// The nodes that run next, as a list of their names.
fn names(state: Option<&CheckpointState<Value>>) -> Value {
    let next = state.map(|state| state.next.as_slice()).unwrap_or_default();
    let mut names: Vec<&Arc<str>> = next.iter().map(|task| &task.node).collect();
    names.sort();
    Value::list(names.into_iter().cloned().map(Value::Str))
}

fn shorter(namespace: &Arc<str>, state: &CheckpointState<Value>) -> Difference {
    Difference {
        kind: DifferenceKind::Shorter,
        namespace: namespace.clone(),
        step: state.step,
        node: None,
        recorded: names(Some(state)),
        now: Value::Null,
    }
}
