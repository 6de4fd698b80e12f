//! [`Wrote`]: what the tasks of a superstep wrote, kept for the history at next to
//! no cost: a value that is in the commit already is not saved again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::channels::saved::Changes;
use crate::checkpoint::{
    Change, CheckpointState, Commit, PendingRecord, Saved, SavedWrite, Stored, TaskRecord,
};
use crate::graph::{ChannelKind, Plan};
use crate::value::StateValue;

/// Fields, in order.
pub type Fields<V> = Vec<(Arc<str>, V)>;

/// One write of a task that has ended, told by what it did to its channel where
/// that says it all, so that a value is saved once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrote<V> {
    /// The channel's new value.
    Same(Arc<str>),
    /// A list of the next so many items that were appended to the channel.
    Items(Arc<str>, usize),
    /// The next item that was appended to the channel.
    Item(Arc<str>),
    /// Another value.
    Value(Arc<str>, V),
}

impl<V: StateValue> Saved<V> {
    /// Adds what the tasks of the checkpoint wrote, from the child in which their
    /// superstep ended.
    pub fn settled_by(&mut self, child: &CheckpointState<V>) {
        if child.wrote.len() != self.state.next.len() {
            return;
        }
        for (task, wrote) in self.state.next.clone().into_iter().zip(&child.wrote) {
            let Some(wrote) = wrote else { continue };
            let found = self.pending.iter_mut().find_map(|record| match record {
                PendingRecord::Task(record) if record.task.id == task.id => Some(record),
                _ => None,
            });
            let writes =
                wrote.iter().map(|(key, value)| SavedWrite::State(key.clone(), value.clone()));
            let writes = Some(writes.collect());
            match found {
                Some(record) => record.writes = writes,
                None => self.pending.push(PendingRecord::Task(TaskRecord {
                    task,
                    writes,
                    answers: Vec::new(),
                    branch_answers: Vec::new(),
                    interrupts: Vec::new(),
                    asked: Vec::new(),
                    error: None,
                    children: Vec::new(),
                })),
            }
        }
    }
}

/// Tells one write. `taken` counts the appended items that were told already, by
/// key; it is past the end once a write did not append itself as it is.
pub(crate) fn tell<V: StateValue>(
    plan: &Plan<V>,
    key: u32,
    value: V,
    changes: &Changes<V>,
    taken: &mut BTreeMap<u32, usize>,
) -> Wrote<V> {
    let name = plan.keys[key as usize].name.clone();
    let change = changes.numbers.binary_search(&key).ok().map(|place| &changes.channels[place]);
    let replaces = !matches!(
        plan.keys[key as usize].kind,
        ChannelKind::Reduced { .. } | ChannelKind::Delta { .. } | ChannelKind::Topic { .. }
    );
    match change.map(|change| &change.change) {
        Some(Change::Set(Stored::Value(set))) if replaces && *set == value => Wrote::Same(name),
        Some(Change::Append(items)) => {
            let from = taken.entry(key).or_insert(0);
            let rest = items.get(*from..).unwrap_or_default();
            match value.items() {
                Some(list) if !list.is_empty() && starts_with(rest, list) => {
                    *from += list.len();
                    Wrote::Items(name, list.len())
                }
                None if rest.first().is_some_and(|first| same_item(first, &value)) => {
                    *from += 1;
                    Wrote::Item(name)
                }
                _ => {
                    *from = usize::MAX;
                    Wrote::Value(name, value)
                }
            }
        }
        _ => Wrote::Value(name, value),
    }
}

fn starts_with<V: StateValue>(items: &[V], list: &[V]) -> bool {
    items.len() >= list.len() && items.iter().zip(list).all(|(item, own)| same_item(item, own))
}

/// Whether an appended item is what was written; a message got its id on the way.
fn same_item<V: StateValue>(item: &V, written: &V) -> bool {
    item == written
        || written.message_role().is_some()
            && written.message_id().is_none()
            && item.message_id().is_some_and(|id| written.clone().with_message_id(id) == *item)
}

/// The writes of the tasks that led to a commit, as values.
pub(crate) fn resolve<V: StateValue>(commit: &Commit<V>) -> Vec<Option<Fields<V>>> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut next = |key: &Arc<str>, count: usize| {
        let change = commit.changes.iter().find(|change| change.channel == *key)?;
        let Change::Append(items) = &change.change else { return None };
        let from = taken.entry(&change.channel).or_default();
        *from += count;
        items.get(*from - count..*from)
    };
    let mut value = |wrote: &Wrote<V>| match wrote {
        Wrote::Value(key, value) => Some((key.clone(), value.clone())),
        Wrote::Item(key) => Some((key.clone(), next(key, 1)?.first()?.clone())),
        Wrote::Items(key, count) => Some((key.clone(), V::from_items(next(key, *count)?.to_vec()))),
        Wrote::Same(key) => {
            let change = commit.changes.iter().find(|change| change.channel == *key)?;
            match &change.change {
                Change::Set(Stored::Value(value)) => Some((key.clone(), value.clone())),
                _ => None,
            }
        }
    };
    let tasks = commit.wrote.iter();
    tasks.map(|task| Some(task.as_ref()?.iter().filter_map(&mut value).collect())).collect()
}
