//! [`Snapshot`]: a checkpoint as people see it, `get_state`.

use std::sync::Arc;

use weaver_core::{Failure, Timestamp};

use crate::channels::Channels;
use crate::checkpoint::{PendingRecord, Saved, Source, TaskPath, TaskRecord};
use crate::effect::{Interrupt, task_namespace};
use crate::graph::{Body, Graph, Persistence};
use crate::hash::{CheckpointId, TaskId};
use crate::value::StateValue;

/// A checkpoint as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot<V> {
    /// State keys that have a value.
    pub values: Vec<(Arc<str>, V)>,
    /// Nodes that run next, those that have finished left out.
    pub next: Vec<Arc<str>>,
    /// Tasks of the open superstep.
    pub tasks: Vec<TaskSnapshot<V>>,
    /// The checkpoint.
    pub id: CheckpointId,
    /// Its parent.
    pub parent: Option<CheckpointId>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// What made it.
    pub source: Source,
    /// The step that it ends.
    pub step: i64,
    /// When it was taken.
    pub time: Timestamp,
    /// Checkpoints of the enclosing namespaces.
    pub parents: Vec<(Arc<str>, CheckpointId)>,
}

/// A task of the open superstep.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSnapshot<V> {
    /// Its id.
    pub id: TaskId,
    /// Its node.
    pub node: Arc<str>,
    /// How it came about.
    pub path: TaskPath,
    /// Why it failed.
    pub error: Option<Failure>,
    /// What it waits on.
    pub interrupts: Vec<Interrupt<V>>,
    /// What it wrote, if it has finished.
    pub result: Option<Vec<(Arc<str>, V)>>,
    /// Namespace of the subgraph that it runs, if its node is one.
    pub subgraph: Option<Arc<str>>,
}

impl<V: StateValue> Snapshot<V> {
    /// Of a loaded checkpoint.
    pub fn of(graph: &Graph<V>, saved: &Saved<V>) -> Self {
        let plan = &graph.0;
        let state = &saved.state;
        let channels = Channels::restore(plan, state, false);
        let values = plan.keys.iter().zip(channels.values.iter());
        let tasks: Vec<TaskSnapshot<V>> =
            state.next.iter().map(|task| task_snapshot(graph, saved, task)).collect();
        let unfinished = tasks.iter().filter(|task| task.result.is_none());
        Snapshot {
            values: values
                .filter_map(|(key, value)| Some((key.name.clone(), value.clone()?)))
                .collect(),
            next: unfinished.map(|task| task.node.clone()).collect(),
            tasks,
            id: state.id,
            parent: state.parent,
            namespace: state.namespace.clone(),
            source: state.source,
            step: state.step,
            time: state.time,
            parents: state.parents.clone(),
        }
    }

    /// All pending questions.
    pub fn interrupts(&self) -> impl Iterator<Item = &Interrupt<V>> {
        self.tasks.iter().flat_map(|task| &task.interrupts)
    }
}

fn task_snapshot<V: StateValue>(
    graph: &Graph<V>,
    saved: &Saved<V>,
    task: &crate::checkpoint::TaskRef,
) -> TaskSnapshot<V> {
    let record = saved.pending.iter().find_map(|record| match record {
        PendingRecord::Task(record) if record.task.id == task.id => Some(record),
        _ => None,
    });
    let node = graph.0.node_ids.get(&task.node).map(|node| &graph.0.nodes[*node as usize]);
    let subgraph = node.and_then(|node| match node.body {
        Body::Subgraph(_, Persistence::Inherit) => {
            Some(task_namespace(&saved.state.namespace, &task.node, task.id).into())
        }
        Body::Subgraph(_, Persistence::Own) => {
            let namespace = task_namespace(&saved.state.namespace, &task.node, task.id);
            Some(crate::run::stable_namespace(&namespace).into())
        }
        _ => None,
    });
    TaskSnapshot {
        id: task.id,
        node: task.node.clone(),
        path: task.path,
        error: record.and_then(|record| record.error.clone()),
        interrupts: record.map(|record| record.interrupts.clone()).unwrap_or_default(),
        result: record.and_then(result),
        subgraph,
    }
}

fn result<V: StateValue>(record: &TaskRecord<V>) -> Option<Vec<(Arc<str>, V)>> {
    let writes = record.writes.as_ref()?.iter();
    let state = writes.filter_map(|write| match write {
        crate::SavedWrite::State(key, value) => Some((key.clone(), value.clone())),
        _ => None,
    });
    Some(state.collect())
}
