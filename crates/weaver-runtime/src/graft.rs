//! [`Grafts`]: a run that starts from a checkpoint inside a subgraph.
//!
//! The graphs around it start from where they stood then. Their superstep begins
//! anew, with new tasks on a new branch, so the subgraph has a new namespace: its old
//! state is copied there when it is asked for, and goes on.

use std::sync::Arc;

use weaver_core::Value;
use weaver_engine::checkpoint::TaskRef;
use weaver_engine::{CheckpointId, Commit, Load, Saved, Source, TaskId};
use weaver_store::{Lane, SnapshotMeter, Store};

use crate::codec;
use crate::commit::Committer;
use crate::error::Error;
use crate::request::RunRequest;
use crate::thread;

/// Checkpoints that subgraphs of the first superstep start from.
pub(crate) struct Grafts {
    /// The thread, the checkpoint of the root, and the way down from it.
    thread: Arc<str>,
    root: Option<CheckpointId>,
    below: Vec<(Arc<str>, CheckpointId)>,
    /// How many of them are in place, and the namespaces that they have now.
    placed: Vec<Arc<str>>,
    /// The tasks of the root's superstep, if it has a checkpoint of its own now.
    moved: Option<Vec<TaskRef>>,
}

impl Grafts {
    pub fn new(request: &RunRequest) -> Self {
        Grafts {
            thread: request.thread.clone(),
            root: request.at,
            below: request.below.clone(),
            placed: Vec::new(),
            moved: None,
        }
    }

    /// Notes a commit: the one that forks the root names the tasks that stand in for
    /// those of the old branch.
    pub fn moved(&mut self, commit: &Commit<Value>) {
        if self.moved.is_none() && commit.source == Source::Fork && commit.namespace.is_empty() {
            self.moved = Some(commit.next.clone());
        }
    }

    /// The state that a subgraph starts from, if it is the next on the way.
    pub async fn take(
        &mut self,
        load: &Load,
        committer: &mut Committer,
    ) -> Result<Option<(Saved<Value>, SnapshotMeter)>, Error> {
        let Some((old, id)) = self.below.get(self.placed.len()).cloned() else { return Ok(None) };
        let Some(store) = committer.store.clone() else { return Ok(None) };
        if !self.is_next(&store, &old, &load.namespace).await? {
            return Ok(None);
        }
        let found = thread::load(&store, &self.thread, &old, Some(id)).await?;
        let Some((mut saved, mut meter)) = found else {
            return Err(Error::NotFound(format!("there is no checkpoint {id} in `{old}`")));
        };
        // What a person answered on the old branch is asked again on this one.
        saved.pending.clear();
        let above = self.placed.last().cloned().unwrap_or_default();
        if let Some((namespace, at)) = saved.state.parents.last_mut() {
            (*namespace, *at) = (above, load.under);
        }
        if load.namespace != old {
            saved.state.namespace = load.namespace.clone();
            saved.state.parent = None;
            saved.state.source = Source::Fork;
            meter = SnapshotMeter::default();
            committer.copy(&Lane::new(self.thread.clone(), load.namespace.clone()), &saved.state);
        }
        self.placed.push(load.namespace.clone());
        Ok(Some((saved, meter)))
    }

    /// Whether a namespace of this run is that of the old branch, but for the ids of
    /// the tasks.
    async fn is_next(&self, store: &Store, old: &str, new: &str) -> Result<bool, Error> {
        if old == new {
            return Ok(true);
        }
        let level = self.placed.len();
        let old_above = level.checked_sub(1).map_or("", |above| &*self.below[above].0);
        let new_above = self.placed.last().map_or("", |above| above);
        let (Some(old), Some(new)) = (Step::of(old_above, old), Step::of(new_above, new)) else {
            return Ok(false);
        };
        if (old.node, old.rest) != (new.node, new.rest) {
            return Ok(false);
        }
        let at = level.checked_sub(1).map_or(self.root, |above| Some(self.below[above].1));
        let stood = thread::load(store, &self.thread, old_above, at).await?;
        let Some((stood, _)) = stood else { return Ok(false) };
        let same_node = |task: &&TaskRef| *task.node == *old.node;
        let task = |tasks: &[TaskRef], id: &str| {
            let id: TaskId = id.parse().ok()?;
            tasks.iter().find(|task| task.id == id).map(|task| task.path)
        };
        match (&self.moved, level) {
            (Some(moved), 0) => Ok(task(moved, new.task)
                .is_some_and(|path| task(&stood.state.next, old.task) == Some(path))),
            // Which of several tasks of a node it was cannot be told below the root.
            _ => match stood.state.next.iter().filter(same_node).count() {
                1 => Ok(true),
                count => Err(Error::Invalid(format!(
                    "`{}` ran {count} times side by side inside a subgraph: start from a checkpoint of the graph around it",
                    old.node
                ))),
            },
        }
    }
}

/// One step down: `node:task`, with what follows it where a function invoked the graph.
struct Step<'a> {
    node: &'a str,
    task: &'a str,
    rest: &'a str,
}

impl<'a> Step<'a> {
    fn of(above: &str, namespace: &'a str) -> Option<Self> {
        let own = match above.is_empty() {
            true => namespace,
            false => namespace.strip_prefix(above)?.strip_prefix('|')?,
        };
        let (step, rest) = own.split_once('|').unwrap_or((own, ""));
        let (node, task) = step.rsplit_once(':')?;
        Some(Step { node, task, rest })
    }
}

/// The row of a state that is copied to another lane: whole, without a parent there.
pub(crate) fn copied_row(
    lane: &Lane,
    execution: weaver_store::ExecutionId,
    state: &weaver_engine::CheckpointState<Value>,
) -> weaver_store::Checkpoint {
    let meta = codec::Meta {
        next: state.next.iter().map(|task| task.node.to_string()).collect(),
        under: state.parents.last().map(|(_, id)| *id),
    };
    weaver_store::Checkpoint {
        lane: lane.clone(),
        id: codec::row_id(state.id),
        parent: None,
        step: state.step,
        source: codec::store_source(state.source),
        execution,
        time: state.time,
        meta: codec::encode(&meta),
        state: weaver_store::State::Full(codec::encode(state)),
        settles_parent: false,
    }
}
