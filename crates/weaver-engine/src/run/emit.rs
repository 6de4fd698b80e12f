//! Chunks of the streams that were asked for.

use std::sync::Arc;

use super::frame::Frame;
use super::hub::Hub;
use super::task::TaskState;
use crate::channels::Write;
use crate::stream::{Chunk, StreamModes};
use crate::value::{MessageRole, StateValue};

impl<V: StateValue> Frame<V> {
    /// Tells the streams what starts, and what needs not.
    pub fn announce(&mut self, hub: &mut Hub<V>) {
        self.note_old_messages(hub);
        if self.streams(hub, StreamModes::TASKS) {
            for number in 0..self.tasks.len() {
                self.emit_task_start(hub, number);
            }
        }
        for number in 0..self.tasks.len() {
            if self.tasks[number].state == TaskState::Done {
                self.emit_update(hub, number, true);
            }
        }
    }

    pub fn emit_task_start(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        let node = &self.graph.0.nodes[task.node as usize];
        if node.hidden {
            return;
        }
        let triggers = if task.path.is_push() {
            [Arc::from("__pregel_push")].into()
        } else {
            node.trigger_names.clone()
        };
        let chunk = Chunk::TaskStart {
            id: task.id,
            node: node.name.clone(),
            step: self.step,
            input: self.task_input(task).to_value(),
            triggers,
            path: task.path,
        };
        hub.emit(&self.namespace, chunk);
    }

    /// Tells that a task asked.
    pub fn emit_interrupts(&self, hub: &mut Hub<V>, number: usize) {
        let interrupts = || self.tasks[number].interrupts.clone();
        if self.streams(hub, StreamModes::UPDATES) {
            hub.emit(&self.namespace, Chunk::Interrupts(interrupts()));
        }
        if self.streams(hub, StreamModes::VALUES) {
            let chunk = Chunk::Values { values: self.output(), interrupts: interrupts() };
            hub.emit(&self.namespace, chunk);
        }
    }

    pub fn emit_values(&self, hub: &mut Hub<V>) {
        if self.streams(hub, StreamModes::VALUES) {
            let chunk = Chunk::Values { values: self.output(), interrupts: Vec::new() };
            hub.emit(&self.namespace, chunk);
        }
    }

    /// What a task wrote, as the streams show it.
    fn written(&self, number: usize) -> Vec<(Arc<str>, V)> {
        let plan = &self.graph.0;
        let writes = self.tasks[number].writes.iter();
        writes
            .filter_map(|write| match write {
                Write::Set(key, value) if plan.is_output[*key as usize] => {
                    Some((plan.keys[*key as usize].name.clone(), value.clone()))
                }
                _ => None,
            })
            .collect()
    }

    pub fn emit_update(&mut self, hub: &mut Hub<V>, number: usize, cached: bool) {
        let task = &self.tasks[number];
        if self.graph.0.nodes[task.node as usize].hidden {
            return;
        }
        let cached = cached || task.cached;
        // Those of a subgraph are no news for the graph above either, seen or not.
        if hub.options.stream.has(StreamModes::MESSAGES) && !cached {
            self.emit_messages(hub, number);
        }
        if !self.streams(hub, StreamModes::UPDATES) {
            return;
        }
        let fields = self.written(number);
        let twice = fields
            .iter()
            .enumerate()
            .any(|(position, (key, _))| fields[..position].iter().any(|(other, _)| other == key));
        let updates = if twice {
            fields.into_iter().map(|field| V::from_fields(vec![field])).collect()
        } else if fields.is_empty() {
            Vec::new()
        } else {
            vec![V::from_fields(fields)]
        };
        let node = self.node_name(&self.tasks[number]);
        hub.emit(&self.namespace, Chunk::Update { node, updates, cached });
    }

    /// Messages that are in the state when a run starts or with its input are not
    /// news, even when a node writes them again.
    pub fn note_old_messages(&mut self, hub: &mut Hub<V>) {
        self.announced = self.announced.saturating_add(1);
        if self.announced > 2 || !self.streams(hub, StreamModes::MESSAGES) {
            return;
        }
        for value in self.channels.values.iter().flatten() {
            for message in value.items().unwrap_or_default() {
                hub.messages.extend(message.message_id());
            }
        }
    }

    fn emit_messages(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        for write in &task.writes {
            let Write::Set(_, value) = write else { continue };
            let one = std::slice::from_ref(value);
            for message in value.items().unwrap_or(one) {
                let Some(id) = message.message_id() else { continue };
                if message.message_role() != Some(MessageRole::Message) {
                    continue;
                }
                if hub.messages.insert(id) && self.streams(hub, StreamModes::MESSAGES) {
                    let node = self.node_name(task);
                    let chunk = Chunk::Message { message: message.clone(), node, step: self.step };
                    hub.emit(&self.namespace, chunk);
                }
            }
        }
    }

    pub fn emit_task_end(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        if !self.streams(hub, StreamModes::TASKS) || self.graph.0.nodes[task.node as usize].hidden {
            return;
        }
        let failed = task.error.is_some();
        let chunk = Chunk::TaskEnd {
            id: task.id,
            node: self.node_name(task),
            step: self.step,
            result: if failed { Vec::new() } else { self.written(number) },
            error: task.error.as_deref().cloned(),
            interrupts: task.interrupts.clone(),
        };
        hub.emit(&self.namespace, chunk);
    }
}
