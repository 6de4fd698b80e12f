//! The state as a task alone would leave it: what its branches see.

use std::sync::Arc;

use weaver_core::{Failure, FastMap};

use super::{Channels, Early, Fold, Step, Write};
use crate::graph::{ChannelKind, Plan, Reducer};
use crate::messages;
use crate::value::StateValue;

/// Keys with the value that a task alone would give them.
pub(crate) type Overlay<V> = Vec<(u32, Option<V>)>;

impl<V: StateValue> Channels<V> {
    /// The value of a key as the task that made `writes` alone would leave it:
    /// what its branches see. Reducers of the host are put aside into `folds`.
    pub fn overlay(
        &self,
        plan: &Plan<V>,
        writes: &[Write<V>],
        seed: u128,
        folds: &mut Vec<Fold<V>>,
    ) -> Result<Overlay<V>, Failure> {
        let mut overlay: Overlay<V> = plan.fleeting.iter().map(|key| (*key, None)).collect();
        let sets = writes.iter().enumerate().filter_map(|(position, write)| match write {
            Write::Set(key, value) => Some((position as u64, *key, value)),
            _ => None,
        });
        let mut sets = sets.filter(|(_, key, _)| self.early.iter().all(|early| early.key != *key));
        let mut next = sets.next();
        if next.is_none() {
            return Ok(overlay);
        }
        let mut copy = Channels {
            values: self.values.clone(),
            versions: self.versions.clone(),
            ..Channels::bare()
        };
        copy.step.next = self.version + 1;
        while let Some((position, key, value)) = next {
            copy.set(plan, key, value.clone(), (seed, position), folds)?;
            copy.version = copy.step.next;
            next = sets.next();
        }
        for key in std::mem::take(&mut copy.step.touched) {
            overlay.retain(|(other, _)| *other != key);
            overlay.push((key, copy.values[key as usize].clone()));
        }
        Ok(overlay)
    }

    /// Appends to lists at once what the only task of a step appends, so that its
    /// branches need no copy of them. [`Channels::write`] then finds it done.
    pub fn append_early(&mut self, plan: &Plan<V>, writes: &[Write<V>], seed: u128) {
        for (position, write) in writes.iter().enumerate() {
            let Write::Set(key, value) = write else { continue };
            let (ChannelKind::Reduced { reducer, .. } | ChannelKind::Delta { reducer, .. }) =
                &plan.keys[*key as usize].kind
            else {
                continue;
            };
            let twice = |write: &Write<V>| matches!(write, Write::Set(other, _) if other == key);
            if value.overwrite().is_some() || writes.iter().filter(|write| twice(write)).count() > 1
            {
                continue;
            }
            let saved = self.base_is_saved(*key);
            let slot = &mut Arc::make_mut(&mut self.values)[*key as usize];
            let Some(length) = slot.as_ref().and_then(|list| Some(list.items()?.len())) else {
                continue;
            };
            let items = match reducer {
                Reducer::Operator(crate::Operator::Add) => {
                    let items = value.items().map(<[V]>::to_vec);
                    items.filter(|items| slot.as_mut().is_some_and(|list| list.append(items)))
                }
                Reducer::AddMessages => {
                    let index = self.index.entry(*key).or_default();
                    messages::add_if_append(slot, index, value, (seed, position as u64))
                }
                Reducer::Operator(_) | Reducer::Closure(_) | Reducer::External(_) => None,
            };
            if let Some(items) = items {
                self.early.push(Early { key: *key, length, items, saved });
            }
        }
    }

    /// Takes back what was appended early: the task has to start over.
    pub fn undo_early(&mut self) {
        for early in std::mem::take(&mut self.early) {
            if let Some(list) = &mut Arc::make_mut(&mut self.values)[early.key as usize] {
                list.truncate(early.length);
            }
            self.index.remove(&early.key);
        }
    }

    /// Whether an append is enough to tell a reader of the checkpoint: the list was
    /// saved before, or is what an append starts from anyway.
    pub(super) fn base_is_saved(&self, key: u32) -> bool {
        let empty = |value: &V| value.items().is_some_and(|items| items.is_empty());
        self.versions[key as usize] > 0 || self.values[key as usize].as_ref().is_none_or(empty)
    }

    fn bare() -> Self {
        Channels {
            values: Arc::new(Vec::new()),
            start: None,
            sends: Vec::new(),
            interrupt_seen: 0,
            interrupt_moved: false,
            version: 0,
            versions: Vec::new(),
            seen: Vec::new(),
            controls: Vec::new(),
            armed: Vec::new(),
            fresh: Vec::new(),
            index: FastMap::default(),
            track: false,
            dirt: Vec::new(),
            dirt_places: Vec::new(),
            dirty_seen: Vec::new(),
            dirty_sends: false,
            early: Vec::new(),
            step: Step::default(),
        }
    }
}
