//! The live channels of one namespace: values, versions, triggers.

mod early;
pub(crate) mod saved;
mod write;

use std::sync::Arc;

use weaver_core::FastMap;

use crate::checkpoint::Stored;
use crate::effect::SendTo;
use crate::graph::{ChannelKind, Plan};
use crate::messages::MessageIndex;
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
    /// The versions of triggers that nodes have seen, at [`Plan::trigger_place`].
    seen: Vec<u64>,
    controls: Vec<Control>,
    /// Plain signals that are set.
    armed: Vec<u32>,
    /// Controls that became available since the last look.
    fresh: Vec<u32>,
    index: FastMap<u32, MessageIndex>,
    track: bool,
    dirt: Vec<(usize, Dirt<V>)>,
    /// Where a channel is in `dirt`, from 1; empty without `track`.
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
    /// Whether a state key was written, and whether one of the output.
    changed: bool,
    output_changed: bool,
}

/// What a finished step means for others.
pub(crate) struct Applied {
    /// Whether a state key changed.
    pub changed: bool,
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
            seen: vec![0; plan.trigger_count],
            controls: controls.collect(),
            armed: Vec::new(),
            fresh: Vec::new(),
            index: FastMap::default(),
            track,
            dirt: Vec::new(),
            dirt_places: vec![0; if track { plan.channel_count() } else { 0 }],
            dirty_seen: Vec::new(),
            dirty_sends: false,
            early: Vec::new(),
            step: Step::default(),
        }
    }

    /// Nodes that are triggered, by number, in order. `all` looks at every
    /// trigger instead of those that changed in the last step.
    pub fn triggered(&mut self, plan: &Plan<V>, all: bool) -> Vec<u32> {
        let mut nodes = std::mem::take(&mut self.fresh);
        if all {
            nodes.clear();
            nodes.extend(0..plan.nodes.len() as u32);
        } else {
            nodes.iter_mut().for_each(|number| *number = plan.controls[*number as usize].node);
            nodes.extend(self.start.is_some().then_some(plan.start));
            nodes.sort_unstable();
            nodes.dedup();
        }
        nodes.retain(|node| self.is_triggered(plan, *node));
        nodes
    }

    /// Takes back the list that [`Channels::triggered`] gave: there is one a step.
    pub fn reuse(&mut self, mut nodes: Vec<u32>) {
        nodes.clear();
        self.fresh = nodes;
    }

    fn is_triggered(&self, plan: &Plan<V>, node: u32) -> bool {
        (0..plan.nodes[node as usize].triggers.len()).any(|position| {
            let version = self.versions[plan.trigger_channel(node, position)];
            version > self.seen[plan.trigger_place(node, position)]
                && self.is_available(plan, node, position)
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
        (self.step.sent, self.step.triggers) = (false, false);
        (self.step.changed, self.step.output_changed) = (false, false);
        self.fresh.clear();
        for node in ran {
            for position in 0..plan.nodes[node as usize].triggers.len() {
                let channel = plan.trigger_channel(node, position);
                self.seen[plan.trigger_place(node, position)] = self.versions[channel];
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

    /// What the open step has written so far.
    pub fn applied(&self) -> Applied {
        Applied { changed: self.step.changed, output_changed: self.step.output_changed }
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
        self.applied()
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
