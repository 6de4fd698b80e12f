//! [`Snapshot`]: a checkpoint as people see it, `get_state`.

use std::sync::Arc;

use weaver_core::{Failure, Timestamp};

use crate::channels::Channels;
use crate::checkpoint::{PendingRecord, Saved, Source, TaskPath, TaskRecord, TaskRef};
use crate::effect::{Interrupt, task_namespace};
use crate::graph::{Body, Graph, Persistence};
use crate::hash::{CheckpointId, TaskId};
use crate::run::record::loaded_write;
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
    /// Of the latest checkpoint of a thread: what its open superstep has come to
    /// so far. Writes of tasks that have ended are in the values (unless they
    /// clash, or the host runs their reducer), and only what is left to do is next.
    pub fn latest(graph: &Graph<V>, saved: &Saved<V>) -> Self {
        let mut snapshot = Snapshot::of(graph, saved);
        let mut channels = Channels::restore(&graph.0, &saved.state, false);
        if apply_command(graph, saved, &mut channels) && apply_tasks(graph, saved, &mut channels) {
            snapshot.values = values(graph, &channels);
        }
        for task in &mut snapshot.tasks {
            let record = record_of(&saved.pending, task.id);
            task.interrupts = record.map(pending_interrupts).unwrap_or_default();
        }
        let unfinished = snapshot.tasks.iter().filter(|task| task.result.is_none());
        snapshot.next = unfinished.map(|task| task.node.clone()).collect();
        snapshot
    }

    /// Of any checkpoint, as a record of the superstep that starts at it: all its
    /// tasks, what they asked and (see [`Saved::settled_by`]) what they wrote.
    pub fn of(graph: &Graph<V>, saved: &Saved<V>) -> Self {
        let state = &saved.state;
        let mut channels = Channels::restore(&graph.0, state, false);
        if !apply_command(graph, saved, &mut channels) {
            channels = Channels::restore(&graph.0, state, false);
        }
        let mut tasks: Vec<TaskSnapshot<V>> = state
            .next
            .iter()
            .map(|task| task_snapshot(graph, &state.namespace, &saved.pending, task))
            .collect();
        // Sends first, then nodes in the order in which they were added.
        tasks.sort_by_key(|task| {
            let node = graph.0.node_ids.get(&task.node);
            let added = node.map(|node| graph.0.nodes[*node as usize].added);
            (!task.path.is_push(), added.filter(|_| !task.path.is_push()))
        });
        Snapshot {
            values: values(graph, &channels),
            next: tasks.iter().map(|task| task.node.clone()).collect(),
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

/// A task of a superstep with what the records say that it has come to.
pub(crate) fn task_snapshot<V: StateValue>(
    graph: &Graph<V>,
    namespace: &str,
    pending: &[PendingRecord<V>],
    task: &TaskRef,
) -> TaskSnapshot<V> {
    let record = record_of(pending, task.id);
    let node = graph.0.node_ids.get(&task.node).map(|node| &graph.0.nodes[*node as usize]);
    let subgraph = node.and_then(|node| match node.body {
        Body::Subgraph(_, Persistence::Inherit) => {
            Some(task_namespace(namespace, &task.node, task.id).into())
        }
        Body::Subgraph(_, Persistence::Own) => {
            let namespace = task_namespace(namespace, &task.node, task.id);
            Some(crate::run::stable_namespace(&namespace).into())
        }
        _ => None,
    });
    TaskSnapshot {
        id: task.id,
        node: task.node.clone(),
        path: task.path,
        error: record.and_then(|record| record.error.clone()),
        interrupts: record.map(raised_interrupts).unwrap_or_default(),
        result: record.and_then(result),
        subgraph,
    }
}

fn values<V: StateValue>(graph: &Graph<V>, channels: &Channels<V>) -> Vec<(Arc<str>, V)> {
    let keys = graph.0.keys.iter().zip(channels.values.iter());
    keys.filter_map(|(key, value)| Some((key.name.clone(), value.clone()?))).collect()
}

/// What the command that continued the run wrote; false if it cannot be applied.
fn apply_command<V: StateValue>(
    graph: &Graph<V>,
    saved: &Saved<V>,
    channels: &mut Channels<V>,
) -> bool {
    let records = saved.pending.iter().filter_map(|record| match record {
        PendingRecord::Command(record) => Some(record),
        PendingRecord::Task(_) => None,
    });
    let writes: Vec<_> = records
        .flat_map(|record| &record.writes)
        .filter_map(|write| loaded_write(&graph.0, write))
        .collect();
    let mut folds = Vec::new();
    channels.begin_step(&graph.0, std::iter::empty(), false);
    let applied = channels.write(&graph.0, writes, saved.state.id.0, &mut folds);
    applied.is_ok() && folds.is_empty()
}

/// What the tasks that have ended wrote; false if it cannot be applied.
fn apply_tasks<V: StateValue>(
    graph: &Graph<V>,
    saved: &Saved<V>,
    channels: &mut Channels<V>,
) -> bool {
    let records = saved.pending.iter().filter_map(|record| match record {
        PendingRecord::Task(record) => Some((&record.task, record.writes.as_ref()?)),
        PendingRecord::Command(_) => None,
    });
    // A task that a command added is none of the checkpoint's.
    let own = |task: &TaskRef| saved.state.next.iter().any(|next| next.id == task.id);
    let mut ended: Vec<_> = records.filter(|(task, _)| own(task)).collect();
    if ended.is_empty() {
        return true;
    }
    ended.sort_by_key(|(task, _)| task.path.rank());
    let mut folds = Vec::new();
    channels.begin_step(&graph.0, std::iter::empty(), true);
    for (task, writes) in ended {
        let writes = writes.iter().filter_map(|write| loaded_write(&graph.0, write)).collect();
        if channels.write(&graph.0, writes, task.id.0, &mut folds).is_err() {
            return false;
        }
    }
    channels.end_step(&graph.0);
    folds.is_empty()
}

fn record_of<V>(pending: &[PendingRecord<V>], task: TaskId) -> Option<&TaskRecord<V>> {
    pending.iter().find_map(|record| match record {
        PendingRecord::Task(record) if record.task.id == task => Some(record),
        _ => None,
    })
}

fn pending_interrupts<V: Clone>(record: &TaskRecord<V>) -> Vec<Interrupt<V>> {
    if record.writes.is_none() { raised_interrupts(record) } else { Vec::new() }
}

fn raised_interrupts<V: Clone>(record: &TaskRecord<V>) -> Vec<Interrupt<V>> {
    let raised = if record.interrupts.is_empty() { &record.asked } else { &record.interrupts };
    raised.clone()
}

fn result<V: StateValue>(record: &TaskRecord<V>) -> Option<Vec<(Arc<str>, V)>> {
    let writes = record.writes.as_ref()?.iter();
    let state = writes.filter_map(|write| match write {
        crate::SavedWrite::State(key, value) => Some((key.clone(), value.clone())),
        _ => None,
    });
    Some(state.collect())
}
