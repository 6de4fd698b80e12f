//! [`Memory`]: a log in memory, for tests, for the browser, for short-lived runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checkpoint::{CheckpointState, Commit, PendingRecord, Saved};
use crate::effect::{Load, SaveWrites};
use crate::hash::CheckpointId;
use crate::value::StateValue;

/// Commits and pending records of one thread, all namespaces.
#[derive(Clone, Debug, Default)]
pub struct Memory<V> {
    commits: BTreeMap<(Arc<str>, CheckpointId), Commit<V>>,
    pending: BTreeMap<(Arc<str>, CheckpointId), Vec<PendingRecord<V>>>,
    latest: BTreeMap<Arc<str>, CheckpointState<V>>,
}

impl<V: StateValue> Memory<V> {
    /// An empty log.
    pub fn new() -> Self {
        Memory { commits: BTreeMap::new(), pending: BTreeMap::new(), latest: BTreeMap::new() }
    }

    /// Keeps a commit.
    pub fn commit(&mut self, commit: Commit<V>) {
        let namespace = commit.namespace.clone();
        let state = match (commit.parent, self.latest.remove(&namespace)) {
            (None, _) => CheckpointState::from_first(&commit),
            (Some(parent), Some(mut state)) if state.id == parent => {
                state.apply(&commit);
                state
            }
            (Some(parent), _) => match self.state(&namespace, parent) {
                Some(mut state) => {
                    state.apply(&commit);
                    state
                }
                None => CheckpointState::from_first(&commit),
            },
        };
        self.latest.insert(namespace.clone(), state);
        self.commits.insert((namespace, commit.id), commit);
    }

    /// Keeps what a task has come to.
    pub fn save_writes(&mut self, writes: SaveWrites<V>) {
        let records = self.pending.entry((writes.namespace, writes.checkpoint)).or_default();
        match records.iter_mut().find(|old| old.slot() == writes.record.slot()) {
            Some(old) => *old = writes.record,
            None => records.push(writes.record),
        }
    }

    /// Answers [`crate::Effect::Load`].
    pub fn load(&self, load: &Load) -> Option<Saved<V>> {
        let under = |commit: &&Commit<V>| {
            commit.parents.last().is_some_and(|(_, parent)| *parent == load.under)
        };
        let newest = self.history(&load.namespace).rev().find(under).map(|commit| commit.id);
        self.get(&load.namespace, newest.or(load.at)?)
    }

    /// The latest checkpoint of a namespace.
    pub fn latest(&self, namespace: &str) -> Option<Saved<V>> {
        let state = self.latest.get(namespace)?.clone();
        let pending = self.records(namespace, state.id);
        Some(Saved { state, pending })
    }

    /// A checkpoint by id.
    pub fn get(&self, namespace: &str, id: CheckpointId) -> Option<Saved<V>> {
        let state = self.state(namespace, id)?;
        Some(Saved { state, pending: self.records(namespace, id) })
    }

    /// The commits of a namespace, oldest first.
    pub fn history<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Commit<V>> {
        self.commits.values().filter(move |commit| *commit.namespace == *namespace)
    }

    /// All namespaces that have a checkpoint.
    pub fn namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.latest.keys()
    }

    fn records(&self, namespace: &str, id: CheckpointId) -> Vec<PendingRecord<V>> {
        self.pending.get(&(namespace.into(), id)).cloned().unwrap_or_default()
    }

    /// Follows the parents down and adds the commits up.
    fn state(&self, namespace: &str, id: CheckpointId) -> Option<CheckpointState<V>> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let commit = self.commits.get(&(namespace.into(), id))?;
            chain.push(commit);
            next = commit.parent;
        }
        CheckpointState::rebuild(chain.into_iter().rev())
    }
}
