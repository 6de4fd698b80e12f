//! The live channels of one namespace: values, versions, triggers.

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::{Failure, FailureKind};

use crate::checkpoint::{Change, ChannelChange, CheckpointState, Seen, Stored};
use crate::effect::SendTo;
use crate::graph::{ChannelKind, Plan, Reducer};
use crate::messages::{self, Added, MessageIndex};
use crate::value::StateValue;

/// A write of a task, by number.
#[derive(Clone, Debug)]
pub(crate) enum Write<V> {
    /// To a state key.
    Set(u32, V),
    /// To the entry's input.
    Start(V),
    /// Go to a node.
    Go(u32),
    /// To a join, from its n-th source.
    Join(u32, u32),
    /// One more task.
    Send(SendTo<V>),
}

/// All writes of a step to a key whose reducer the host runs.
#[derive(Clone, Debug)]
pub(crate) struct Fold<V> {
    pub key: u32,
    pub what: Arc<str>,
    pub left: Option<V>,
    pub writes: Vec<V>,
    pub batch: bool,
}

/// A trigger of a node.
#[derive(Clone, Debug, Default)]
struct Control {
    armed: bool,
    finished: bool,
    marks: Vec<bool>,
}

/// What a step did to a channel, for the commit.
#[derive(Clone, Debug)]
enum Dirt<V> {
    Set,
    Append(Vec<V>),
}

/// The live channels of one namespace.
#[derive(Clone, Debug)]
pub(crate) struct Channels<V> {
    pub values: Arc<Vec<Option<V>>>,
    pub start: Option<V>,
    pub sends: Vec<SendTo<V>>,
    pub interrupt_seen: u64,
    /// Whether `interrupt_seen` moved since the last commit.
    pub interrupt_moved: bool,
    /// The highest version.
    pub version: u64,
    versions: Vec<u64>,
    seen: Vec<Vec<u64>>,
    controls: Vec<Control>,
    /// Plain signals that are set.
    armed: Vec<u32>,
    /// Controls that became available since the last look.
    fresh: Vec<u32>,
    index: HashMap<u32, MessageIndex>,
    track: bool,
    dirt: Vec<(usize, Dirt<V>)>,
    /// Where a channel is in `dirt`, from 1.
    dirt_places: Vec<usize>,
    dirty_seen: Vec<u32>,
    dirty_sends: bool,
    /// What the open step has appended before its end.
    early: Vec<Early<V>>,
    /// The open step.
    step: Step,
}

/// Items that were appended to a list before the end of the step.
#[derive(Clone, Debug)]
struct Early<V> {
    key: u32,
    /// The list's length before.
    length: usize,
    items: Vec<V>,
    saved: bool,
}

/// What the open step has done so far.
#[derive(Clone, Debug, Default)]
struct Step {
    next: u64,
    bump: bool,
    touched: Vec<u32>,
    overwritten: Vec<u32>,
    sent: bool,
    /// Whether a channel changed that triggers a node.
    triggers: bool,
    output_changed: bool,
}

/// What a finished step means for others.
pub(crate) struct Applied {
    /// Whether an output key changed.
    pub output_changed: bool,
}

impl<V: StateValue> Channels<V> {
    /// Channels without any write. `track` keeps what a commit needs.
    pub fn empty(plan: &Plan<V>, track: bool) -> Self {
        let values = plan.keys.iter().map(|key| initial(&key.kind)).collect();
        let controls = plan.controls.iter().map(|spec| Control {
            marks: vec![false; spec.sources.as_ref().map_or(0, Vec::len)],
            ..Default::default()
        });
        Channels {
            values: Arc::new(values),
            start: None,
            sends: Vec::new(),
            interrupt_seen: 0,
            interrupt_moved: false,
            version: 0,
            versions: vec![0; plan.channel_count()],
            seen: plan.nodes.iter().map(|node| vec![0; node.triggers.len()]).collect(),
            controls: controls.collect(),
            armed: Vec::new(),
            fresh: Vec::new(),
            index: HashMap::new(),
            track,
            dirt: Vec::new(),
            dirt_places: vec![0; plan.channel_count()],
            dirty_seen: Vec::new(),
            dirty_sends: false,
            early: Vec::new(),
            step: Step::default(),
        }
    }

    /// Channels as they were saved. What the graph no longer has is left out.
    pub fn restore(plan: &Plan<V>, state: &CheckpointState<V>, track: bool) -> Self {
        let mut channels = Channels::empty(plan, track);
        let values = Arc::make_mut(&mut channels.values);
        for (name, saved) in &state.channels {
            if let Some(&key) = plan.key_ids.get(name) {
                channels.versions[key as usize] = saved.version;
                values[key as usize] = match &saved.stored {
                    Some(Stored::Value(value)) => Some(value.clone()),
                    _ => None,
                };
            } else if let Some(&control) = plan.control_ids.get(name) {
                channels.versions[plan.control_channel(control)] = saved.version;
                channels.controls[control as usize].restore(plan, control, saved.stored.as_ref());
                if plan.controls[control as usize].is_plain() && saved.stored.is_some() {
                    channels.armed.push(control);
                }
            } else if *name == plan.nodes[plan.start as usize].name {
                channels.versions[plan.start_channel()] = saved.version;
                channels.start = match &saved.stored {
                    Some(Stored::Value(value)) => Some(value.clone()),
                    _ => None,
                };
            }
        }
        for (node, versions) in &state.seen {
            let Some(&node) = plan.node_ids.get(node) else { continue };
            for position in 0..plan.nodes[node as usize].triggers.len() {
                let name = plan.channel_name(plan.trigger_channel(node, position));
                channels.seen[node as usize][position] = versions.get(&name).copied().unwrap_or(0);
            }
        }
        channels.sends.clone_from(&state.sends);
        channels.interrupt_seen = state.interrupt_seen;
        channels.version = state.version;
        channels
    }

    /// Nodes that are triggered, by number, in order. `all` looks at every
    /// trigger instead of those that changed in the last step.
    pub fn triggered(&mut self, plan: &Plan<V>, all: bool) -> Vec<u32> {
        let mut nodes = Vec::new();
        if all {
            self.fresh.clear();
            nodes
                .extend((0..plan.nodes.len() as u32).filter(|node| self.is_triggered(plan, *node)));
            return nodes;
        }
        if self.start.is_some() && self.is_triggered(plan, plan.start) {
            nodes.push(plan.start);
        }
        while let Some(control) = self.fresh.pop() {
            let node = plan.controls[control as usize].node;
            if self.is_triggered(plan, node) {
                nodes.push(node);
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn is_triggered(&self, plan: &Plan<V>, node: u32) -> bool {
        (0..plan.nodes[node as usize].triggers.len()).any(|position| {
            let version = self.versions[plan.trigger_channel(node, position)];
            version > self.seen[node as usize][position] && self.is_available(plan, node, position)
        })
    }

    fn is_available(&self, plan: &Plan<V>, node: u32, position: usize) -> bool {
        if node == plan.start {
            return self.start.is_some();
        }
        let control = plan.nodes[node as usize].triggers[position];
        self.controls[control as usize].is_available(plan.controls[control as usize].defer)
    }

    /// Opens a step: the given nodes (by edges) have run; `bump` says whether any
    /// task has, so that what holds for one step is cleared.
    pub fn begin_step(&mut self, plan: &Plan<V>, ran: impl Iterator<Item = u32>, bump: bool) {
        self.step.next = self.version + 1;
        self.step.bump = bump;
        self.step.touched.clear();
        self.step.overwritten.clear();
        (self.step.sent, self.step.triggers, self.step.output_changed) = (false, false, false);
        self.fresh.clear();
        for node in ran {
            for position in 0..plan.nodes[node as usize].triggers.len() {
                let channel = plan.trigger_channel(node, position);
                self.seen[node as usize][position] = self.versions[channel];
                if node != plan.start {
                    self.consume(plan, plan.nodes[node as usize].triggers[position]);
                }
            }
            if self.track {
                self.dirty_seen.push(node);
            }
        }
    }

    fn consume(&mut self, plan: &Plan<V>, number: u32) {
        let spec = &plan.controls[number as usize];
        let control = &mut self.controls[number as usize];
        if !spec.is_plain() && control.is_available(spec.defer) {
            control.clear();
            self.bump_control(plan, number);
        }
    }

    fn bump_control(&mut self, plan: &Plan<V>, control: u32) {
        let channel = plan.control_channel(control);
        self.bump(channel, Dirt::Set);
    }

    fn bump(&mut self, channel: usize, dirt: Dirt<V>) {
        self.versions[channel] = self.step.next;
        self.version = self.step.next;
        if !self.track {
            return;
        }
        let place = match self.dirt_places[channel] {
            0 => {
                self.dirt.push((channel, dirt));
                self.dirt_places[channel] = self.dirt.len();
                return;
            }
            place => place - 1,
        };
        match (&mut self.dirt[place].1, dirt) {
            (Dirt::Append(items), Dirt::Append(more)) => items.extend(more),
            (old, _) => *old = Dirt::Set,
        }
    }

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

    fn set(
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
        self.step.output_changed |= plan.is_output[number as usize];
        let dirt = match &key.kind {
            ChannelKind::LastValue
            | ChannelKind::Ephemeral { guard: true }
            | ChannelKind::Untracked { guard: true }
                if again =>
            {
                return Err(two_writes(&key.name));
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
            ChannelKind::Reduced { reducer, .. } => {
                self.reduce(plan, number, reducer, false, value, seed, folds)?
            }
            ChannelKind::Delta { reducer, .. } => {
                self.reduce(plan, number, reducer, true, value, seed, folds)?
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

    #[allow(clippy::too_many_arguments)]
    fn reduce(
        &mut self,
        plan: &Plan<V>,
        number: u32,
        reducer: &Reducer<V>,
        batch: bool,
        value: V,
        seed: (u128, u64),
        folds: &mut Vec<Fold<V>>,
    ) -> Result<Dirt<V>, Failure> {
        let name = &plan.keys[number as usize].name;
        let overwritten = self.step.overwritten.contains(&number);
        if let Some(value) = value.overwrite() {
            if overwritten {
                return Err(two_overwrites(name));
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
        // A value that was never saved (an initial one) is saved whole, unless it
        // is what an append starts from anyway.
        let base_saved = self.base_is_saved(number);
        let whole = |dirt: Dirt<V>| if base_saved { dirt } else { Dirt::Set };
        match reducer {
            Reducer::External(what) => {
                self.put_aside(number, what, batch, value, folds);
                Ok(Dirt::Set)
            }
            Reducer::AddMessages => {
                let slot = &mut Arc::make_mut(&mut self.values)[number as usize];
                let index = self.index.entry(number).or_default();
                match messages::add(slot, index, value, seed)
                    .map_err(|why| reducer_failed(name, &why))?
                {
                    Added::Appended(items) => Ok(whole(Dirt::Append(items))),
                    Added::Changed => Ok(Dirt::Set),
                }
            }
            Reducer::Operator(operator) => {
                let appended = (*operator == crate::Operator::Add)
                    .then(|| value.items().map(<[V]>::to_vec))
                    .flatten();
                let slot = &mut Arc::make_mut(&mut self.values)[number as usize];
                *slot = Some(match slot.take() {
                    Some(left) => V::operate(*operator, left, value)
                        .map_err(|why| reducer_failed(name, &why))?,
                    None => value,
                });
                Ok(appended.map_or(Dirt::Set, |items| whole(Dirt::Append(items))))
            }
            Reducer::Closure(function) => {
                let slot = &mut Arc::make_mut(&mut self.values)[number as usize];
                *slot = Some(match slot.take() {
                    Some(left) => {
                        function(left, value).map_err(|why| reducer_failed(name, &why))?
                    }
                    None => value,
                });
                Ok(Dirt::Set)
            }
        }
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

    /// Closes the step: clears what holds for one step only and, if nothing can
    /// trigger next, lets deferred nodes go.
    pub fn end_step(&mut self, plan: &Plan<V>) -> Applied {
        if self.step.bump {
            self.clear_untouched(plan);
            if !self.step.triggers {
                self.finish(plan);
            }
        }
        Applied { output_changed: self.step.output_changed }
    }

    fn clear_untouched(&mut self, plan: &Plan<V>) {
        let next = self.step.next;
        let mut armed = std::mem::take(&mut self.armed);
        armed.retain(|control| {
            let channel = plan.control_channel(*control);
            let keep = self.versions[channel] == next;
            if !keep {
                self.controls[*control as usize].clear();
                self.bump(channel, Dirt::Set);
            }
            keep
        });
        self.armed = armed;
        if self.start.is_some() && self.versions[plan.start_channel()] != next {
            self.start = None;
            self.bump(plan.start_channel(), Dirt::Set);
        }
        if !self.step.sent && !self.sends.is_empty() {
            self.sends.clear();
            self.version = next;
            self.dirty_sends = true;
        }
        for &key in &plan.fleeting {
            if self.values[key as usize].is_some() && self.versions[key as usize] != next {
                Arc::make_mut(&mut self.values)[key as usize] = None;
                self.bump(key as usize, Dirt::Set);
            }
        }
    }

    fn finish(&mut self, plan: &Plan<V>) {
        for &number in &plan.deferred {
            let control = &mut self.controls[number as usize];
            if !control.finished && control.is_complete() {
                control.finished = true;
                self.fresh.push(number);
                self.bump_control(plan, number);
            }
        }
    }

    /// What changed since the last commit, in the order of channels.
    pub fn take_changes(
        &mut self,
        plan: &Plan<V>,
    ) -> (Vec<ChannelChange<V>>, Vec<Seen>, Option<Vec<SendTo<V>>>) {
        let mut dirt = std::mem::take(&mut self.dirt);
        for (channel, _) in &dirt {
            self.dirt_places[*channel] = 0;
        }
        dirt.sort_unstable_by_key(|(channel, _)| *channel);
        let changes = dirt
            .into_iter()
            .filter(|(channel, _)| !plan.is_untracked(*channel))
            .map(|(channel, dirt)| ChannelChange {
                channel: plan.channel_name(channel),
                version: self.versions[channel],
                change: match dirt {
                    Dirt::Append(items) => Change::Append(items),
                    Dirt::Set => self.stored(plan, channel).map_or(Change::Clear, Change::Set),
                },
            })
            .collect();
        let mut nodes = std::mem::take(&mut self.dirty_seen);
        nodes.sort_unstable();
        nodes.dedup();
        let seen = nodes.into_iter().map(|node| self.seen_of(plan, node)).collect();
        let sends = std::mem::take(&mut self.dirty_sends).then(|| self.sends.clone());
        (changes, seen, sends)
    }

    fn seen_of(&self, plan: &Plan<V>, node: u32) -> Seen {
        let versions = self.seen[node as usize].iter().enumerate().filter(|(_, v)| **v > 0);
        let versions = versions.map(|(position, version)| {
            (plan.channel_name(plan.trigger_channel(node, position)), *version)
        });
        Seen { node: plan.nodes[node as usize].name.clone(), versions: versions.collect() }
    }

    fn stored(&self, plan: &Plan<V>, channel: usize) -> Option<Stored<V>> {
        match channel.checked_sub(plan.keys.len()) {
            None => self.values[channel].clone().map(Stored::Value),
            Some(0) => self.start.clone().map(Stored::Value),
            Some(n) => self.controls[n - 1].stored(plan.controls[n - 1].sources.as_deref()),
        }
    }

    /// The value of a key as the task that made `writes` alone would leave it:
    /// what its branches see. Reducers of the host are put aside into `folds`.
    pub fn overlay(
        &self,
        plan: &Plan<V>,
        writes: &[Write<V>],
        seed: u128,
        folds: &mut Vec<Fold<V>>,
    ) -> Result<Vec<(u32, Option<V>)>, Failure> {
        let mut overlay: Vec<(u32, Option<V>)> =
            plan.fleeting.iter().map(|key| (*key, None)).collect();
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
    fn base_is_saved(&self, key: u32) -> bool {
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
            index: HashMap::new(),
            track: false,
            dirt: Vec::new(),
            dirt_places: Vec::new(),
            dirty_seen: Vec::new(),
            dirty_sends: false,
            early: Vec::new(),
            step: Step::default(),
        }
    }

    /// The node whose triggers were seen last, if there is exactly one: the
    /// node that an update is taken to come from.
    pub fn last_writer(&self, plan: &Plan<V>) -> Option<u32> {
        let mut seen: Vec<(u64, u32)> = (0..plan.nodes.len() as u32)
            .flat_map(|node| self.seen[node as usize].iter().map(move |version| (*version, node)))
            .filter(|(version, _)| *version > 0)
            .collect();
        seen.sort_unstable();
        match seen[..] {
            [] => Some(plan.start),
            [(_, only)] => Some(only),
            [.., (before, _), (last, node)] => (before != last).then_some(node),
        }
    }

    /// Makes the next commit hold everything, so that it needs no parent state.
    pub fn mark_all_dirty(&mut self, plan: &Plan<V>) {
        self.dirt = (0..plan.channel_count())
            .filter(|channel| self.versions[*channel] > 0)
            .map(|channel| (channel, Dirt::Set))
            .collect();
        for (place, (channel, _)) in self.dirt.iter().enumerate() {
            self.dirt_places[*channel] = place + 1;
        }
        self.dirty_seen = (0..plan.nodes.len() as u32)
            .filter(|node| self.seen[*node as usize].iter().any(|version| *version > 0))
            .collect();
        self.dirty_sends = true;
    }
}

impl Control {
    fn is_complete(&self) -> bool {
        if self.marks.is_empty() { self.armed } else { self.marks.iter().all(|mark| *mark) }
    }

    fn is_available(&self, defer: bool) -> bool {
        self.is_complete() && (!defer || self.finished)
    }

    fn clear(&mut self) {
        self.armed = false;
        self.finished = false;
        self.marks.fill(false);
    }

    fn stored<V>(&self, sources: Option<&[Arc<str>]>) -> Option<Stored<V>> {
        match sources {
            None => self.armed.then_some(Stored::Signal { finished: self.finished }),
            Some(sources) => {
                let names: Vec<_> = sources
                    .iter()
                    .zip(&self.marks)
                    .filter(|(_, mark)| **mark)
                    .map(|(name, _)| name.clone())
                    .collect();
                (!names.is_empty()).then_some(Stored::Names { names, finished: self.finished })
            }
        }
    }

    fn restore<V>(&mut self, plan: &Plan<V>, number: u32, stored: Option<&Stored<V>>) {
        match stored {
            Some(Stored::Signal { finished }) => (self.armed, self.finished) = (true, *finished),
            Some(Stored::Names { names, finished }) => {
                self.finished = *finished;
                let sources = plan.controls[number as usize].sources.iter().flatten();
                for (mark, source) in self.marks.iter_mut().zip(sources) {
                    *mark = names.contains(source);
                }
            }
            _ => {}
        }
    }
}

fn initial<V: StateValue>(kind: &ChannelKind<V>) -> Option<V> {
    match kind {
        ChannelKind::Reduced { initial, .. } | ChannelKind::Delta { initial, .. } => {
            initial.clone()
        }
        _ => None,
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

fn reducer_failed(key: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Exception, "reducer_failed", format!("reducer of `{key}`: {why}"))
}
