//! Between live channels and what is saved of them.

use std::sync::Arc;

use super::{Channels, Dirt};
use crate::checkpoint::{Change, ChannelChange, CheckpointState, Seen, Stored};
use crate::effect::SendTo;
use crate::graph::Plan;
use crate::value::StateValue;

/// What changed since the last commit.
pub(crate) struct Changes<V> {
    /// In the order of channels, with their numbers.
    pub channels: Vec<ChannelChange<V>>,
    pub numbers: Vec<u32>,
    pub seen: Vec<Seen>,
    /// All pending sends, if they changed.
    pub sends: Option<Vec<SendTo<V>>>,
}

impl<V: StateValue> Channels<V> {
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
                channels.seen[plan.trigger_place(node, position)] =
                    versions.get(&name).copied().unwrap_or(0);
            }
        }
        channels.sends.clone_from(&state.sends);
        channels.interrupt_seen = state.interrupt_seen;
        channels.version = state.version;
        channels
    }

    /// What changed since the last commit, in the order of channels.
    pub fn take_changes(&mut self, plan: &Plan<V>) -> Changes<V> {
        let mut dirt = std::mem::take(&mut self.dirt);
        for (channel, _) in &dirt {
            self.dirt_places[*channel] = 0;
        }
        dirt.retain(|(channel, _)| !plan.is_untracked(*channel));
        dirt.sort_unstable_by_key(|(channel, _)| *channel);
        let numbers = dirt.iter().map(|(channel, _)| *channel as u32).collect();
        let channels = dirt
            .drain(..)
            .map(|(channel, dirt)| ChannelChange {
                channel: plan.channel_name(channel),
                version: self.versions[channel],
                change: match dirt {
                    Dirt::Append(items) => Change::Append(items),
                    Dirt::Set => self.stored(plan, channel).map_or(Change::Clear, Change::Set),
                },
            })
            .collect();
        self.dirt = dirt;
        let mut nodes = std::mem::take(&mut self.dirty_seen);
        nodes.sort_unstable();
        nodes.dedup();
        let seen = nodes.drain(..).map(|node| self.seen_of(plan, node)).collect();
        self.dirty_seen = nodes;
        let saved = || self.sends.iter().map(|send| saved_send(plan, send)).collect();
        let sends = std::mem::take(&mut self.dirty_sends).then(saved);
        Changes { channels, numbers, seen, sends }
    }

    fn seen_of(&self, plan: &Plan<V>, node: u32) -> Seen {
        let versions = self.seen_by(plan, node).iter().enumerate().filter(|(_, v)| **v > 0);
        let versions = versions.map(|(position, version)| {
            (plan.channel_name(plan.trigger_channel(node, position)), *version)
        });
        Seen { node: plan.nodes[node as usize].name.clone(), versions: versions.collect() }
    }

    fn seen_by(&self, plan: &Plan<V>, node: u32) -> &[u64] {
        let first = plan.trigger_place(node, 0);
        &self.seen[first..first + plan.nodes[node as usize].triggers.len()]
    }

    fn stored(&self, plan: &Plan<V>, channel: usize) -> Option<Stored<V>> {
        match channel.checked_sub(plan.keys.len()) {
            None => self.values[channel].clone().map(Stored::Value),
            Some(0) => self.start.clone().map(Stored::Value),
            Some(n) => self.controls[n - 1].stored(plan.controls[n - 1].sources.as_deref()),
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
            .filter(|node| self.seen_by(plan, *node).iter().any(|version| *version > 0))
            .collect();
        self.dirty_sends = true;
    }

    /// The node whose triggers were seen last, if there is exactly one: the
    /// node that an update is taken to come from.
    pub fn last_writer(&self, plan: &Plan<V>) -> Option<u32> {
        let mut seen: Vec<(u64, u32)> = (0..plan.nodes.len() as u32)
            .flat_map(|node| self.seen_by(plan, node).iter().map(move |version| (*version, node)))
            .filter(|(version, _)| *version > 0)
            .collect();
        seen.sort_unstable();
        match seen[..] {
            [] => Some(plan.start),
            [(_, only)] => Some(only),
            [.., (before, _), (last, node)] => (before != last).then_some(node),
        }
    }
}

/// A pending send as it is saved: without top-level values of keys that never are.
pub(crate) fn saved_send<V: StateValue>(plan: &Plan<V>, send: &SendTo<V>) -> SendTo<V> {
    let unsaved = |name: &Arc<str>| {
        plan.key_ids.get(name).is_some_and(|key| plan.is_untracked(*key as usize))
    };
    let mut send = send.clone();
    if plan.has_untracked
        && let Some(mut fields) = send.arg.fields()
        && fields.iter().any(|(name, _)| unsaved(name))
    {
        fields.retain(|(name, _)| !unsaved(name));
        send.arg = V::from_fields(fields);
    }
    send
}
