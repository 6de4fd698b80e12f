//! Reading threads: checkpoints, states, questions.

use std::collections::HashSet;
use std::sync::Arc;

use weaver_core::{Timestamp, Value};
use weaver_engine::checkpoint::Stored;
use weaver_engine::{
    CheckpointId, CheckpointState, Graph, InterruptId, Load, Saved, Source, stable_namespace,
};
use weaver_store::{
    Batch, CheckpointInfo, Execution, ExecutionId, ExecutionStatus, Lane, SnapshotMeter, Store,
    Totals, WorkflowVersion,
};

use crate::codec;
use crate::error::Error;
use crate::graft::copied_row;
use crate::journal::now;
use crate::order::Order;

/// A checkpoint in a list.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// Its id.
    pub id: CheckpointId,
    /// What it builds on.
    pub parent: Option<CheckpointId>,
    /// The superstep that it ends.
    pub step: i64,
    /// `input`, `loop`, `update` or `fork`.
    pub source: &'static str,
    /// When it was taken.
    pub time: Timestamp,
    /// Nodes that run next.
    pub next: Vec<String>,
    /// The execution that made it.
    pub execution: String,
}

/// The state at a checkpoint of a namespace (empty: the root graph), or at the
/// latest one; nothing when there is none.
pub async fn load(
    store: &Store,
    thread: &str,
    namespace: &str,
    at: Option<CheckpointId>,
) -> Result<Option<(Saved<Value>, SnapshotMeter)>, Error> {
    let lane = Lane::new(thread, namespace);
    let Some(chain) = store.chain(lane.clone(), at.map(codec::row_id)).await? else {
        return Ok(None);
    };
    let pending = store.pending_writes(lane, chain.checkpoint.id).await?;
    Ok(Some((codec::saved(&chain, &pending)?, chain.meter())))
}

/// What a subgraph goes on from: the newest checkpoint made while the graph above
/// stood at `under`, else the one that it came to earlier in this branch of history.
pub(crate) async fn load_below(
    store: &Store,
    thread: &str,
    load: &Load,
) -> Result<Option<(Saved<Value>, SnapshotMeter)>, Error> {
    let lane = Lane::new(thread, load.namespace.clone());
    let mut last = None;
    let found = loop {
        let page = store.checkpoints(lane.clone(), last, PAGE).await?;
        let own = page.iter().find(|info| codec::meta(info).under == Some(load.under));
        // Ids grow with time: what is older than `under` cannot be below it.
        let passed = page.last().is_none_or(|info| codec::engine_id(info.id) < load.under);
        match (own, passed) {
            (Some(own), _) => break Some(codec::engine_id(own.id)),
            (None, true) => break load.at,
            (None, false) => last = page.last().map(|info| info.id),
        }
    };
    match found {
        Some(id) => self::load(store, thread, &load.namespace, Some(id)).await,
        None => Ok(None),
    }
}

const PAGE: usize = 256;

/// The state keys of a checkpoint; control channels are left out.
pub fn values(state: &CheckpointState<Value>) -> Value {
    let keys = state.channels.iter().filter(|(name, _)| !name.starts_with("__"));
    Value::map(keys.filter_map(|(name, channel)| match channel.stored.as_ref()? {
        Stored::Value(value) => Some((name.clone(), value.clone())),
        _ => None,
    }))
}

/// Checkpoints of a namespace of a thread (empty: the root graph), newest first;
/// limit 0 means all.
pub async fn history(
    store: &Store,
    thread: &str,
    namespace: &str,
    limit: usize,
) -> Result<Vec<HistoryEntry>, Error> {
    let rows = store.checkpoints(Lane::new(thread, namespace), None, limit).await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// The states of a namespace of a thread, newest first, each with what the tasks
/// of the superstep that started there came to. Loads every state: for threads
/// that a person looks at.
pub async fn states(
    store: &Store,
    thread: &str,
    namespace: &str,
) -> Result<Vec<Saved<Value>>, Error> {
    let mut states: Vec<Saved<Value>> = Vec::new();
    for row in store.checkpoints(Lane::new(thread, namespace), None, 0).await? {
        let id = codec::engine_id(row.id);
        let Some((mut saved, _)) = load(store, thread, namespace, Some(id)).await? else {
            continue;
        };
        let mut children = states.iter().map(|newer| &newer.state).filter(|s| s.parent == Some(id));
        // An edit tells what its tasks wrote only where it went on with the thread: one
        // that was made later, beside what had followed, is another branch.
        let first_edit =
            children.clone().next_back().filter(|first| first.source == Source::Update);
        let settled = |child: &&CheckpointState<Value>| child.source == Source::Loop;
        if let Some(child) = children.find(settled).or(first_edit) {
            saved.settled_by(child);
        }
        states.push(saved);
    }
    Ok(states)
}

/// A question that a thread waits on.
#[derive(Clone, Debug)]
pub struct OpenQuestion {
    /// Its id, 32 hexadecimal digits.
    pub id: InterruptId,
    /// What is asked.
    pub value: Value,
    /// When.
    pub asked: Timestamp,
}

/// What a thread waits on, oldest first. Questions of a branch that the thread has
/// left are none.
pub async fn open_questions(store: &Store, thread: &str) -> Result<Vec<OpenQuestion>, Error> {
    let mut questions = Vec::new();
    for row in store.interrupts(thread.into(), true).await? {
        let latest = store.checkpoint(row.lane.clone(), None).await?;
        if latest.is_some_and(|info| info.id == row.checkpoint) {
            let id = row.id.parse().map_err(|_| {
                Error::Invalid(format!("the log has a question whose id is `{}`", row.id))
            })?;
            questions.push(OpenQuestion { id, value: codec::decode(&row.value)?, asked: row.time });
        }
    }
    Ok(questions)
}

/// A checkpoint of a thread, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose it is: empty for the root graph's.
    pub namespace: Arc<str>,
    /// The checkpoint.
    pub id: CheckpointId,
    /// Where the graphs around it stood, the root first.
    pub parents: Vec<(Arc<str>, CheckpointId)>,
}

impl Place {
    /// Where the root graph stood: [`RunRequest::at`] of a run from here.
    ///
    /// [`RunRequest::at`]: crate::RunRequest::at
    pub fn root(&self) -> CheckpointId {
        self.parents.first().map_or(self.id, |(_, id)| *id)
    }

    /// [`RunRequest::below`] of a run from here.
    ///
    /// [`RunRequest::below`]: crate::RunRequest::below
    pub fn below(&self) -> Vec<(Arc<str>, CheckpointId)> {
        let inner = self.parents.iter().skip(1).cloned();
        match self.namespace.is_empty() {
            true => Vec::new(),
            false => inner.chain([(self.namespace.clone(), self.id)]).collect(),
        }
    }
}

/// The checkpoint that a text names: its id, or the beginning or the end of exactly
/// one id, in the root graph or else in any subgraph. A namespace (whole, or as the
/// names of its nodes: `research|search`) restricts that. `step:N` is the newest
/// checkpoint of a superstep.
pub async fn locate(
    store: &Store,
    thread: &str,
    namespace: Option<&str>,
    text: &str,
) -> Result<Place, Error> {
    let text = match text.starts_with("step:") {
        true => text.to_string(),
        false => text.replace('-', "").to_ascii_lowercase(),
    };
    let named = |own: &str| match namespace {
        None => true,
        Some(wanted) => own == wanted || stable_namespace(own) == wanted,
    };
    let mut lanes = store.namespaces(thread.into()).await?;
    lanes.sort_by_key(|lane| !lane.is_empty());
    let mut found: Vec<(Arc<str>, CheckpointId)> = Vec::new();
    for lane in lanes.iter().filter(|lane| named(lane)) {
        let rows = store.checkpoints(Lane::new(thread, lane.clone()), None, 0).await?;
        if let Some(step) = text.strip_prefix("step:").and_then(|step| step.parse::<i64>().ok()) {
            let newest = rows.iter().find(|row| row.step == step);
            found.extend(newest.map(|row| (lane.clone(), codec::engine_id(row.id))));
            match found.is_empty() {
                true => continue,
                false => break,
            }
        }
        let is_meant = |id: &CheckpointId| {
            let id = id.to_string();
            !text.is_empty() && (id.ends_with(&text) || id.starts_with(&text))
        };
        let ids = rows.iter().map(|info| codec::engine_id(info.id)).filter(is_meant);
        for id in ids {
            // A branch may begin with a copy of it, in a namespace of its own.
            if found.iter().all(|(_, known)| *known != id) {
                found.push((lane.clone(), id));
            }
        }
        if lane.is_empty() && namespace.is_none() && !found.is_empty() {
            break;
        }
    }
    match found.as_slice() {
        [(namespace, id)] => {
            let state = load(store, thread, namespace, Some(*id)).await?;
            let parents = state.map(|(saved, _)| saved.state.parents).unwrap_or_default();
            Ok(Place { namespace: namespace.clone(), id: *id, parents })
        }
        [] => Err(Error::NotFound(format!("the thread `{thread}` has no checkpoint `{text}`"))),
        many => Err(Error::Invalid(format!(
            "`{text}` may be {} checkpoints of the thread `{thread}`; write more of it",
            many.len()
        ))),
    }
}

/// Whether a namespace of a thread has a checkpoint newer than the given one.
pub(crate) async fn is_superseded(
    store: &Store,
    lane: Lane,
    id: CheckpointId,
) -> Result<bool, Error> {
    let latest = store.checkpoint(lane, None).await?;
    Ok(latest.is_some_and(|info| codec::engine_id(info.id) != id))
}

fn entry(info: CheckpointInfo) -> HistoryEntry {
    HistoryEntry {
        id: codec::engine_id(info.id),
        parent: info.parent.map(codec::engine_id),
        step: info.step,
        source: info.source.as_str(),
        time: info.time,
        next: codec::meta(&info).next,
        execution: info.execution.to_string(),
    }
}

/// Names a new thread.
pub fn new_thread_id() -> Arc<str> {
    uuid::Uuid::now_v7().to_string().into()
}

/// Begins a thread with a copy of what stands at a checkpoint of another, as an
/// execution of its own in which nothing ran. What tasks had come to there is left
/// behind: they run again.
///
/// Errors: the new thread has checkpoints already.
pub async fn copy_to(
    store: &Store,
    thread: &str,
    place: &Place,
    to: &str,
    version: WorkflowVersion,
) -> Result<(), Error> {
    if store.checkpoint(Lane::root(to), None).await?.is_some() {
        return Err(Error::Invalid(format!("there is a thread `{to}` already")));
    }
    let execution = Execution {
        id: ExecutionId::generate(),
        parent: None,
        thread: to.into(),
        version: Some(version.hash),
        workflow: Some(version.file.as_str().into()),
        status: ExecutionStatus::Completed,
        input: Order { input: Value::str("update"), ..Order::default() }.encode(),
        started: now(),
        ended: Some(now()),
        error: None,
        totals: Totals::default(),
    };
    let id = execution.id;
    let mut batch = Batch::of(id).with(version).with(execution);
    let mut open: Vec<(Arc<str>, CheckpointId)> = vec![("".into(), place.root())];
    open.extend(place.below());
    let mut copied = HashSet::new();
    while let Some((namespace, at)) = open.pop() {
        if !copied.insert((namespace.clone(), at)) {
            continue;
        }
        let Some((mut saved, _)) = load(store, thread, &namespace, Some(at)).await? else {
            continue;
        };
        open.extend(saved.state.children.iter().map(|(name, id)| (name.clone(), *id)));
        (saved.state.source, saved.state.parent) = (Source::Fork, None);
        batch.push(copied_row(&Lane::new(to, namespace), id, &saved.state));
    }
    Ok(store.append(batch).await?)
}

/// The graph that a namespace of a thread is of: the way down from the root along
/// nodes that are graphs, else the only one of `others` (those that functions invoke)
/// that has all the nodes which ran there.
pub fn graph_of<'a>(
    root: &Graph<Value>,
    others: impl Iterator<Item = &'a Graph<Value>>,
    namespace: &str,
    nodes: Option<&HashSet<Arc<str>>>,
) -> Option<Graph<Value>> {
    let stable = stable_namespace(namespace);
    let mut found = Some(root.clone());
    for node in stable.split('|').filter(|node| !node.is_empty()) {
        found = found.and_then(|graph| graph.subgraph(node).map(|(inner, _)| inner.clone()));
    }
    if found.is_some() {
        return found;
    }
    let nodes = nodes?;
    let mut fitting = others.filter(|graph| {
        let own: HashSet<&Arc<str>> = graph.nodes().collect();
        nodes.iter().all(|node| own.contains(node))
    });
    let graph = fitting.next()?;
    fitting.next().is_none().then(|| graph.clone())
}
