//! [`Kept`]: parts of the state that a worker still has from earlier calls.
//!
//! A state goes to Python again with every call, and most of it has not changed.
//! What a worker was given it keeps; later calls name it, and say only what was
//! added. Python then gets the same objects again, which is right only where no
//! call changes its arguments ([`crate::traceless`]).

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::{Map, Value};

use crate::wire::{KEEP, KEPT, MAP, MORE, Malformed, Writer};

/// Lists and maps with fewer entries are sent each time.
const ENTRIES_MIN: usize = 4;
/// What is kept counts towards the memory of the calls: this part of it at most,
/// by [`Value::approximate_size`], which Python needs a few times over.
const MEMORY_PART: usize = 16;

/// What one worker has, by the key of the state that it is the value of.
#[derive(Default)]
pub(crate) struct Kept {
    session: u64,
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

    /// Starts a call: what another session has left is forgotten. True when the
    /// worker is to forget all it has.
    pub(crate) fn start(&mut self, session: u64, memory: usize) -> bool {
        if self.session != session || self.bytes > memory / MEMORY_PART {
            self.clear();
            self.session = session;
        }
        std::mem::take(&mut self.forget)
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

/// Whether two values are one, as far as that is seen without looking into them.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b),
        (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b),
        _ => false,
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
            let changed = |key: &Arc<str>, value: &Value| {
                old_map.get(key).is_none_or(|before| !is_same(before, value))
            };
            let set: Map = new_map
                .iter()
                .filter(|(key, value)| changed(key, value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            (set.len() < new_map.len() / 2).then(|| Value::Map(Arc::new(set)))
        }
        _ => None,
    }
}
