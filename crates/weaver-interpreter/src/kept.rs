//! [`Kept`]: parts of the state that a worker still has from earlier calls.
//!
//! A state goes to Python again with every call, and most of it has not changed.
//! What a worker was given it keeps; later calls name it, and say only what was
//! added. Python then gets the same objects again, which is right only where no
//! call changes its arguments ([`crate::traceless`]). That holds for the next turn
//! of a conversation too, where it finds the module of the last one: what is the
//! same is told by identity, whoever comes with it.

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::{Map, Value};

use crate::resemblance::is_same;
use crate::wire::{KEEP, KEPT, MAP, MORE, Malformed, Writer};

/// Lists and maps with fewer entries are sent each time.
const ENTRIES_MIN: usize = 4;
/// What is kept counts towards the memory of the calls: this part of it at most,
/// by [`Value::approximate_size`], which Python needs a few times over.
const MEMORY_PART: usize = 16;

/// What one worker has, by the key of the state that it is the value of.
#[derive(Default)]
pub(crate) struct Kept {
    entries: HashMap<Arc<str>, Entry>,
    bytes: usize,
    slots: u64,
    /// The worker has more than this says, and is to forget it.
    forget: bool,
}

struct Entry {
    /// Its name between pool and worker.
    slot: u64,
    value: Value,
}

impl Kept {
    /// Nothing is known any more of what the worker has.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.forget = true;
    }

    /// Starts a call. True when the worker is to forget all it has.
    pub(crate) fn start(&mut self, memory: usize) -> bool {
        if self.bytes > memory / MEMORY_PART {
            self.clear();
        }
        std::mem::take(&mut self.forget)
    }

    /// What the worker has of a key of the state.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Writes a state, and remembers what the worker has after it.
    pub(crate) fn write(&mut self, w: &mut Writer, state: &Map) -> Result<(), Malformed> {
        w.u8(MAP);
        w.uint(state.len() as u64);
        for (key, value) in state {
            w.str(key);
            match value {
                Value::List(items) if items.len() >= ENTRIES_MIN => {
                    self.write_part(w, key, value)?
                }
                Value::Map(map) if map.len() >= ENTRIES_MIN => self.write_part(w, key, value)?,
                _ => w.value(value)?,
            }
        }
        Ok(())
    }

    fn write_part(
        &mut self,
        w: &mut Writer,
        key: &Arc<str>,
        value: &Value,
    ) -> Result<(), Malformed> {
        let Some(entry) = self.entries.get_mut(key) else {
            self.slots += 1;
            let entry = Entry { slot: self.slots, value: value.clone() };
            w.u8(KEEP);
            w.uint(entry.slot);
            self.bytes += value.approximate_size();
            self.entries.insert(key.clone(), entry);
            return w.value(value);
        };
        if is_same(&entry.value, value) {
            w.u8(KEPT);
            w.uint(entry.slot);
            return Ok(());
        }
        let more = added(&entry.value, value);
        w.u8(if more.is_some() { MORE } else { KEEP });
        w.uint(entry.slot);
        entry.value = value.clone();
        let sent = more.as_ref().unwrap_or(value);
        self.bytes += sent.approximate_size();
        w.value(sent)
    }
}

/// What makes the new value of the old one: items behind a list, or entries that
/// are set in a map. Nothing where that is not all, or not less than the whole.
fn added(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::List(old), Value::List(new)) => {
            let grown =
                old.len() <= new.len() && old.iter().zip(&**new).all(|(a, b)| is_same(a, b));
            grown.then(|| Value::list(new[old.len()..].iter().cloned()))
        }
        (Value::Map(old_map), Value::Map(new_map)) => {
            let in_order = old_map.keys().zip(new_map.keys()).all(|(a, b)| a == b);
            if !in_order
                || old_map.len() > new_map.len()
                || old.tag().is_some()
                || new.tag().is_some()
            {
                return None;
            }
            let before = old_map.values().map(Some).chain(std::iter::repeat(None));
            let changed = new_map.iter().zip(before).filter_map(|((key, value), before)| {
                let same = before.is_some_and(|before| is_same(before, value));
                (!same).then(|| (key.clone(), value.clone()))
            });
            let set: Map = changed.take(new_map.len().div_ceil(2)).collect();
            (set.len() < new_map.len() / 2).then(|| Value::Map(Arc::new(set)))
        }
        _ => None,
    }
}
