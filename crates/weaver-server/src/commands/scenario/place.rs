//! [`Place`]: which checkpoint an operation looks at or starts from.

use std::sync::Arc;

use weaver_core::Value;
use weaver_engine::{CheckpointId, Graph, Snapshot};
use weaver_runtime::thread;
use weaver_store::Store;

use crate::error::CliError;

/// A checkpoint of a thread, or the latest of one of its graphs.
#[derive(Clone)]
pub struct Place {
    /// The graph that it is a checkpoint of.
    pub graph: Graph<Value>,
    /// Empty at the root.
    pub namespace: Arc<str>,
    /// The latest when absent.
    pub id: Option<CheckpointId>,
    /// Where the graphs around it stood, the root first.
    pub parents: Vec<(Arc<str>, CheckpointId)>,
}

impl Place {
    /// The latest checkpoint of a thread.
    pub fn latest(graph: &Graph<Value>) -> Self {
        Place { graph: graph.clone(), namespace: "".into(), id: None, parents: Vec::new() }
    }

    /// Reads a scenario's `checkpoint`: `{"history", "within", "inner_history"}`.
    pub async fn find(
        store: &Store,
        graph: &Graph<Value>,
        thread: &str,
        wanted: &Value,
    ) -> Result<Self, CliError> {
        let number = |key| wanted.get(key).and_then(Value::as_int).map(|n| n as usize);
        let mut place = Place::latest(graph);
        place.id = Some(place.entry(store, thread, number("history").unwrap_or_default()).await?);
        let within = wanted.get("within").and_then(Value::as_list).unwrap_or_default();
        for node in within {
            place = place.below(store, thread, node.as_str().unwrap_or_default()).await?;
        }
        if let Some(n) = number("inner_history") {
            place.id = Some(place.entry(store, thread, n).await?);
        }
        if let Some(snapshot) = place.load(store, thread).await? {
            place.id = Some(snapshot.id);
            place.parents = snapshot.parents;
        }
        Ok(place)
    }

    /// The root graph's checkpoint: a run that is to start inside a subgraph
    /// starts where the root stood then.
    pub fn root(&self) -> Option<CheckpointId> {
        self.parents.first().map(|(_, id)| *id).or(self.id)
    }

    /// What stands there; nothing on an empty thread.
    pub async fn load(
        &self,
        store: &Store,
        thread: &str,
    ) -> Result<Option<Snapshot<Value>>, CliError> {
        if let Some(id) = self.id {
            let states = thread::states(store, thread, &self.namespace).await?;
            let found = states.iter().find(|saved| saved.state.id == id);
            return Ok(found.map(|saved| Snapshot::of(&self.graph, saved)));
        }
        let loaded = thread::load(store, thread, &self.namespace, None).await?;
        Ok(loaded.map(|(saved, _)| Snapshot::latest(&self.graph, &saved)))
    }

    /// The n-th entry of the history, newest first.
    async fn entry(&self, store: &Store, thread: &str, n: usize) -> Result<CheckpointId, CliError> {
        let history = thread::history(store, thread, &self.namespace, n + 1).await?;
        let entry = history.get(n);
        Ok(entry.ok_or_else(|| CliError::usage(format!("the history has no entry {n}")))?.id)
    }

    /// The latest checkpoint of the subgraph that a waiting task here runs.
    async fn below(&self, store: &Store, thread: &str, node: &str) -> Result<Self, CliError> {
        let snapshot = self.load(store, thread).await?;
        let mut tasks = snapshot.iter().flat_map(|snapshot| &snapshot.tasks);
        let task = tasks.find(|task| &*task.node == node);
        let namespace = task.and_then(|task| task.subgraph.clone());
        match (namespace, self.graph.subgraph(node)) {
            (Some(namespace), Some((graph, _))) => {
                Ok(Place { graph: graph.clone(), namespace, id: None, parents: Vec::new() })
            }
            _ => Err(CliError::usage(format!("no task of `{node}` runs a subgraph there"))),
        }
    }
}
