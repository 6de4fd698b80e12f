//! Applying the writes of a step, in the order of task paths.

use std::sync::Arc;

use weaver_core::{Failure, FailureKind};

use super::{Channels, Dirt, Fold, Write};
use crate::graph::{ChannelKind, Plan, Reducer};
use crate::messages::{self, Added};
use crate::operator::Operator;
use crate::value::StateValue;

impl<V: StateValue> Channels<V> {
    /// Applies the writes of one task, in the order of task paths. Writes that
    /// the host must fold are put aside into `folds`.
    pub fn write(
        &mut self,
        plan: &Plan<V>,
        writes: Vec<Write<V>>,
        seed: u128,
        folds: &mut Vec<Fold<V>>,
    ) -> Result<(), Failure> {
        for (position, write) in writes.into_iter().enumerate() {
            match write {
                Write::Set(key, value) => {
                    self.set(plan, key, value, (seed, position as u64), folds)?;
                }
                Write::Start(value) => {
                    self.start = Some(value);
                    self.step.triggers = true;
                    self.bump(plan.start_channel(), Dirt::Set);
                }
                Write::Go(node) => self.arm(plan, node),
                Write::Join(control, slot) => self.mark(plan, control, slot),
                Write::Send(send) => {
                    if !std::mem::replace(&mut self.step.sent, true) {
                        self.sends.clear();
                    }
                    self.version = self.step.next;
                    self.sends.push(send);
                    self.dirty_sends = true;
                }
            }
        }
        Ok(())
    }

    /// A node is to run.
    fn arm(&mut self, plan: &Plan<V>, control: u32) {
        let spec = &plan.controls[control as usize];
        let state = &mut self.controls[control as usize];
        let again = state.armed && self.versions[plan.control_channel(control)] == self.step.next;
        state.finished = false;
        let was_armed = std::mem::replace(&mut state.armed, true);
        if again {
            return;
        }
        if !spec.defer {
            self.fresh.push(control);
            if !was_armed {
                self.armed.push(control);
            }
            self.step.triggers = true;
        }
        self.bump_control(plan, control);
    }

    fn mark(&mut self, plan: &Plan<V>, control: u32, slot: u32) {
        let spec = &plan.controls[control as usize];
        let state = &mut self.controls[control as usize];
        if std::mem::replace(&mut state.marks[slot as usize], true) {
            return;
        }
        if state.is_available(spec.defer) {
            self.fresh.push(control);
            self.step.triggers = true;
        }
        self.bump_control(plan, control);
    }

    pub(super) fn set(
        &mut self,
        plan: &Plan<V>,
        number: u32,
        value: V,
        seed: (u128, u64),
        folds: &mut Vec<Fold<V>>,
    ) -> Result<(), Failure> {
        let key = &plan.keys[number as usize];
        let again = self.versions[number as usize] == self.step.next;
        if !again {
            self.step.touched.push(number);
        }
        self.step.changed = true;
        self.step.output_changed |= plan.is_output[number as usize];
        let dirt = match &key.kind {
            ChannelKind::LastValue
            | ChannelKind::Ephemeral { guard: true }
            | ChannelKind::Untracked { guard: true }
                if again =>
            {
                return Err(two_writes(&key.name).about(&key.name));
            }
            ChannelKind::LastValue
            | ChannelKind::Ephemeral { .. }
            | ChannelKind::Untracked { .. }
            | ChannelKind::AnyValue => {
                self.put(number, value.overwrite().unwrap_or(value));
                Dirt::Set
            }
            ChannelKind::Topic { accumulate } => {
                let fresh = !again && !accumulate;
                self.collect(number, value, fresh)
            }
            ChannelKind::Reduced { reducer, .. } | ChannelKind::Delta { reducer, .. } => {
                self.reduce(plan, number, reducer, value, seed, folds)?
            }
        };
        self.bump(number as usize, dirt);
        Ok(())
    }

    fn put(&mut self, key: u32, value: V) {
        Arc::make_mut(&mut self.values)[key as usize] = Some(value);
    }

    /// A topic: lists are flattened.
    fn collect(&mut self, key: u32, value: V, fresh: bool) -> Dirt<V> {
        let items = match value.items() {
            Some(items) => items.to_vec(),
            None => vec![value],
        };
        let slot = &mut Arc::make_mut(&mut self.values)[key as usize];
        match slot {
            Some(list) if !fresh => {
                list.append(&items);
                Dirt::Append(items)
            }
            _ => {
                *slot = Some(V::from_items(items));
                Dirt::Set
            }
        }
    }

    fn reduce(
        &mut self,
        plan: &Plan<V>,
        number: u32,
        reducer: &Reducer<V>,
        value: V,
        seed: (u128, u64),
        folds: &mut Vec<Fold<V>>,
    ) -> Result<Dirt<V>, Failure> {
        let name = &plan.keys[number as usize].name;
        let overwritten = self.step.overwritten.contains(&number);
        if let Some(value) = value.overwrite() {
            if overwritten {
                return Err(two_overwrites(name).about(name));
            }
            self.step.overwritten.push(number);
            self.index.remove(&number);
            folds.retain(|fold| fold.key != number);
            self.put(number, value);
            return Ok(Dirt::Set);
        }
        if overwritten {
            return Ok(Dirt::Set);
        }
        if let Some(place) = self.early.iter().position(|early| early.key == number) {
            let early = self.early.remove(place);
            return Ok(if early.saved { Dirt::Append(early.items) } else { Dirt::Set });
        }
        if let Reducer::External(what) = reducer {
            let batch = matches!(plan.keys[number as usize].kind, ChannelKind::Delta { .. });
            self.put_aside(number, what, batch, value, folds);
            return Ok(Dirt::Set);
        }
        let append_is_enough = self.base_is_saved(number);
        let class = match reducer {
            Reducer::AddMessages => messages::error_class(&value),
            _ => "TypeError",
        };
        let appended = self
            .fold(number, reducer, value, seed)
            .map_err(|why| reducer_failed(name, class, &why).about(name))?;
        Ok(appended.filter(|_| append_is_enough).map_or(Dirt::Set, Dirt::Append))
    }

    /// Folds one write natively; the items, if it did no more than append to a list.
    fn fold(
        &mut self,
        number: u32,
        reducer: &Reducer<V>,
        value: V,
        seed: (u128, u64),
    ) -> Result<Option<Vec<V>>, String> {
        let slot = &mut Arc::make_mut(&mut self.values)[number as usize];
        if let Reducer::AddMessages = reducer {
            let index = self.index.entry(number).or_default();
            return Ok(match messages::add(slot, index, value, seed)? {
                Added::Appended(items) => Some(items),
                Added::Changed => None,
            });
        }
        let adds = matches!(reducer, Reducer::Operator(Operator::Add));
        let items = value.items().filter(|_| adds).map(<[V]>::to_vec);
        let merged = match (slot.take(), reducer) {
            (Some(left), Reducer::Operator(operator)) => V::operate(*operator, left, value)?,
            (Some(left), Reducer::Closure(function)) => function(left, value)?,
            (_, _) => value,
        };
        *slot = Some(merged);
        Ok(items)
    }

    fn put_aside(
        &mut self,
        key: u32,
        what: &Arc<str>,
        batch: bool,
        value: V,
        folds: &mut Vec<Fold<V>>,
    ) {
        if let Some(fold) = folds.iter_mut().find(|fold| fold.key == key) {
            fold.writes.push(value);
            return;
        }
        let left = self.values[key as usize].clone();
        if left.is_none() && !batch {
            self.put(key, value);
            return;
        }
        folds.push(Fold { key, what: what.clone(), left, writes: vec![value], batch });
    }

    /// Takes a value that the host has folded.
    pub fn folded(&mut self, key: u32, value: V) {
        self.put(key, value);
    }
}

fn two_writes(key: &str) -> Failure {
    let mut failure = Failure::new(
        FailureKind::InvalidUpdate,
        "concurrent_update",
        format!(
            "At key '{key}': Can receive only one value per step. Use an Annotated key to handle multiple values."
        ),
    );
    failure.exception = Some("InvalidUpdateError".into());
    failure.with_help(format!("give `{key}` a reducer, such as `Annotated[list, operator.add]`"))
}

fn two_overwrites(key: &str) -> Failure {
    let mut failure = Failure::new(
        FailureKind::InvalidUpdate,
        "concurrent_update",
        format!("At key '{key}': Can receive only one Overwrite value per super-step."),
    );
    failure.exception = Some("InvalidUpdateError".into());
    failure
}

/// `class` is what Python raises where this goes wrong.
fn reducer_failed(key: &str, class: &str, why: &str) -> Failure {
    let message = format!("reducer of `{key}`: {why}");
    let mut failure = Failure::new(FailureKind::Exception, "reducer_failed", message);
    failure.exception = Some(class.into());
    failure
}
