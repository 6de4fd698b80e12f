//! Reading threads: checkpoints, states, questions.

use std::sync::Arc;

use weaver_core::{Timestamp, Value};
use weaver_engine::{CheckpointId, CheckpointState, InterruptId, Load, Saved, Source};
use weaver_store::{CheckpointInfo, Lane, SnapshotMeter, Store};

use crate::codec;
use crate::error::Error;

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
        let first_edit = children.clone().last().filter(|first| first.source == Source::Update);
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

/// The checkpoint that a text names: its id, or the beginning of exactly one id.
pub async fn find_checkpoint(
    store: &Store,
    thread: &str,
    text: &str,
) -> Result<CheckpointId, Error> {
    let text = text.replace('-', "");
    let all = store.checkpoints(Lane::root(thread), None, usize::MAX >> 1).await?;
    let found: Vec<CheckpointId> = all
        .iter()
        .map(|info| codec::engine_id(info.id))
        .filter(|id| {
            !text.is_empty() && id.to_string().ends_with(&text) || id.to_string().starts_with(&text)
        })
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
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
