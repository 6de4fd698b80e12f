//! From what a node returned to writes.

use std::sync::Arc;

use weaver_core::spec::END;
use weaver_core::{Failure, FailureKind};

use super::frame::Frame;
use super::hub::Hub;
use crate::channels::Write;
use crate::effect::{Effect, Goto, NodeOutput, Notice};
use crate::graph::{ChannelKind, Graph, Reducer};
use crate::messages::message_id;
use crate::value::StateValue;

impl<V: StateValue> Frame<V> {
    /// The body returned: collects its writes, then asks its branches.
    pub fn node_returned(&mut self, hub: &mut Hub<V>, number: usize, output: NodeOutput<V>) {
        let graph = self.graph.clone();
        let plan = &graph.0;
        let mut writes = std::mem::take(&mut self.tasks[number].writes);
        let node = &plan.nodes[self.tasks[number].node as usize];
        let mut gotos = Vec::new();
        let extra = node.branches.iter().any(|branch| branch.passthrough);
        let mut extras = Vec::new();
        let mut collector =
            Collector { graph: &graph, node: self.tasks[number].node, writes: &mut writes };
        let collected = collector.output(output, true, &mut gotos, extra.then_some(&mut extras));
        if let Err(failure) = collected {
            return self.attempt_failed(hub, number, failure);
        }
        for goto in gotos {
            match goto {
                Goto::Send(send) => {
                    if plan.node_ids.contains_key(&send.node) {
                        writes.push(Write::Send(send));
                    } else {
                        self.unknown_target(hub, number, &send.node);
                    }
                }
                Goto::Node(name) if &*name == END => {}
                Goto::Node(name) => match plan.node_ids.get(&name) {
                    Some(target) if *target != plan.start => writes.push(Write::Go(*target)),
                    _ => self.unknown_target(hub, number, &name),
                },
            }
        }
        writes.extend(node.edges.iter().map(|target| Write::Go(*target)));
        writes.extend(node.joins.iter().map(|(control, slot)| Write::Join(*control, *slot)));
        self.give_message_ids(&mut writes, number);
        let task = &mut self.tasks[number];
        task.writes = writes;
        task.extra = extras;
        if node.branches.is_empty() {
            self.task_done(hub, number);
        } else {
            self.next_branch(hub, number);
        }
    }

    pub fn unknown_target(&self, hub: &mut Hub<V>, number: usize, name: &str) {
        let node = self.node_name(&self.tasks[number]);
        let message =
            format!("`{node}` goes to `{name}`, which is no node; nothing will run there");
        hub.effects.push_back(Effect::Notice(Notice { code: "unknown_target", message, node }));
    }

    /// Message objects get their ids before they are saved or streamed, so that
    /// everybody sees the same one.
    fn give_message_ids(&self, writes: &mut [Write<V>], number: usize) {
        let seed = self.message_seed(number);
        for (ordinal, write) in writes.iter_mut().enumerate() {
            let Write::Set(key, value) = write else { continue };
            let key = &self.graph.0.keys[*key as usize];
            let messages = matches!(
                &key.kind,
                ChannelKind::Reduced { reducer: Reducer::AddMessages, .. }
                    | ChannelKind::Delta { reducer: Reducer::AddMessages, .. }
            );
            if !messages {
                continue;
            }
            let with_id = |item: &V, index: usize| {
                let missing = item.message_role().is_some() && item.message_id().is_none();
                missing.then(|| {
                    let id = message_id((seed, 2), ordinal as u64, index);
                    item.clone().with_message_id(id)
                })
            };
            match value.items().map(<[V]>::len) {
                None => *value = with_id(value, 0).unwrap_or_else(|| value.clone()),
                Some(count) => {
                    for index in 0..count {
                        let item = value.items().and_then(|items| with_id(&items[index], index));
                        if let Some(item) = item {
                            value.replace(index, item);
                        }
                    }
                }
            }
        }
    }

    /// What ids of messages without id are made of: the thread and the task's place
    /// in it, not its id, so that they survive a crash before the first commit.
    pub fn message_seed(&self, number: usize) -> u128 {
        let task = &self.tasks[number];
        let name = self.graph.0.nodes[task.node as usize].name_hash;
        self.message_salt.number(self.step as u64).number(name).number(task.path.number()).finish()
    }
}

/// Turns what a node returned into writes.
struct Collector<'a, V: StateValue> {
    graph: &'a Graph<V>,
    node: u32,
    writes: &'a mut Vec<Write<V>>,
}

impl<V: StateValue> Collector<'_, V> {
    fn output(
        &mut self,
        output: NodeOutput<V>,
        top: bool,
        gotos: &mut Vec<Goto<V>>,
        extra: Option<&mut Vec<(Arc<str>, V)>>,
    ) -> Result<(), Failure> {
        match output {
            NodeOutput::Nothing => {}
            NodeOutput::Update(value) if value.is_null() => {}
            NodeOutput::Update(value) => match value.fields() {
                Some(fields) => self.fields(fields, extra),
                None => {
                    return Err(not_a_dict(
                        &value.type_name(),
                        &self.graph.0.nodes[self.node as usize].name,
                    ));
                }
            },
            NodeOutput::Fields(fields) => self.fields(fields, extra),
            NodeOutput::Command(command) => {
                self.fields(command.update, None);
                gotos.extend(command.goto);
            }
            NodeOutput::Send(send) if top => gotos.push(Goto::Send(send)),
            NodeOutput::Send(_) => {}
            NodeOutput::Many(outputs) => {
                let command = |output: &NodeOutput<V>| matches!(output, NodeOutput::Command(_));
                if !top || !outputs.iter().any(command) {
                    return Err(not_a_dict("list", &self.graph.0.nodes[self.node as usize].name));
                }
                for output in outputs {
                    self.output(output, false, gotos, None)?;
                }
            }
        }
        Ok(())
    }

    fn fields(&mut self, fields: Vec<(Arc<str>, V)>, extra: Option<&mut Vec<(Arc<str>, V)>>) {
        let plan = &self.graph.0;
        let entry = self.node == plan.start;
        let mut unseen = extra;
        for (name, value) in fields {
            let key = plan.key_ids.get(&name).copied();
            let key = key.filter(|key| !entry || plan.input[*key as usize]);
            if let Some(unseen) = &mut unseen {
                let visible = |(other, _): &(Arc<str>, _)| *other == name;
                if !plan.nodes[self.node as usize].view.iter().any(visible) {
                    unseen.push((name.clone(), value.clone()));
                }
            }
            if let Some(key) = key {
                self.writes.push(Write::Set(key, value));
            }
        }
    }
}

fn not_a_dict(type_name: &str, node: &str) -> Failure {
    let mut failure = Failure::new(
        FailureKind::InvalidUpdate,
        "invalid_node_return",
        format!(
            "Expected dict, got {type_name}: `{node}` must return a dict of state keys, a Command, a list with a Command, or None."
        ),
    );
    failure.exception = Some("InvalidUpdateError".into());
    failure
}
